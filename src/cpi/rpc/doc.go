// Package rpc is the CPI's protocol: one request in, one answer out.
//
// A [Server] reads one JSON document, calls the action that it names, and writes exactly one JSON document
// with the keys result, error and log, whatever happens: a panic, a garbled request, a broken configuration.
// Versions 1, 2 and 3 of the CPI API are spoken: version 1 wants the bare CID from create_vm and nothing from
// attach_disk; version 3 only adds an argument to create_stemcell. Missing and null arguments at the end are
// taken as absent where the action can do without, further ones are ignored.
//
// What the call logs goes to stderr as it happens and into the answer, masked: passwords, keys, certificates
// and tokens of the request are known before the first line is written, those of the configuration once it
// is opened (see [Call.Hide]). Arguments are never logged whole.
//
// bosh-cpi-go gives the types of CIDs and resources; dispatching is done here, because there a panic leaves
// no answer, a broken configuration becomes NotImplemented (which a Director overlooks), a wrapped error loses
// its type, and unknown keys of networks get lost. A panic in a goroutine that an action has started cannot
// be caught: actions start none that may panic.
//
// Specified in the BOSH documentation, "CPI API v1" and "CPI API v2". Start at [Server.Serve].
package rpc
