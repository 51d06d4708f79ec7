package redfish

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
)

// fleet in the environment makes the test binary serve so many BMCs, so that their memory is not measured with ours.
const fleet = "REDFISH_TEST_FLEET"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(fleet)); err == nil {
		serve(n)
		return
	}
	os.Exit(m.Run())
}

// serve prints the BMCs' addresses, and ends with its input.
func serve(n int) {
	model := bmc.Models()[0]
	for range n {
		server := httptest.NewUnstartedServer(bmc.New(bmc.Config{Model: model, Username: user, Password: password}))
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.StartTLS()
		_, _ = fmt.Fprintln(os.Stdout, server.URL)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// launch starts a process with n BMCs and makes nodes of them.
func launch(b *testing.B, n int) []*driver.Node {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fleet+"="+strconv.Itoa(n))
	hold, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = hold.Close()
		_ = cmd.Wait()
	})
	trusted := httptest.NewTLSServer(nil) // each of them has the same certificate
	authority := authority(b, trusted.TLS)
	trusted.Close()
	var nodes []*driver.Node
	for lines := bufio.NewScanner(out); len(nodes) < n && lines.Scan(); {
		nodes = append(nodes, &driver.Node{UUID: fmt.Sprint(len(nodes)), Info: map[string]any{
			"redfish_address": lines.Text(), "redfish_username": user, "redfish_password": password, "redfish_verify_ca": authority,
		}})
	}
	if len(nodes) != n {
		b.Fatalf("%d BMCs; want %d", len(nodes), n)
	}
	return nodes
}

// What a conductor does every minute: the power status of 500 servers side by side, each with a connection of its own. It has
// to stay below 100 MiB.
func BenchmarkPowerStatus500(b *testing.B) {
	nodes := launch(b, 500)
	for _, way := range []string{"basic", "session"} {
		b.Run(way, func(b *testing.B) {
			for _, n := range nodes {
				n.Info["redfish_auth_type"] = way
			}
			askAll(b, nodes) // which is the system is found out once
			forgetPeak(b)
			for b.Loop() {
				askAll(b, nodes)
			}
			peak := peakMiB(b)
			b.ReportMetric(peak, "peak-MiB")
			if peak > 100 {
				b.Errorf("%.0f MiB; want 100 at most", peak)
			}
		})
	}
}

func askAll(b *testing.B, nodes []*driver.Node) {
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			if state, err := Spec.New().(driver.Power).PowerState(b.Context(), n); err != nil || state == "" {
				b.Errorf("%q, %v", state, err)
			}
		})
	}
	all.Wait()
}

// forgetPeak has the kernel measure this process's peak from now on (proc(5), clear_refs).
func forgetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Logf("the peak is that of the whole process: %v", err)
	}
}

// peakMiB is the most memory that this process had.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024
		}
	}
	b.Fatal("no VmHWM in /proc/self/status")
	return 0
}
