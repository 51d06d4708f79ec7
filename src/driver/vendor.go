package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Vendor offers what only this hardware has.
type Vendor interface {
	VendorMethods() []VendorMethod
	// CallVendor answers with anything that JSON can hold. An asynchronous method's answer is dropped. The arguments
	// have passed [VendorMethod.Check].
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
}

// Check says what is wrong with arguments for the method: first what is missing, in Ironic's words. Such an error is an
// [ArgumentError]; any other is a mistake in the schema.
func (m VendorMethod) Check(args map[string]any) error {
	if m.Schema == "" {
		return nil
	}
	schema, err := m.compile()
	if err != nil {
		return fmt.Errorf("schema of vendor method %s: %w", m.Name, err)
	}
	if args == nil {
		args = map[string]any{}
	}
	wrong, ok := errors.AsType[*jsonschema.ValidationError](schema.Validate(args))
	if !ok {
		return nil
	}
	for len(wrong.Causes) > 0 {
		wrong = wrong.Causes[0]
	}
	if missing, ok := wrong.ErrorKind.(*kind.Required); ok && len(wrong.InstanceLocation) == 0 {
		return &ArgumentError{fmt.Sprintf("Parameter '%s' not passed to method '%s'.", missing.Missing[0], m.Name)}
	}
	return &ArgumentError{fmt.Sprintf("Input data validation error: method %s: %s", m.Name, wrong)}
}

func (m VendorMethod) compile() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(m.Schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("method.json", document); err != nil {
		return nil, err
	}
	return c.Compile("method.json")
}
