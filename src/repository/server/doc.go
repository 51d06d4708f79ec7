// Package server serves a directory by WebDAV, for stemcell images, config drives and metadata.
//
// A [Tree] is one directory below one path, class 1 and 2 (RFC 4918), with basic authentication, quotas, and
// addresses that are signed. Files are written beside their place and renamed in (package spool): a reader has the
// old file or the new one. GET and HEAD are net/http's own, so that the kernel sends files; what is XML or about
// locks is golang.org/x/net/webdav's, over a file system that one request at a time is shown.
//
// What differs from nginx with its WebDAV modules: PUT replaces with 204, keeps dead properties, honours If-Match; a
// full disk is 507 and said before the upload; PROPFIND of a whole tree (Depth: infinity) is refused.
//
// Locks are kept in memory. Symbolic links are followed inside the directory only. One process may serve a
// directory. Start at [NewTree].
package server
