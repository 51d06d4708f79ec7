package conductor_test

import (
	"context"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// Who is long gone and holds nothing is not shown for ever.
func TestRegistrationsOfTheDeadGo(t *testing.T) {
	r := newRig(t)
	const minute, hour = conductor.Time(60e6), conductor.Time(3600e6)
	r.update(func(tx conductor.Tx) error {
		for name, age := range map[string]conductor.Time{"lately": minute, "long-gone": 2 * hour, "holder": 2 * hour} {
			if err := conductor.Put(tx, &conductor.Registration{Hostname: name, Until: conductor.Now() - age}); err != nil {
				return err
			}
		}
		return nil
	})
	// Of another group: nobody here takes it over.
	r.put(conductor.Node{UUID: uuidOf(1), ConductorGroup: "elsewhere", ProvisionState: baremetal.Deploying, Reservation: "holder"})
	c := r.start("c1", &script{}, nil)
	all, err := c.Conductors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.Hostname)
	}
	for _, name := range []string{"lately", "holder", "c1"} {
		if !strings.Contains(strings.Join(names, " "), name) {
			t.Errorf("%s is forgotten", name)
		}
	}
	if len(names) != 3 {
		t.Errorf("known are %v; want three", names)
	}
}

// A fault in a driver or a deploy interface fails its node, and the conductor goes on.
func TestPanicFailsItsNode(t *testing.T) {
	r := newRig(t)
	c := r.start("c1", &script{act: func(context.Context, *conductor.Task, conductor.Step) (conductor.Result, error) {
		panic("index out of range")
	}}, nil)
	for i := range 2 {
		r.put(conductor.Node{UUID: uuidOf(i), ProvisionState: baremetal.Available})
		if err := c.Provision(t.Context(), uuidOf(i), conductor.Request{Verb: baremetal.VerbActive, Word: "active"}); err != nil {
			t.Fatal(err)
		}
		n := r.soon(uuidOf(i), baremetal.DeployFailed)
		if !strings.Contains(n.LastError, "a fault of the conductor") {
			t.Errorf("last_error is %q", n.LastError)
		}
	}
}
