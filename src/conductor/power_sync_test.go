package conductor_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/all"
)

// A meter is a driver that counts who asks it at once, and keeps them waiting.
type meter struct {
	mu    sync.Mutex
	now   int
	most  int
	asked map[string]int // by UUID
	gate  gate
}

func (m *meter) PowerState(_ context.Context, n *driver.Node) (baremetal.PowerState, error) {
	m.mu.Lock()
	m.asked[n.UUID]++
	m.now++
	m.most = max(m.most, m.now)
	m.mu.Unlock()
	m.gate.deaf()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now--
	return baremetal.PowerOn, nil
}

func (*meter) Switch(context.Context, *driver.Node, baremetal.PowerTarget) error { return nil }

func (*meter) PowerTargets() []baremetal.PowerTarget { return nil }

// metered is a conductor whose hardware is the meter.
func (r *rig) metered(m *meter) *conductor.Conductor {
	r.t.Helper()
	m.asked, m.gate = map[string]int{}, newGate(r.t)
	return r.start("here", &script{}, func(cfg *conductor.Config) {
		cfg.Drivers = all.Table()
		i := slices.IndexFunc(cfg.Drivers.Specs, func(s driver.Spec) bool { return s.Name == "fake" })
		cfg.Drivers.Specs[i].New = func() any { return m }
	})
}

// No more BMCs are asked at once than is allowed, and no node of those that are to be left alone.
func TestSyncPower(t *testing.T) {
	r := newRig(t)
	const abreast, nodes = 3, 12
	m := &meter{}
	c := r.metered(m)
	for i := range nodes {
		r.put(conductor.Node{UUID: uuidOf(i), ProvisionState: baremetal.Active})
	}
	alone := map[string]conductor.Node{
		"maintenance":         {UUID: uuidOf(100), ProvisionState: baremetal.Active, Maintenance: true},
		"locked":              {UUID: uuidOf(101), ProvisionState: baremetal.Active, Reservation: "other"},
		"not yet manageable":  {UUID: uuidOf(102), ProvisionState: baremetal.Enroll},
		"of another group":    {UUID: uuidOf(103), ProvisionState: baremetal.Active, ConductorGroup: "far"},
		"without power state": {UUID: uuidOf(104), ProvisionState: baremetal.Enroll, Maintenance: true},
	}
	for _, n := range alone {
		r.put(n)
	}
	done := make(chan error, 1)
	go func() { done <- c.SyncPower(t.Context(), abreast) }()
	for range abreast {
		m.gate.wait(t)
	}
	select { // nobody else is asked until somebody has answered
	case <-m.gate.reached:
	case <-time.After(100 * time.Millisecond):
	}
	close(m.gate.opened)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if m.most != abreast {
		t.Errorf("%d were asked at once; want %d", m.most, abreast)
	}
	for i := range nodes {
		if n := r.node(uuidOf(i)); m.asked[n.UUID] != 1 || n.PowerState != baremetal.PowerOn {
			t.Errorf("node %d was asked %d times and is %q; want once, and power on", i, m.asked[n.UUID], n.PowerState)
		}
	}
	for why, n := range alone {
		if m.asked[n.UUID] > 0 || r.node(n.UUID).PowerState != "" {
			t.Errorf("a node that is %s was asked", why)
		}
	}
}

// What happens to a node while its BMC is asked wins over the answer.
func TestSyncPowerComesLate(t *testing.T) {
	changes := map[string]func(*conductor.Node){
		"a lock":         func(n *conductor.Node) { n.Reservation = "other" },
		"another change": func(n *conductor.Node) { n.PowerState, n.UpdatedAt = baremetal.PowerOff, n.UpdatedAt+1 },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			m := &meter{}
			c := r.metered(m)
			r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Active, PowerState: baremetal.PowerOff})
			done := make(chan error, 1)
			go func() { done <- c.SyncPower(t.Context(), 1) }()
			m.gate.wait(t)
			r.edit(uuidOf(1), change)
			close(m.gate.opened)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if n := r.node(uuidOf(1)); n.PowerState != baremetal.PowerOff {
				t.Errorf("%s: the power state is %q; want power off", name, n.PowerState)
			}
		})
	}
}

// A node that got into maintenance since the list was made is left alone too.
func TestSyncPowerLooksAgain(t *testing.T) {
	r := newRig(t)
	m := &meter{}
	c := r.metered(m)
	for i := range 2 {
		r.put(conductor.Node{UUID: uuidOf(i), ProvisionState: baremetal.Active})
	}
	done := make(chan error, 1)
	go func() { done <- c.SyncPower(t.Context(), 1) }()
	m.gate.wait(t)
	r.edit(uuidOf(1), func(n *conductor.Node) { n.Maintenance = true })
	close(m.gate.opened)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if m.asked[uuidOf(1)] > 0 {
		t.Error("a node in maintenance was asked")
	}
}
