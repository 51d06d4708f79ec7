// Package store keeps what a conductor keeps, in one SQLite file or in PostgreSQL.
//
// A change is on disk before [Store.Update] returns. In SQLite all changes of a process go through one writer, which
// puts those that wait into one transaction: one fsync serves many. Several processes may share the file, or the
// database.
//
// The schema is made, and brought up to date, by [Open], from the files in migrations. Nodes have a column for each plain field
// that can be searched or sorted by, and a JSON document for the rest; everything else is a JSON document in one
// table. With a key, driver_info is sealed (AES-256-GCM) before it is stored.
package store
