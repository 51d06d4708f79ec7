package agentenv

import "errors"

// What a caller acts on.
var (
	// ErrNetworks says that what was asked for is wrong, on any server.
	ErrNetworks = errors.New("networks are not valid")

	// ErrNICs says that this server cannot serve the networks; another one may.
	ErrNICs = errors.New("the server's NICs do not fit the networks")

	// ErrEnv says that the env of create_vm has a known key of the wrong type.
	ErrEnv = errors.New("env is not valid")

	// ErrDelivery says that the agent would not find its settings, or fail with them, and what to change.
	ErrDelivery = errors.New("agent settings cannot be delivered")
)
