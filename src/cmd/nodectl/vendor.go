package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/vendorargs"
)

// vendor is "vendor".
type vendor struct {
	hardwareFlags
	Method string `arg:"" optional:"" help:"Name of the method; without it, those that there are are listed."`
	ID     string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
	HTTP   string `name:"http" placeholder:"METHOD" help:"HTTP method, where the vendor method is different things by it; without it, its first."`
	Args   string `default:"{}" placeholder:"JSON" help:"Arguments: a JSON object, or @FILE with one."`
}

// Help is the end of the command's help.
func (vendor) Help() string {
	return "Examples:\n  nodectl vendor --driver ipmi --set ipmi_address=10.0.0.3\n" +
		"  nodectl vendor get_nm_version --driver nm --set ipmi_address=10.0.0.3 --set ipmi_password=@bmc.password\n" +
		`  nodectl vendor send_raw rack-3-unit-7 --inventory nodes.yaml --args '{"raw_bytes":"0x06 0x01"}'`
}

// Run calls the method, or lists what there is.
func (v *vendor) Run(ctx context.Context, c *console) error {
	return v.onServer(ctx, c, v.ID, func(ctx context.Context, s *server) error {
		able, err := can[driver.Vendor](s, "vendor", "vendor methods")
		if err != nil {
			return err
		}
		methods := able.VendorMethods()
		if v.Method == "" {
			return c.print(listedMethods(methods))
		}
		args, err := v.arguments(methods, c)
		if err != nil {
			return err
		}
		result, err := able.CallVendor(ctx, s.Node, v.Method, args)
		if err != nil {
			return fmt.Errorf("%s: %w", v.Method, err)
		}
		switch {
		case result == nil:
			return nil
		case c.flags.Output == "yaml":
			return printYAML(c.out, result)
		}
		return printJSON(c.out, result)
	})
}

// arguments are checked as the conductor checks them.
func (v *vendor) arguments(methods []driver.VendorMethod, c *console) (map[string]any, error) {
	i := slices.IndexFunc(methods, func(m driver.VendorMethod) bool { return m.Name == v.Method })
	if i < 0 {
		var names []string
		for _, m := range methods {
			names = append(names, m.Name)
		}
		return nil, wrong(fmt.Errorf("there is no vendor method %s; there are %s", v.Method, strings.Join(names, ", ")))
	}
	if verb := strings.ToUpper(v.HTTP); verb != "" && !slices.Contains(methods[i].HTTPMethods, verb) {
		return nil, wrong(fmt.Errorf("vendor method %s is called by %s, not by %s", v.Method, strings.Join(methods[i].HTTPMethods, ", "), verb))
	}
	text := []byte(v.Args)
	if name, ok := strings.CutPrefix(v.Args, "@"); ok {
		var err error
		if text, err = c.read(name); err != nil {
			return nil, err
		}
	}
	args, ok := verbatim(text)
	if !ok {
		return nil, wrong(errors.New("--args: want a JSON object, or @FILE with one"))
	}
	return args, wrong(vendorargs.Check(methods[i], args))
}

// verbatim reads a JSON object, its numbers as they are written, as the API does: to a schema, 1.0 may be no integer.
func verbatim(text []byte) (args map[string]any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&args) != nil || args == nil {
		return nil, false
	}
	_, err := decoder.Token()
	return args, errors.Is(err, io.EOF)
}

// A listedMethod is a vendor method for scripts.
type listedMethod struct {
	Name        string          `json:"name"`
	HTTPMethods []string        `json:"http_methods"`
	Async       bool            `json:"async"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema,omitempty"`
}

func listedMethods(methods []driver.VendorMethod) answer {
	a := answer{head: []string{"METHOD", "HTTP", "DESCRIPTION"}}
	list := []listedMethod{}
	for _, m := range methods {
		list = append(list, listedMethod{m.Name, m.HTTPMethods, m.Async, m.Description, json.RawMessage(m.Schema)})
		a.names = append(a.names, m.Name)
		a.rows = append(a.rows, []string{m.Name, strings.Join(m.HTTPMethods, ", "), m.Description})
	}
	a.value = list
	return a
}
