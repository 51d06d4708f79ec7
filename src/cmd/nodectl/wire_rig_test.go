package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/redfish"
)

const bmcPassword = "hunter2hunter2" // of all BMCs

// A wired is a server on a wire, as flags and as an entry of an inventory.
type wired struct {
	flags []string
	entry string // YAML, without the name
	state string // folder of the state file
}

// do runs a command on the server, and wants its end and texts on standard error. No password is in what it prints or keeps.
func (w *wired) do(t *testing.T, line string, status int, texts ...string) told {
	t.Helper()
	words, flags, _ := strings.Cut(line, " --")
	args := slices.Concat(strings.Fields(words), w.flags)
	if flags != "" {
		args = append(args, strings.Fields("--"+flags)...) // they win
	}
	r := tell(t, "", args...)
	w.secretFree(t, r)
	return r.want(t, status, texts...)
}

func (w *wired) secretFree(t *testing.T, r told) {
	t.Helper()
	kept := r.out + r.err
	err := filepath.WalkDir(w.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // there may be none yet
		}
		text, err := os.ReadFile(path)
		kept += string(text)
		return err
	})
	if err != nil || strings.Contains(kept, bmcPassword) {
		t.Errorf("%v, or the password in\n%s", err, kept)
	}
}

// newWired keeps the state for itself.
func newWired(t *testing.T) *wired {
	t.Helper()
	return &wired{state: filepath.Dir(ownState(t))}
}

// An ipmiWired is one whose BMC speaks IPMI.
type ipmiWired struct {
	*wired
	*ipmi.BMC
	machine *ipmi.Memory
}

func wireIPMI(t *testing.T, cfg ipmi.Config) *ipmiWired {
	t.Helper()
	w := &ipmiWired{wired: newWired(t), machine: &ipmi.Memory{}}
	cfg.Machine, cfg.Password = w.machine, bmcPassword
	w.BMC = startIPMI(t, cfg)
	w.flags = []string{
		"--driver", "ipmi", "--set", "ipmi_address=127.0.0.1", "--set", fmt.Sprintf("ipmi_port=%d", w.Address().Port()),
		"--set", "ipmi_username=admin", "--set", "ipmi_password=@" + file(t, "bmc.password", bmcPassword+"\n"),
	}
	w.entry = ipmiEntry(w.BMC)
	return w
}

func startIPMI(t testing.TB, cfg ipmi.Config) *ipmi.BMC {
	t.Helper()
	cfg.Password = bmcPassword
	b, err := ipmi.Start(context.WithoutCancel(t.Context()), cfg) // until cleaned up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func ipmiEntry(b *ipmi.BMC) string {
	return fmt.Sprintf("driver: ipmi, driver_info: {ipmi_address: 127.0.0.1, ipmi_port: %d, ipmi_username: admin, ipmi_password: %s}",
		b.Address().Port(), bmcPassword)
}

// A redfishWired is one whose BMC speaks Redfish.
type redfishWired struct {
	*wired
	*redfish.BMC
	server  *httptest.Server
	machine *redfish.Memory
	ca      string // file
}

func wireRedfish(t *testing.T) *redfishWired {
	t.Helper()
	w := &redfishWired{wired: newWired(t), machine: &redfish.Memory{}}
	w.BMC = redfish.New(redfish.Config{Machine: w.machine, Username: "admin", Password: bmcPassword})
	w.server = startTLS(t, w.BMC)
	w.ca = authority(t, w.server)
	t.Setenv("BMC_PASSWORD", bmcPassword)
	w.flags = []string{
		"--driver", "redfish", "--set", "redfish_address=" + w.server.URL, "--set", "redfish_username=admin",
		"--set", "redfish_password=env:BMC_PASSWORD", "--set", "redfish_verify_ca=" + w.ca,
	}
	w.entry = redfishEntry(w.server.URL, w.ca)
	return w
}

func redfishEntry(url, ca string) string {
	return fmt.Sprintf("driver: redfish, driver_info: {redfish_address: %q, redfish_username: admin, redfish_password: %s, redfish_verify_ca: %s}",
		url, bmcPassword, ca)
}

func startTLS(t testing.TB, b *redfish.BMC) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(b)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of clients that do not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// authority is a file with the server's certificate.
func authority(t testing.TB, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	var text bytes.Buffer
	err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err == nil {
		err = os.WriteFile(path, text.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// nodesFileOf is a file of servers, named s000 and so on.
func nodesFileOf(t testing.TB, entries ...string) string {
	t.Helper()
	var text strings.Builder
	for i, e := range entries {
		fmt.Fprintf(&text, "- {name: s%03d, %s}\n", i, e)
	}
	path := filepath.Join(t.TempDir(), "nodes.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
