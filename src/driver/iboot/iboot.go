package iboot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "iboot",
	About: "Dataprobe iBoot power strips, by DxP",
	Keys: []driver.Key{
		{Name: "iboot_address", Meaning: "name or IP address of the iBoot", Required: true},
		{Name: "iboot_username", Meaning: "user of the iBoot who may switch the relay, of 21 bytes at most", Required: true},
		{Name: "iboot_password", Meaning: "the user's password, of 21 bytes at most", Required: true, Secret: true},
		{Name: "iboot_relay_id", Meaning: "relay (outlet) that the node hangs on, counted from 1", Default: "1"},
		{Name: "iboot_port", Meaning: "TCP port of DxP", Default: "9100"},
		{Name: "iboot_max_retry", Meaning: "how often a command that failed is tried again", Default: "3"},
		{Name: "iboot_retry_interval", Meaning: "seconds between two tries", Default: "1"},
		{Name: "iboot_reboot_delay", Meaning: "seconds that a reboot leaves the node without power", Default: "5"},
	},
	New: func() any { return hardware{patience: 10 * time.Second} },
}

type hardware struct {
	patience time.Duration // how long a try may take in all
}

var (
	_ driver.Located   = hardware{}
	_ driver.Validator = hardware{}
)

// A relay is what a node hangs on, and how it is reached.
type relay struct {
	client
	id            byte // from 1
	retries       int
	between, dark time.Duration
	node          *driver.Node
}

func (h hardware) relay(n *driver.Node) (relay, error) {
	if err := Spec.Check(n.Info); err != nil {
		return relay{}, err
	}
	r := n.Reader()
	short := func(key string) string {
		text := r.Text(key, "")
		if len(text) > nameSize || text == "" || strings.Contains(text, "\x00") {
			r.Wrong(key, fmt.Sprintf("is no text of 1 to %d bytes, which is what DxP has room for", nameSize))
		}
		return text
	}
	address, port := strings.Trim(r.Text("iboot_address", ""), "[]"), r.Port("iboot_port", 9100)
	const longest = 5 * time.Minute
	return relay{
		client: client{
			address: net.JoinHostPort(address, strconv.Itoa(port)),
			user:    short("iboot_username"), password: secret.New(short("iboot_password")), patience: h.patience,
		},
		id:      byte(r.Integer("iboot_relay_id", 1, 1, 255)), //nolint:gosec // in range
		retries: r.Integer("iboot_max_retry", 3, 0, 100),
		between: r.Seconds("iboot_retry_interval", time.Second, 0, longest),
		dark:    r.Seconds("iboot_reboot_delay", 5*time.Second, 0, longest),
		node:    n,
	}, r.Err()
}

// PowerTargets is what a relay can do.
func (hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot}
}

// Validate implements driver.Validator.
func (h hardware) Validate(n *driver.Node) error {
	_, err := h.relay(n)
	return err
}

// Where implements driver.Located.
func (h hardware) Where(n *driver.Node) string {
	r, _ := h.relay(n)
	return r.where()
}

func (r relay) where() string { return fmt.Sprintf("relay %d of the iBoot at %s", r.id, r.address) }

// PowerState reads the relay; empty: the device tells something that is neither on nor off.
func (h hardware) PowerState(ctx context.Context, n *driver.Node) (baremetal.PowerState, error) {
	r, err := h.relay(n)
	if err != nil {
		return "", err
	}
	var told byte
	err = r.try(ctx, "read", func(ctx context.Context) (err error) {
		told, err = r.read(ctx, r.id)
		return err
	})
	if err != nil {
		return "", err
	}
	return map[byte]baremetal.PowerState{off: baremetal.PowerOff, on: baremetal.PowerOn}[told], nil
}

// Switch changes the relay. A reboot switches it off, and on again after iboot_reboot_delay.
func (h hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	if !slices.Contains(h.PowerTargets(), target) {
		return fmt.Errorf("power target %q on an iBoot: %w", target, driver.ErrUnsupported)
	}
	r, err := h.relay(n)
	if err != nil {
		return err
	}
	switch target {
	case baremetal.TargetOff:
		return r.change(ctx, target, off)
	case baremetal.TargetReboot:
		if err := r.change(ctx, target, off); err != nil {
			return err
		}
		err := wait.Pause(ctx, r.dark)
		if err == nil {
			err = r.change(ctx, target, on)
		}
		if err != nil {
			return fmt.Errorf("reboot node %s, which is off now: %w", n.Label(), err)
		}
		return nil
	}
	return r.change(ctx, target, on)
}

// change switches the relay on the way to a target.
func (r relay) change(ctx context.Context, target baremetal.PowerTarget, state byte) error {
	err := r.try(ctx, map[byte]string{off: "switch off", on: "switch on"}[state], func(ctx context.Context) error {
		return r.client.change(ctx, r.id, state)
	})
	if errors.Is(err, errRefused) {
		return &driver.PowerError{Target: target, Cause: err}
	}
	return err
}

// try does something until it goes well, or has failed once more than there are retries.
func (r relay) try(ctx context.Context, op string, once func(context.Context) error) error {
	var failed error
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := once(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		failed = err
		if attempt > r.retries {
			return r.named(op, failed)
		}
		r.node.Logger().WarnContext(ctx, "an iBoot did not do as it was told; trying again", "addr", r.address, "op", op, "attempt", attempt, "err", err)
		if wait.Pause(ctx, r.between) != nil {
			break
		}
	}
	if failed == nil {
		return r.named(op, ctx.Err())
	}
	return r.named(op, fmt.Errorf("%w (%w)", ctx.Err(), failed))
}

// named says where an error comes from, and what to check.
func (r relay) named(op string, err error) error {
	if tooShort, ok := errors.AsType[*shortError](err); ok {
		return &driver.ParameterError{Key: "iboot_relay_id", Problem: fmt.Sprintf("is %d, and the iBoot at %s of node %s tells of %d relays",
			r.id, r.address, r.node.Label(), tooShort.relays)}
	}
	hint := ""
	switch {
	case errors.Is(err, errRefused):
		hint = ": check that it has this relay, and that iboot_username may switch it"
	case errors.Is(err, driver.ErrAuthentication):
		hint = ": check iboot_username and iboot_password"
	case errors.Is(err, driver.ErrUnreachable):
		hint = ": check iboot_address and iboot_port, and that the iBoot has DxP enabled without AES"
	}
	return fmt.Errorf("%s %s for node %s: %w%s", op, r.where(), r.node.Label(), err, hint)
}
