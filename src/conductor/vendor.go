package conductor

import (
	"context"
	"slices"

	"bosh-ironic-cpi/src/driver"
)

// A VendorDeployer is a deploy interface with vendor methods of its own: what ramdisks call.
type VendorDeployer interface {
	VendorMethods() []driver.VendorMethod
	// CallVendor carries a method out under the node's lock. The arguments have passed package driver/vendorargs.
	CallVendor(ctx context.Context, t *Task, method string, args map[string]any) (any, error)
}

// VendorMethods are those of the node's hardware, and, where it has none by that name, of its deploy interface.
func (c *Conductor) VendorMethods(n *Node) []driver.VendorMethod {
	methods := c.hardwareMethods(n)
	d, err := c.deployer(n)
	deploys, ok := d.(VendorDeployer)
	if err != nil || !ok {
		return methods
	}
	for _, m := range deploys.VendorMethods() {
		if !named(methods, m.Name) {
			methods = append(methods, m)
		}
	}
	return methods
}

func (c *Conductor) hardwareMethods(n *Node) []driver.VendorMethod {
	if v, ok := c.hardware(n, "vendor").(driver.Vendor); ok {
		return v.VendorMethods()
	}
	return nil
}

func named(methods []driver.VendorMethod, name string) bool {
	return slices.ContainsFunc(methods, func(m driver.VendorMethod) bool { return m.Name == name })
}

// CallVendor calls a vendor method: an asynchronous one goes on in the background, under the lock.
func (c *Conductor) CallVendor(ctx context.Context, ident string, m driver.VendorMethod, args map[string]any) (any, error) {
	if c.cfg.VendorArguments == nil {
		return nil, invalid("Vendor methods are not called here: ask a conductor that stays.")
	}
	if err := c.cfg.VendorArguments(m, args); err != nil {
		return nil, invalid("%s", err.Error())
	}
	if !m.Async {
		var answer any
		err := c.holding(ctx, ident, func(t *Task) (err error) {
			answer, err = t.vendor(ctx, m.Name, args)
			return err
		})
		return answer, err
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	n, err := c.lock(ctx, ident, func(_ Tx, n *Node) error {
		c.hold(n)
		return nil
	})
	if err != nil {
		c.end()
		return nil, err
	}
	c.run(n, func(ctx context.Context, t *Task) {
		_, failure := t.vendor(ctx, m.Name, args)
		t.unlock(ctx, failure)
	})
	return nil, nil
}

// unlock ends work that changes no state.
func (t *Task) unlock(ctx context.Context, failure error) {
	err := t.Save(ctx, func(n *Node) {
		n.Reservation = ""
		if failure != nil {
			n.LastError = failure.Error()
		}
	})
	if err != nil {
		t.drop(ctx, err)
	}
}

// vendor calls a method of whoever has it.
func (t *Task) vendor(ctx context.Context, method string, args map[string]any) (answer any, err error) {
	if named(t.c.hardwareMethods(t.Node), method) {
		v, _ := t.c.hardware(t.Node, "vendor").(driver.Vendor)
		err = t.onHardware(ctx, func(n *driver.Node) error {
			answer, err = v.CallVendor(ctx, n, method, args)
			return err
		})
		return answer, err
	}
	d, err := t.c.deployer(t.Node)
	if err != nil {
		return nil, err
	}
	deploys, _ := d.(VendorDeployer)
	return deploys.CallVendor(ctx, t, method, args)
}
