package driver

import (
	"context"
	"fmt"
)

// Vendor offers what only this hardware has.
type Vendor interface {
	VendorMethods() []VendorMethod
	// CallVendor answers with anything that JSON can hold. An asynchronous method's answer is dropped. The arguments
	// have passed package driver/vendorargs.
	CallVendor(ctx context.Context, n *Node, method string, args map[string]any) (any, error)
}

// A VendorMethod is a line in the table of vendor passthru.
type VendorMethod struct {
	Name        string
	HTTPMethods []string // such as POST
	Async       bool     // answered 202 at once; the node is locked meanwhile
	Shared      bool     // needs no lock
	Description string
	Schema      string // JSON Schema (draft 4 and later) of the arguments; empty: any

	// Validate finds what the schema cannot say, such as an argument that another one calls for: mostly an
	// [ArgumentError]. It does not ask the hardware. nil: nothing.
	Validate func(args map[string]any) error
}

// An ArgumentError is an argument of a vendor method that is missing or makes no sense.
type ArgumentError struct {
	Method  string // filled in by package driver/vendorargs
	Name    string // of one in another: limit.mode; empty: the arguments as a whole
	Problem string // empty: it is missing
}

// Error implements error, in Ironic's words.
func (e *ArgumentError) Error() string {
	if e.Problem == "" {
		return fmt.Sprintf("Parameter '%s' not passed to method '%s'.", e.Name, e.Method)
	}
	where := e.Name
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("Input data validation error: method %s: %s%s", e.Method, where, e.Problem)
}
