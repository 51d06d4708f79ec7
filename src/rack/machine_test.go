//go:build integration

package rack_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/rack"
	"bosh-ironic-cpi/src/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newMachine is a machine with a disk, and the address of a CD for it.
func newMachine(t *testing.T) (m *rack.Machine, cd string) {
	t.Helper()
	qemu := program(t, "qemu-system-x86_64", "qemu-system-x86")
	disk, iso := bootImages(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, iso) }))
	t.Cleanup(web.Close)
	m = rack.New(rack.Config{Dir: t.TempDir(), Disk: disk, Program: qemu})
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return m, web.URL + "/cd.iso"
}

// says waits until the machine has written a text to its serial port.
func says(t *testing.T, m *rack.Machine, text string) {
	t.Helper()
	err := wait.Until(t.Context(), wait.Pace{Every: 50 * time.Millisecond, Limit: time.Minute}, "the machine to say "+text,
		func(context.Context) (bool, string, error) {
			return strings.Contains(m.Serial(), text), m.Serial(), nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMachine(t *testing.T) {
	m, cd := newMachine(t)
	if m.PoweredOn() {
		t.Error("a new machine runs")
	}
	if err := m.Start(rack.Boot{}); err != nil {
		t.Fatal(err)
	}
	says(t, m, "the disk is booted")
	if err := m.SetMedia("cdrom", cd); err != nil {
		t.Fatal(err)
	}
	if err := m.Restart(rack.Boot{Device: "cdrom"}); err != nil {
		t.Fatal(err)
	}
	says(t, m, "the CD is booted")
	if err := m.Stop(true); err != nil || !m.PoweredOn() {
		t.Errorf("the button: %v; a guest without an operating system does not follow it", err)
	}
	if err := m.SetMedia("cdrom", ""); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(false); err != nil || m.PoweredOn() {
		t.Errorf("off: %v", err)
	}
	if err := m.Start(rack.Boot{Device: "cdrom"}); err != nil {
		t.Fatal(err)
	}
	says(t, m, "the disk is booted") // what a BIOS falls back to
	for _, wrong := range []string{"http://127.0.0.1:9/x", "://"} {
		if err := m.SetMedia("cdrom", wrong); err == nil {
			t.Errorf("%s is inserted", wrong)
		}
	}
	if err := m.SetMedia("gramophone", cd); err == nil {
		t.Error("there is a gramophone")
	}
}
