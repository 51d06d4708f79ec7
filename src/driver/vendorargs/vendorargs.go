// Package vendorargs holds the arguments of vendor methods against their JSON Schema.
//
// It is not part of package driver because the library takes milliseconds at the start of a program, and the CPI, which
// starts for each call, calls no vendor method.
//
// Start at [Check].
package vendorargs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"bosh-ironic-cpi/src/driver"
)

// Check says what is wrong with arguments for a method: first what is missing, in Ironic's words. Such an error is a
// [driver.ArgumentError]; any other is a mistake in the schema.
func Check(m driver.VendorMethod, args map[string]any) error {
	if m.Schema != "" {
		if err := checkSchema(m, args); err != nil {
			return err
		}
	}
	if m.Validate == nil {
		return nil
	}
	err := m.Validate(args)
	if e, ok := errors.AsType[*driver.ArgumentError](err); ok {
		e.Method = m.Name
	}
	return err
}

func checkSchema(m driver.VendorMethod, args map[string]any) error {
	schema, err := compile(m)
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
		return &driver.ArgumentError{Method: m.Name, Name: missing.Missing[0]}
	}
	_, problem, _ := strings.Cut(wrong.Error(), ": ") // what comes before is the place
	return &driver.ArgumentError{Method: m.Name, Name: strings.Join(wrong.InstanceLocation, "."), Problem: problem}
}

func compile(m driver.VendorMethod) (*jsonschema.Schema, error) {
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
