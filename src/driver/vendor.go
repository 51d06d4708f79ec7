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

	// Validate finds what the schema cannot say, such as an argument that another one calls for: mostly an
	// [ArgumentError]. It does not ask the hardware. nil: nothing.
	Validate func(args map[string]any) error
}

// An ArgumentError is an argument of a vendor method that is missing or makes no sense.
type ArgumentError struct {
	Method  string // filled in by [VendorMethod.Check]
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

// Check says what is wrong with arguments for the method: first what is missing, in Ironic's words. Such an error is an
// [ArgumentError]; any other is a mistake in the schema.
func (m VendorMethod) Check(args map[string]any) error {
	if m.Schema != "" {
		if err := m.checkSchema(args); err != nil {
			return err
		}
	}
	if m.Validate == nil {
		return nil
	}
	err := m.Validate(args)
	if e, ok := errors.AsType[*ArgumentError](err); ok {
		e.Method = m.Name
	}
	return err
}

func (m VendorMethod) checkSchema(args map[string]any) error {
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
		return &ArgumentError{Method: m.Name, Name: missing.Missing[0]}
	}
	_, problem, _ := strings.Cut(wrong.Error(), ": ") // what comes before is the place
	return &ArgumentError{Method: m.Name, Name: strings.Join(wrong.InstanceLocation, "."), Problem: problem}
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
