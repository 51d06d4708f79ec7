package libvirt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	libvirtrpc "github.com/digitalocean/go-libvirt"

	"bosh-ironic-cpi/src/driver"
)

// remembered is the entry of the node's own state with its domain's UUID: a hypervisor with hundreds of domains need not
// show all their definitions each time.
const remembered = "libvirt_domain"

// A domain is a node's, on an open connection.
type domain struct {
	*connection
	libvirtrpc.Domain
}

// find looks for the domain that has the MAC address of one of the node's ports: the one of last time, if it still has
// it, else the first one of all, active or not.
func (c *connection) find(ctx context.Context, n *driver.Node) (*domain, error) {
	ours := map[string]bool{}
	for _, mac := range n.MACs {
		ours[plainMAC(mac)] = true
	}
	if uuid, err := hex.DecodeString(n.State[remembered]); err == nil && len(uuid) == libvirtrpc.UUIDBuflen {
		var d libvirtrpc.Domain
		err := c.call(ctx, func() (err error) {
			d, err = c.rpc.DomainLookupByUUID(libvirtrpc.UUID(uuid))
			return err
		})
		if err == nil {
			var has bool
			if has, err = c.has(ctx, d, ours); has {
				return &domain{c, d}, nil
			}
		}
		if err != nil && !isCode(err, libvirtrpc.ErrNoDomain) {
			return nil, err
		}
	}
	return c.search(ctx, n, ours)
}

func (c *connection) search(ctx context.Context, n *driver.Node, ours map[string]bool) (*domain, error) {
	var all []libvirtrpc.Domain
	err := c.call(ctx, func() (err error) {
		all, _, err = c.rpc.ConnectListAllDomains(1, libvirtrpc.ConnectListDomainsActive|libvirtrpc.ConnectListDomainsInactive)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		has, err := c.has(ctx, d, ours)
		switch {
		case isCode(err, libvirtrpc.ErrNoDomain): // gone since
		case err != nil:
			return nil, err
		case has:
			n.Remember(remembered, hex.EncodeToString(d.UUID[:]))
			return &domain{c, d}, nil
		}
	}
	n.Remember(remembered, "")
	return nil, fmt.Errorf("%w has the MAC address %s: create the domain, or correct the node's port (domains looked at: %d)",
		errNoDomain, strings.Join(n.MACs, " or "), len(all))
}

var errNoDomain = errors.New("no domain")

// has tells whether the domain has one of the MAC addresses.
func (c *connection) has(ctx context.Context, d libvirtrpc.Domain, ours map[string]bool) (bool, error) {
	definition, err := c.xml(ctx, d, 0)
	if err != nil {
		return false, err
	}
	theirs, err := macs(definition)
	if err != nil {
		return false, err
	}
	for _, mac := range theirs {
		if ours[mac] {
			return true, nil
		}
	}
	return false, nil
}

func (c *connection) xml(ctx context.Context, d libvirtrpc.Domain, flags libvirtrpc.DomainXMLFlags) (text string, err error) {
	err = c.call(ctx, func() (err error) {
		text, err = c.rpc.DomainGetXMLDesc(d, flags)
		return err
	})
	return text, err
}

// definition is what the next start will go by, with its passwords: what is defined anew without them has lost them.
func (d *domain) definition(ctx context.Context) (string, error) {
	return d.xml(ctx, d.Domain, libvirtrpc.DomainXMLInactive|libvirtrpc.DomainXMLSecure)
}

func (d *domain) define(ctx context.Context, definition string) error {
	return d.call(ctx, func() error {
		_, err := d.rpc.DomainDefineXML(definition)
		return err
	})
}

func (d *domain) active(ctx context.Context) (bool, error) {
	var active int32
	err := d.call(ctx, func() (err error) {
		active, err = d.rpc.DomainIsActive(d.Domain)
		return err
	})
	return active != 0, err
}

func (d *domain) create(ctx context.Context) error {
	return d.bring(ctx, true, func() error { return d.rpc.DomainCreate(d.Domain) })
}

func (d *domain) destroy(ctx context.Context) error {
	if err := d.outlives(ctx); err != nil {
		return err
	}
	return d.bring(ctx, false, func() error { return d.rpc.DomainDestroy(d.Domain) })
}

func (d *domain) shutdown(ctx context.Context) error {
	if err := d.outlives(ctx); err != nil {
		return err
	}
	return d.bring(ctx, false, func() error { return d.rpc.DomainShutdown(d.Domain) })
}

func (d *domain) reboot(ctx context.Context) error {
	return d.call(ctx, func() error { return d.rpc.DomainReboot(d.Domain, libvirtrpc.DomainRebootDefault) })
}

// bring makes a call that libvirt refuses where its work is done already: somebody else may have been faster.
func (d *domain) bring(ctx context.Context, active bool, f func() error) error {
	err := d.call(ctx, f)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if now, err2 := d.active(ctx); err2 == nil && now == active {
		return nil
	}
	return err
}

// outlives wants a domain that is still there when it is off.
func (d *domain) outlives(ctx context.Context) error {
	var persistent int32
	err := d.call(ctx, func() (err error) {
		persistent, err = d.rpc.DomainIsPersistent(d.Domain)
		return err
	})
	if err == nil && persistent == 0 {
		return fmt.Errorf("domain %s is transient, and would be gone when it is off: make it last with virsh define", d.Name)
	}
	return err
}
