//go:build integration

package redfish_test

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/bmc/redfish"
)

const (
	user     = "admin"
	password = "hunter2hunter2"
)

// need finds a program of a Debian package. In CI it has to be there.
func need(t *testing.T, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("no %s: apt-get install %s", program, debian)
	}
	if err != nil {
		t.Fatalf("no %s: apt-get install %s", program, debian)
	}
	return path
}

// start serves a BMC by TLS; it returns its address and the file of its certificate.
func start(t *testing.T, model redfish.Model) (b *redfish.BMC, m *redfish.Memory, url, authority string) {
	t.Helper()
	m = &redfish.Memory{}
	b = redfish.New(redfish.Config{Model: model, Machine: m, Username: user, Password: password})
	server := httptest.NewUnstartedServer(b)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return b, m, server.URL, authority
}

// run runs a client that trusts authority. Python's requests takes an environment's authorities before its caller's.
func run(t *testing.T, authority, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "REQUESTS_CA_BUNDLE="+authority, "SSL_CERT_FILE="+authority)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// OpenStack's client, which Ironic uses, takes each model for what it is.
func TestSushy(t *testing.T) {
	need(t, "/usr/bin/python3", "python3")
	if _, err := os.Stat("/usr/lib/python3/dist-packages/sushy"); err != nil {
		need(t, "sushy", "python3-sushy")
	}
	script, err := filepath.Abs("testdata/walk.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range redfish.Models() {
		if model.RIBCL {
			continue
		}
		t.Run(model.Name, func(t *testing.T) {
			t.Parallel()
			b, m, url, authority := start(t, model)
			var options []string
			for option, so := range map[string]bool{
				"mode": model.FullBoot, "once": model.NoContinuous, "skip-nics": model.OEM == "Hp",
				// It knows no actions but the standard's, no media but the manager's, and not that inserting may want flags.
				"skip-media": model.OEM == "Hp" || model.MediaOnSystem || model.NeedsFlags,
			} {
				if so {
					options = append(options, option)
				}
			}
			slices.Sort(options)
			way, sessions := "basic", 0
			if model.NoBasic || model.Vendor == "HPE" {
				way, sessions = "session", 1
			}
			run(t, authority, "/usr/bin/python3", append([]string{script, url, user, password, authority, way}, options...)...)
			if starts := m.Starts(); len(starts) != 2 || starts[0].Device != "pxe" {
				t.Errorf("the machine started from %v; want pxe first", starts)
			}
			if open, ever := b.Sessions(); open != 0 || ever != sessions {
				t.Errorf("%d of %d sessions are open; want 0 of %d", open, ever, sessions)
			}
		})
	}
}

const image = "http://192.0.2.1/boot.iso"

// DMTF's client, with basic authentication and with sessions of its own.
func TestRedfishtool(t *testing.T) {
	tool := need(t, "redfishtool", "redfishtool")
	for name, way := range map[string]string{"plain": "Basic", "idrac9": "Session"} {
		t.Run(name+" "+way, func(t *testing.T) {
			t.Parallel()
			model, _ := redfish.Find(name)
			b, m, url, authority := start(t, model)
			ask := func(want string, args ...string) {
				t.Helper()
				args = append([]string{"-S", "Always", "-A", way, "-u", user, "-p", password, "-r", strings.TrimPrefix(url, "https://")}, args...)
				if got := run(t, authority, tool, args...); !strings.Contains(got, want) {
					t.Errorf("redfishtool %s: %s; want %q in it", strings.Join(args[8:], " "), got, want)
				}
			}
			drives, slot := "/redfish/v1/Managers/"+model.Manager, model.Slots[len(model.Slots)-1].ID
			if model.MediaOnSystem {
				drives = "/redfish/v1/Systems/" + model.System
			}
			drive := drives + "/VirtualMedia/" + slot
			ask(`"Off"`, "Systems", "-1", "-P", "PowerState")
			ask(model.Firmware, "Managers", "-1", "-P", "FirmwareVersion")
			ask("", "raw", "POST", drive+"/Actions/VirtualMedia.InsertMedia", "-d", `{"Image": "`+image+`"}`)
			ask(image, "raw", "GET", drive)
			ask(`"Once"`, "Systems", "-1", "setBootOverride", "Once", "Cd")
			ask("", "Systems", "-1", "reset", "On")
			ask(`"On"`, "Systems", "-1", "-P", "PowerState")
			if starts := m.Starts(); len(starts) != 1 || m.Media("cdrom") != image {
				t.Errorf("the machine started from %v with %q; want once, %s", starts, m.Media("cdrom"), image)
			}
			ask("", "raw", "POST", drive+"/Actions/VirtualMedia.EjectMedia", "-d", `{}`)
			ask("", "Systems", "-1", "reset", "ForceOff")
			if m.PoweredOn() || m.Media("cdrom") != "" {
				t.Errorf("on: %t, the drive holds %q; want off and nothing", m.PoweredOn(), m.Media("cdrom"))
			}
			if open, ever := b.Sessions(); open != 0 || (ever > 0) != (way == "Session") {
				t.Errorf("%d of %d sessions are open", open, ever)
			}
		})
	}
}

// HPE's own client takes the iLOs for iLOs: it crawls them at login, and inserts by their own actions.
func TestIlorest(t *testing.T) {
	tool := need(t, "ilorest", "ilorest")
	for _, name := range []string{"ilo4", "ilo5"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, _ := redfish.Find(name)
			_, m, url, authority := start(t, model)
			cache := t.TempDir()
			ask := func(want string, args ...string) {
				t.Helper()
				args = append([]string{"--nologo", "--cache-dir", cache}, args...)
				if got := run(t, authority, tool, args...); !strings.Contains(got, want) {
					t.Errorf("ilorest %s: %s; want %q in it", strings.Join(args[3:], " "), got, want)
				}
			}
			ask("Done", "login", url, "-u", user, "-p", password, "--https", authority, "--redfish")
			ask("PowerState=Off", "get", "PowerState", "--selector=ComputerSystem.")
			const media = "/redfish/v1/Managers/1/VirtualMedia/2/Actions/Oem/Hp/HpiLOVirtualMedia."
			if name == "ilo4" { // where its command for media compares versions that it does not know
				ask("success", "rawpost", request(t, media+"InsertVirtualMedia", `{"Action": "InsertVirtualMedia", "Image": "`+image+`"}`))
			} else {
				ask("success", "virtualmedia", "2", image)
			}
			ask(image, "virtualmedia")
			ask("success", "reboot", "On")
			if starts := m.Starts(); len(starts) != 1 || m.Media("cdrom") != image || !m.PoweredOn() {
				t.Errorf("the machine started from %v with %q; want once, %s", starts, m.Media("cdrom"), image)
			}
			if name == "ilo4" {
				ask("success", "rawpost", request(t, media+"EjectVirtualMedia", `{"Action": "EjectVirtualMedia"}`))
			} else {
				ask("success", "virtualmedia", "2", "--remove")
			}
			ask("success", "rawpost", request(t, "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", `{"ResetType": "ForceOff"}`))
			if m.PoweredOn() || m.Media("cdrom") != "" {
				t.Errorf("on: %t, the drive holds %q; want off and nothing", m.PoweredOn(), m.Media("cdrom"))
			}
		})
	}
}

// request is a file as ilorest's rawpost reads it.
func request(t *testing.T, path, body string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(file, []byte(`{"path": "`+path+`", "body": `+body+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
