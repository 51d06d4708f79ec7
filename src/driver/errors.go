package driver

import (
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
)

// What a caller acts on. Errors of drivers wrap one of these, or are a [ParameterError] or [PowerError]; none of them
// holds a secret.
var (
	ErrUnreachable    = errors.New("hardware does not answer")
	ErrAuthentication = errors.New("hardware refuses the credentials")
	// ErrUntrusted is hardware that does not prove who it is: its certificate or host key is not the one to trust. The error
	// names the key of driver_info that says whom to trust.
	ErrUntrusted   = errors.New("hardware is not trusted")
	ErrUnsupported = errors.New("not supported by this hardware")
	// ErrOddState is what PowerState says of a server that is neither on nor off: asleep, or hung. It can be switched.
	ErrOddState = errors.New("neither on nor off")
)

// ErrOffThenOn is what Switch says to a soft reboot, before anything is sent, when the hardware has no command for it:
// [SetPower] then has it power off softly, and on.
var ErrOffThenOn = errors.New("a soft reboot of this hardware is a soft power off, and power on")

// A ParameterError is a key of driver_info, or an argument, that is missing or makes no sense.
type ParameterError struct {
	Key     string
	Problem string // empty: it is missing
}

// Error implements error.
func (e *ParameterError) Error() string {
	if e.Problem == "" {
		return fmt.Sprintf("driver_info has no %q: set it with baremetal node set --driver-info %s=VALUE", e.Key, e.Key)
	}
	return fmt.Sprintf("driver_info %q %s", e.Key, e.Problem)
}

// A PowerError is hardware that took a command and did not follow it.
type PowerError struct {
	Target baremetal.PowerTarget
	Last   baremetal.PowerState // what it was when the wait ended; empty: not known
	Cause  error                // why nothing better is known; may be nil
}

// Error implements error.
func (e *PowerError) Error() string {
	last := string(e.Last)
	if last == "" {
		last = "unknown"
	}
	text := fmt.Sprintf("Failed to change power state to '%s': it is %s", e.Target, last)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *PowerError) Unwrap() error { return e.Cause }
