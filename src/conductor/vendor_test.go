package conductor_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
)

// hasMethods is a deploy interface with vendor methods of its own.
type hasMethods struct {
	*script
	called []string
}

func (h *hasMethods) VendorMethods() []driver.VendorMethod {
	method := func(name string, async bool) driver.VendorMethod {
		return driver.VendorMethod{Name: name, HTTPMethods: []string{"POST"}, Async: async, Description: "for a test", Schema: `{"required": ["key"]}`}
	}
	return []driver.VendorMethod{method("pass_deploy_info", true), method("sum", false), method("second_method", false)}
}

func (h *hasMethods) CallVendor(_ context.Context, t *conductor.Task, method string, args map[string]any) (any, error) {
	h.called = append(h.called, method+" "+t.Node.Reservation)
	return args["key"], nil
}

// The table of vendor methods has the hardware's, and the deploy interface's where the hardware has none by that name.
func TestVendorMethodsAreMerged(t *testing.T) {
	r := newRig(t)
	h := &hasMethods{script: &script{}}
	c := r.start("here", h, nil)
	n := conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available}
	r.put(n)
	r.edit(uuidOf(1), func(n *conductor.Node) { n.Details.Interfaces["vendor"] = "fake" })
	methods := map[string]driver.VendorMethod{}
	for _, m := range c.VendorMethods(r.node(uuidOf(1))) {
		if _, twice := methods[m.Name]; twice {
			t.Errorf("%s is there twice", m.Name)
		}
		methods[m.Name] = m
	}
	call := func(name, key string) (any, error) {
		return c.CallVendor(t.Context(), uuidOf(1), methods[name], map[string]any{key: "meow"})
	}
	if answer, err := call("third_method_sync", "bar"); err != nil || answer != true {
		t.Errorf("the hardware's: %v, %v", answer, err)
	}
	if answer, err := call("sum", "key"); err != nil || answer != "meow" {
		t.Errorf("the deploy interface's: %v, %v", answer, err)
	}
	if _, err := call("pass_deploy_info", "key"); err != nil {
		t.Error(err)
	}
	r.idle(c)
	if _, err := call("second_method", "bar"); err != nil {
		t.Errorf("what both have is the hardware's: %v", err)
	}
	if _, err := call("sum", "bar"); !errors.Is(err, baremetal.ErrInvalid) {
		t.Errorf("without its argument: %v", err)
	}
	r.idle(c)
	if want := []string{"sum here", "pass_deploy_info here"}; !slices.Equal(h.called, want) {
		t.Errorf("called %q; want %q, under the lock", h.called, want)
	}
	if n := r.node(uuidOf(1)); n.Reservation != "" || n.LastError != "" {
		t.Errorf("afterwards: locked by %q, last_error %q", n.Reservation, n.LastError)
	}
}
