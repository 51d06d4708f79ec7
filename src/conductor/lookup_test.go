package conductor_test

import (
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// The token is told once per boot, but for one whose answer a conductor may have taken along when it died.
func TestTokenIsToldOnce(t *testing.T) {
	r := newRig(t)
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.CleanWait})
	lookup := func(c *conductor.Conductor) string {
		t.Helper()
		_, token, err := c.Lookup(t.Context(), uuidOf(1), nil)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	heartbeat := func(c *conductor.Conductor, token string) error {
		return c.Heartbeat(t.Context(), uuidOf(1), "http://127.0.0.1:9", token, "9.4.0")
	}
	first, second := r.start("c1", &script{}, nil), r.start("c2", &script{}, nil)
	lost := lookup(first)
	if lost == "" {
		t.Fatal("the first lookup is told no token")
	}
	for _, c := range []*conductor.Conductor{first, second} {
		if again := lookup(c); again != "" {
			t.Errorf("told a second time, while who told it first is alive")
		}
	}
	// c1 dies and comes back: its answer may have been lost.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	first = r.start("c1", &script{}, nil)
	token := lookup(second)
	if token == "" || token == lost {
		t.Fatalf("after a restart the token is %q; want another one", token)
	}
	if err := heartbeat(first, lost); err == nil {
		t.Error("the token that was lost is taken")
	}
	if err := heartbeat(first, token); err != nil {
		t.Fatal(err)
	}
	// The ramdisk has it: now nobody is told, whoever dies.
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if again := lookup(first); again != "" {
		t.Error("told again to somebody although the ramdisk has called with it")
	}
}
