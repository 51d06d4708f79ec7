package baremetal

import "errors"

// What a caller acts on. An error of package client wraps one of these and an [APIError].
var (
	ErrNotFound     = errors.New("not found")
	ErrLocked       = errors.New("node is locked")                       // 409 that ends by itself: locked, or a state transition
	ErrAssociated   = errors.New("node is claimed by somebody else")     // 409 on instance_uuid
	ErrTaken        = errors.New("already taken")                        // 409 on a name, UUID or MAC address
	ErrWrongState   = errors.New("not possible in this state")           // 400, 403 or 409: the node's state forbids it
	ErrInvalid      = errors.New("refused as invalid")                   // 400
	ErrUnauthorized = errors.New("credentials refused")                  // 401, 403
	ErrUnavailable  = errors.New("bare metal service does not answer")   // 503, 500 without a conductor, no connection, time-out
	ErrVersion      = errors.New("not known to this version of the API") // 406
	ErrFailed       = errors.New("node failed")                          // a verb ended in a failed state
	ErrAmbiguous    = errors.New("request was sent but no answer came")  // it may or may not have taken effect
)

// An APIError is what the Bare Metal API answered.
type APIError struct {
	Op     string // what was asked, for people: "claim node 3f2c"
	Status int    // HTTP status; 0 when there was no answer
	Text   string // Ironic's words, out of its doubly encoded body
	Kind   error  // one of the sentinels above
}

// Error implements error.
func (e *APIError) Error() string {
	text := e.Op + ": " + e.Kind.Error()
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// Unwrap gives the sentinel.
func (e *APIError) Unwrap() error { return e.Kind }
