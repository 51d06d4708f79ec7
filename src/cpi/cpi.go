// Package cpi carries out the actions of the BOSH CPI on the nodes of a Bare Metal API.
//
// A VM is a deployed node. Its CID is a fresh UUID that is also the node's instance_uuid, so that a stale
// delete never hits a later VM on the same server. Everything that the CPI must remember about a node is one
// document in the node's extra field (see [document]); there is no state elsewhere, and a process may be
// killed at any point: the next call finds the document and goes on from there.
//
// One file per action, each reading top to bottom; start with create_vm.go. Errors become the Director's
// words in errors.go. The protocol on stdin and stdout is package rpc's.
//
// Specified in the BOSH documentation, "CPI API v1, v2 and v3", and Ironic's API reference.
package cpi

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/repository"
)

// A CPI carries out the actions of one request. The program fills it from its configuration.
type CPI struct {
	Director  string // UUID of the Director that asks; marks the nodes that it holds
	Nodes     Nodes
	Stemcells repository.Store
	Metadata  repository.Store
	Registry  Registry // nil without a registry: stemcells of API version 1 are then refused
	Agent     Agent
	Options   Options
	Log       *slog.Logger
}

// Nodes is what the actions ask of the Bare Metal API; package baremetal/client implements it and documents
// each method.
type Nodes interface {
	Node(ctx context.Context, idOrName string) (baremetal.Node, error)
	NodeByInstance(ctx context.Context, instanceUUID string) (baremetal.Node, error)
	EachNode(ctx context.Context, q client.NodeQuery, use func(baremetal.Node) error) error
	CreateNode(ctx context.Context, body map[string]any) (baremetal.Node, error)
	DeleteNode(ctx context.Context, uuid string) error
	Patch(ctx context.Context, uuid string, p baremetal.Patch) (baremetal.Node, error)
	Claim(ctx context.Context, uuid, instanceUUID string, p baremetal.Patch) (baremetal.Node, error)
	Provision(ctx context.Context, uuid string, p baremetal.Provision) error
	DeploySteps() bool
	Settle(ctx context.Context, uuid string, limit time.Duration, want ...baremetal.ProvisionState) (baremetal.Node, error)
	Power(ctx context.Context, uuid string, t baremetal.PowerTarget) error
	WaitPower(ctx context.Context, uuid string, want baremetal.PowerState, limit time.Duration) (baremetal.Node, error)
	SetMaintenance(ctx context.Context, uuid string, on bool, reason string) error
	Ports(ctx context.Context, nodeUUID string) ([]baremetal.Port, error)
	PortByMAC(ctx context.Context, mac string) (baremetal.Port, error)
	CreatePort(ctx context.Context, p baremetal.Port) (baremetal.Port, error)
	Inventory(ctx context.Context, uuid string) (json.RawMessage, error)
}

// Registry keeps agent settings for stemcells of API version 1; package registry implements it.
type Registry interface {
	Get(ctx context.Context, id string) ([]byte, error)
	Put(ctx context.Context, id string, settings []byte) error
	Delete(ctx context.Context, id string) error
	Endpoint() string // the URL that the agent reads, credentials included
}

// Agent is what every VM's agent is told.
type Agent struct {
	Mbus        string
	NTP         []string
	Blobstore   *agentenv.Blobstore // nil: env.bosh.blobstores says it
	PublicKeys  []string            // SSH public keys for the vcap user
	NameServers []string
}

// Options are the operator's choices.
type Options struct {
	Delivery  agentenv.Delivery  // how settings reach the agent: auto, config_drive, inject
	SpareNICs agentenv.SpareNICs // what becomes of NICs without a network

	ReleaseDisks   bool // delete_vm gives the server back although it holds persistent disks
	ReuseDeleted   bool // create_disk may take a disk that held a deleted one and was not cleaned since
	SystemPath     string
	EphemeralPath  string // device paths for servers whose disks nobody declared
	PersistentPath string

	ZoneField  string        // the node's field that holds its availability zone
	FailedLast time.Duration // how long a node that failed to deploy comes last

	ManualClean      bool // delete_vm runs CleanSteps
	CleanSteps       []baremetal.Step
	StrictProperties bool // an unknown cloud property is an error

	Timeouts Timeouts
}

// Timeouts limit each wait for a node.
type Timeouts struct {
	Manage, Provide, Deploy, Delete, Clean, Power time.Duration

	// Claim is how long a claim stands while nothing is waited for: choosing, uploading, patching.
	Claim time.Duration
}
