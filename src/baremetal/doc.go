// Package baremetal holds the nouns of the Bare Metal API (OpenStack Ironic): nodes, ports, states, verbs,
// JSON patches and the errors that a caller acts on.
//
// It imports nothing of ours and does nothing: package client asks a server for these things. Spellings are
// Ironic's (Ironic 21.4, ironic/common/states.py; API reference, "Bare Metal API v1").
package baremetal
