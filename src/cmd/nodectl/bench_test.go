package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/redfish"
)

// BenchmarkStatusOf500 is the command as a whole, in a process of its own: a file of nodes is read, 500 servers are asked, what
// the drivers remember is written. The drivers' own benchmarks have their share of it. Memory is nodectl's alone.
func BenchmarkStatusOf500(b *testing.B) {
	const servers, mostMiB = 500, 100
	var byIPMI, byRedfish []string
	var ca string
	for range servers {
		byIPMI = append(byIPMI, ipmiEntry(startIPMI(b, ipmi.Config{})))
		server := startTLS(b, redfish.New(redfish.Config{Username: "admin", Password: bmcPassword}))
		if ca == "" {
			ca = authority(b, server) // each of them has the same certificate
		}
		byRedfish = append(byRedfish, redfishEntry(server.URL, ca))
	}
	for _, fleet := range []struct {
		name    string
		entries []string
	}{{"ipmi", byIPMI}, {"redfish", byRedfish}, {"both", slices.Concat(byIPMI[:servers/2], byRedfish[:servers/2])}} {
		b.Run(fleet.name, func(b *testing.B) {
			list, peak := nodesFileOf(b, fleet.entries...), filepath.Join(b.TempDir(), "peak")
			b.Setenv("NODECTL_STATE", filepath.Join(b.TempDir(), "hardware.json"))
			most := 0
			for b.Loop() {
				cmd := program(b.Context(), "power", "status", "--all", "--inventory", list)
				cmd.Env = append(cmd.Env, peakFile+"="+peak)
				cmd.Stderr = io.Discard
				out, err := cmd.Output()
				if answered := strings.Count(string(out), "power off"); err != nil || answered != servers {
					b.Fatalf("%v; %d of %d answered: %.500s", err, answered, servers, out)
				}
				text, err := os.ReadFile(peak)
				if err != nil {
					b.Fatal(err)
				}
				kib, _ := strconv.Atoi(string(text))
				most = max(most, kib/1024)
			}
			b.ReportMetric(float64(most), "peak-MiB")
			if most > mostMiB {
				b.Errorf("%d MiB; want %d at most", most, mostMiB)
			}
		})
	}
}
