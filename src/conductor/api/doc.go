// Package api serves the Bare Metal API, version 1, microversions 1.1 to 1.82, in front of a conductor: what the clients
// of OpenStack Ironic 21.4 ask for, with its status codes and its words. docs/conductor.md lists the differences that are
// intended.
//
// There are two faces, each a handler of its own: [Server.Operators] is the whole API, for those who may; [Server.Machines]
// is what deploy ramdisks call, lookup and heartbeat, which need no credentials and tell a stranger nothing.
package api
