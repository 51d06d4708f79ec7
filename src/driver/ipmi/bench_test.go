//go:build integration

package ipmi_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

const (
	fleet    = 500
	abreast  = 100
	faster   = 20        // than ipmitool
	mostHeap = 100 << 20 // bytes, of driver and BMCs
)

// BenchmarkPowerStatus500 asks 500 BMCs for their power, 100 abreast, as a conductor does; then, once, ipmitool does, run by
// xargs as often and as many abreast. The BMCs are in this process, so both have the BMCs' half of the work in their time.
func BenchmarkPowerStatus500(b *testing.B) {
	nodes := make([]*driver.Node, fleet)
	for i := range nodes {
		m := start(b, bmc.Config{})
		nodes[i] = node(m)
		nodes[i].Info["ipmi_cipher_suite"] = "17" // as ipmitool is told
	}
	var most uint64
	for b.Loop() {
		status(b, nodes)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse+m.StackInuse)
	}
	ours := b.Elapsed() / time.Duration(b.N)
	theirs := ipmitool(b, nodes)
	b.ReportMetric(float64(most)/(1<<20), "MiB")
	b.ReportMetric(theirs.Seconds(), "ipmitool-s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "times-faster")
	if theirs < faster*ours {
		b.Errorf("%s for %d BMCs, ipmitool %s; want %d times faster", ours, fleet, theirs, faster)
	}
	if most > mostHeap {
		b.Errorf("%d MiB; want at most %d", most>>20, mostHeap>>20)
	}
}

func status(b *testing.B, nodes []*driver.Node) {
	var all sync.WaitGroup
	next := make(chan *driver.Node)
	for range abreast {
		all.Go(func() {
			for n := range next {
				if state, err := (ipmi.Driver{}).PowerState(b.Context(), n); err != nil || state != "power off" {
					b.Errorf("%s, %v", state, err)
				}
			}
		})
	}
	for _, n := range nodes {
		next <- n
	}
	close(next)
	all.Wait()
}

func ipmitool(b *testing.B, nodes []*driver.Node) time.Duration {
	program(b, "ipmitool", "ipmitool")
	var ports bytes.Buffer
	for _, n := range nodes {
		fmt.Fprintln(&ports, n.Info["ipmi_port"])
	}
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	xargs := exec.CommandContext(ctx, "xargs", "-P", fmt.Sprint(abreast), "-I", "PORT",
		"ipmitool", "-I", "lanplus", "-C", "17", "-H", "127.0.0.1", "-p", "PORT", "-U", "admin", "-P", "secret", "power", "status")
	xargs.Stdin = &ports
	began := time.Now()
	out, err := xargs.CombinedOutput()
	took := time.Since(began)
	if answered := strings.Count(string(out), "Chassis Power is off"); err != nil || answered != len(nodes) {
		b.Fatalf("ipmitool: %v, %d answers of %d: %.500s", err, answered, len(nodes), out)
	}
	return took
}
