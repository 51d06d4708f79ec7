package main

import (
	"context"
	"errors"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// power is "power".
type power struct {
	hardwareFlags
	Action  string        `arg:"" enum:"status,on,off,soft-off,reset,soft-reset,cycle" help:"${enum}. Cycle is off, then on."`
	IDs     []string      `arg:"" optional:"" name:"server" help:"Names or UUIDs in the inventory."`
	All     bool          `help:"All servers of the inventory; status alone."`
	Limit   time.Duration `default:"2m" help:"How long to wait until the hardware has followed."`
	Abreast int           `default:"128" help:"How many servers are asked at once."`
}

// Help is the end of the command's help.
func (power) Help() string {
	return "Examples:\n  nodectl power status --driver ipmi --set ipmi_address=10.0.0.3 --set ipmi_username=admin --set ipmi_password=@bmc.password\n" +
		"  nodectl power status --inventory nodes.yaml --all\n  nodectl power cycle rack-3-unit-7 --inventory nodes.yaml"
}

// switches are the targets of each action, one after the other.
var switches = map[string][]baremetal.PowerTarget{
	"on": {baremetal.TargetOn}, "off": {baremetal.TargetOff}, "soft-off": {baremetal.TargetSoftOff},
	"reset": {baremetal.TargetReboot}, "soft-reset": {baremetal.TargetSoftReboot}, "cycle": {baremetal.TargetOff, baremetal.TargetOn},
}

// A powered is what became of one server.
type powered struct {
	Node  string               `json:"node"`
	Power baremetal.PowerState `json:"power_state"`
	Error string               `json:"error,omitempty"`
}

// Run asks or switches.
func (p *power) Run(ctx context.Context, c *console) error {
	if p.All && p.Action != "status" {
		return wrong(errors.New("--all goes with status: name the servers that are to be switched"))
	}
	if p.Abreast < 1 {
		return wrong(errors.New("--abreast: want 1 or more"))
	}
	list, err := p.servers(c, p.IDs, p.All)
	if err != nil {
		return err
	}
	states := make([]baremetal.PowerState, len(list))
	failures := c.abreast(ctx, list, p.Abreast, func(ctx context.Context, i int) (err error) {
		states[i], err = p.one(ctx, c, list[i])
		return list[i].about(err)
	})
	if err := p.remember(list); err != nil {
		return errors.Join(err, errors.Join(failures...))
	}
	if len(list) == 1 && failures[0] != nil {
		return failures[0]
	}
	results := make([]powered, len(list))
	for i, s := range list {
		results[i] = powered{Node: s.name, Power: states[i]}
		if failures[i] != nil {
			results[i].Error = failures[i].Error()
		}
	}
	return errors.Join(c.printPowered(results), someFailed("power "+p.Action, failures))
}

// one does what was asked for with one server. Whatever it is, the server is asked for its power first: that has
// --timeout, and what follows, --limit.
func (p *power) one(ctx context.Context, c *console, s *server) (state baremetal.PowerState, err error) {
	able, err := can[driver.Power](s, "power", "power")
	if err != nil {
		return "", err
	}
	err = c.within(ctx, func(ctx context.Context) error {
		state, err = able.PowerState(ctx, s.Node)
		return err
	})
	if p.Action == "status" || err != nil && !errors.Is(err, driver.ErrOddState) {
		return state, err
	}
	pace := wait.Pace{First: 100 * time.Millisecond, Every: time.Second, Limit: p.Limit}
	for _, target := range switches[p.Action] {
		if state, err = driver.SetPower(ctx, able, s.Node, target, pace); err != nil {
			return state, err
		}
	}
	return state, nil
}

// printPowered shows a line for each server.
func (c *console) printPowered(results []powered) error {
	a := answer{head: []string{"NODE", "POWER", "ERROR"}, value: results}
	for _, r := range results {
		a.names = append(a.names, r.Node)
		a.rows = append(a.rows, []string{r.Node, string(r.Power), r.Error})
	}
	return c.print(a)
}
