package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/redfish"
)

// A bar is drawn on a terminal alone, and messages come above it.
func TestBar(t *testing.T) {
	var shown bytes.Buffer
	c := &console{messages: &screen{w: &shown}}
	b := &bar{console: c, of: 4, shown: true}
	b.step(nil)
	b.step(io.EOF)
	c.note("warning: fans")
	b.step(nil)
	c.messages.show("")
	c.note("done")
	first, second, third := "[##########..............................] 1 of 4", "[####################....................] 2 of 4, 1 failed",
		"[##############################..........] 3 of 4, 1 failed"
	want := wipe + first + wipe + second + wipe + "warning: fans\n" + second + wipe + third + wipe + "done\n"
	if got := shown.String(); got != want {
		t.Errorf("the terminal gets\n%q; want\n%q", got, want)
	}
}

// Who asks for the status of many sees on a terminal how far it is. Interrupted, nodectl prints at once what it has.
func TestStatusOfManyInterrupted(t *testing.T) {
	const each, silent = 10, 5 // BMCs of each kind, and so many of them that do not answer
	newWired(t)
	var entries []string
	for i := range each {
		b := startIPMI(t, ipmi.Config{})
		r := redfish.New(redfish.Config{Username: "admin", Password: bmcPassword})
		server := startTLS(t, r)
		entries = append(entries, ipmiEntry(b), redfishEntry(server.URL, authority(t, server)))
		if i >= each-silent {
			b.Break(ipmi.Fault{Silent: true})
			r.Break(redfish.Faults{Silent: true})
		}
	}
	list := nodesFileOf(t, entries...)
	for abreast, unasked := range map[int]int{2 * each: 0, 2*silent - 3: 3} {
		screen := newTerminal(t)
		cmd := program(t.Context(), "power", "status", "--all", "--inventory", list, "--abreast", strconv.Itoa(abreast), "-o", "json")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, screen.theirs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		screen.await(t, fmt.Sprintf("%s%s] %d of %d", strings.Repeat("#", barWidth/2), strings.Repeat(".", barWidth/2), each, 2*each))
		began := time.Now()
		_ = cmd.Process.Signal(os.Interrupt)
		status := exitStatus(t, cmd.Wait())
		if took := time.Since(began); status != exitInterrupted || took > 2*time.Second {
			t.Errorf("status %d after %s; want %d within 2 s", status, took, exitInterrupted)
		}
		answered, named := strings.Count(out.String(), `"power_state": "power off"`), strings.Count(out.String(), `"node": "s0`)
		if skipped := strings.Count(out.String(), "not asked"); answered != each || named != 2*each || skipped != unasked {
			t.Errorf("%d of %d servers have their state, and %d were not asked; want %d of %d, %d:\n%s",
				answered, named, skipped, each, 2*each, unasked, &out)
		}
		screen.await(t, fmt.Sprintf("power status: %d of %d servers done", each, 2*each))
	}
}
