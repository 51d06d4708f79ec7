package amt

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = `P@ss"w\ord1!`

// newBMC is a fake AMT behind a server of its own, and a node that has it. wrap may put faults in between.
func newBMC(t *testing.T, cfg bmc.Config, wrap func(http.Handler) http.Handler) (*bmc.BMC, *driver.Node) {
	t.Helper()
	cfg.Username, cfg.Password = "admin", password
	b := bmc.New(cfg)
	var h http.Handler = b
	if wrap != nil {
		h = wrap(b)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return b, nodeAt(t, server.Listener.Addr().String())
}

// nodeAt is a node whose AMT is at an address, with waits that suit a fake.
func nodeAt(t *testing.T, address string) *driver.Node {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return &driver.Node{UUID: "3f2c", Info: map[string]any{
		"amt_address": host, "amt_port": port, "amt_username": "admin", "amt_password": password,
		"amt_awake_interval": 0, "amt_action_wait": "0.01",
	}}
}

// newHardware is the driver with a prober of the test's.
func newHardware(p prober) *hardware {
	return &hardware{awake: &awake{prober: p}, limit: 5 * time.Second}
}

// A counter is a prober that counts, and answers as it is told.
type counter struct {
	mu  sync.Mutex
	n   int
	err error
}

func (c *counter) probe(context.Context, string, int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.err
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// said fails unless the error's text has all these in it, and not the password.
func said(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("error %q holds the password", err)
	}
}

// reading is the line that the fake keeps of each look at the power state.
const reading = "Get CIM_AssociatedPowerManagementService"

// tally counts the fake's calls that begin so.
func tally(b *bmc.BMC, prefix string) (n int) {
	for _, call := range b.Calls() {
		if strings.HasPrefix(call, prefix) {
			n++
		}
	}
	return n
}

var on, off = baremetal.TargetOn, baremetal.TargetOff
