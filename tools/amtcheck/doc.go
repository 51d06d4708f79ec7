// Package amtcheck has others speak with our AMT: Intel's own library and another client ask the fake that the driver's
// tests stand on, and the driver is given answers that Intel's library has recorded from real machines.
//
// It is a module of its own, so that these clients and their dependencies stay out of the CPI's. Run it with
//
//	go -C tools/amtcheck test -mod=mod ./...
//
// where -mod=mod lets its go.mod follow the top one.
package amtcheck
