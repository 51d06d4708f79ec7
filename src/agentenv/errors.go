package agentenv

import "errors"

// What a caller acts on.
var (
	// ErrNetworks: what was asked for is wrong, on any server.
	ErrNetworks = errors.New("networks are not valid")

	// ErrNICs: this server cannot serve the networks; another one may.
	ErrNICs = errors.New("the server's NICs do not fit the networks")

	// ErrEnv: the env of create_vm has a known key of the wrong type.
	ErrEnv = errors.New("env is not valid")

	// ErrDelivery: the agent would not find its settings, or fail with them. The text says what to change.
	ErrDelivery = errors.New("agent settings cannot be delivered")
)
