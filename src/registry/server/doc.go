// Package server is the BOSH agent settings registry, in both dialects that clients speak, on one store.
//
// A registry keeps one text for each instance: the settings that an agent of a stemcell of API version 1 asks for
// (later agents know no registry). The dialects are
//
//	/instances/ID/settings              the BOSH registry's (bosh-registry, removed from BOSH in 2022)
//	/registry/instances/ID[/settings]   that of the nginx and Lua registry of bosh-ironic-cpi, 2016
//
// and differ in statuses and in what the second one has besides: POST and HEAD, and DELETE of all that an
// instance has. What it did wrong is right here: an id is letters, digits, _ and -, and nothing may follow it but a
// slash; one list of users is for all methods; settings must be a JSON object. DELETE of the settings also ends the
// id, unless files belong to it.
//
// Beyond both: ETag with If-Match and If-None-Match, and settings that a machine may read from its own address.
//
// Start at [New]; where settings are kept is a [Store].
package server
