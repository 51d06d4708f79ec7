package redfish

import (
	"crypto/tls"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	wire "bosh-ironic-cpi/src/driver/internal/redfish"
	"bosh-ironic-cpi/src/wait"
)

const (
	user     = "admin"
	password = "hunter2hunter2"
)

// A site is a BMC with a machine and the node that is made of them.
type site struct {
	bmc     *bmc.BMC
	machine *bmc.Memory
	server  *httptest.Server
	node    *driver.Node
}

// build makes a BMC of a model, by TLS, and a node that trusts it. change may edit its configuration.
func build(t testing.TB, model bmc.Model, change func(*bmc.Config)) *site {
	t.Helper()
	s := &site{machine: &bmc.Memory{Delay: 5 * time.Millisecond}}
	cfg := bmc.Config{Model: model, Machine: s.machine, Username: user, Password: password}
	if change != nil {
		change(&cfg)
	}
	s.bmc = bmc.New(cfg)
	s.server = httptest.NewUnstartedServer(s.bmc)
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of clients that do not trust it
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	s.node = &driver.Node{UUID: "n1", Name: "rack1-7", Info: map[string]any{
		"redfish_address": s.server.URL, "redfish_username": user, "redfish_password": password,
		"redfish_verify_ca": authority(t, s.server.TLS),
	}}
	return s
}

// authority is the path of the server's certificate.
func authority(t testing.TB, settings *tls.Config) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: settings.Certificates[0].Certificate[0]})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// quick is the driver on hardware that needs no time.
var quick = hardware{wire.Hardware{Access: func(n *driver.Node) (wire.Access, error) {
	a, err := access(n)
	soon := wait.Pace{Every: 2 * time.Millisecond, Limit: 200 * time.Millisecond}
	a.Patience = wire.Patience{Busy: time.Millisecond, POST: soon, Media: soon, Off: soon}
	if a.Timeout == time.Minute {
		a.Timeout = 5 * time.Second
	}
	return a, err
}}}

func find(t testing.TB, name string) bmc.Model {
	t.Helper()
	m, ok := bmc.Find(name)
	if !ok {
		t.Fatalf("no model %s", name)
	}
	return m
}
