//go:build integration

package conductor

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
)

// askStates has OpenStack Ironic's own state machine say where each verb leads from each state, and a failure.
const askStates = `
import json, sys
from ironic.common import exception, states
events = {verb: states.VERBS.get(verb, verb) for verb in sys.argv[1:]}
ways = {}
for state in states.machine.states:
    ways[state or "none"] = {}
    for verb, event in list(events.items()) + [("(failure)", "fail")]:
        m = states.machine.copy()
        m.initialize(state)
        if verb != "(failure)" and not m.is_actionable_event(event):
            continue
        try:
            m.process_event(event)
        except exception.InvalidState:
            continue
        ways[state or "none"][verb] = m.current_state
json.dump(ways, sys.stdout)
`

// The table of states and verbs is Ironic's, line by line, and what breaks leads where it leads there.
func TestStatesOfIronic(t *testing.T) {
	var verbs []string
	for _, way := range transitions {
		if !slices.Contains(verbs, string(way.verb)) {
			verbs = append(verbs, string(way.verb))
		}
	}
	var stderr bytes.Buffer
	ask := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"-W", "ignore", "-c", askStates}, verbs...)...)
	ask.Stderr = &stderr
	out, err := ask.Output()
	if err != nil {
		missing := ask.ProcessState == nil || strings.Contains(stderr.String(), "No module named 'ironic'")
		if missing && os.Getenv("CI") != "true" {
			t.Skip("needs Ironic: apt-get install ironic-conductor")
		}
		t.Fatalf("ask Ironic: %v\n%s", err, stderr.String())
	}
	var theirs map[string]map[string]string
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatalf("%v of %s", err, out)
	}
	compared := 0
	for state, ways := range theirs {
		from := baremetal.ProvisionState(state)
		for _, verb := range verbs {
			way, ok := transition(from, baremetal.Verb(verb))
			enters, allowed := ways[verb]
			if Working(from) { // locked all the while: what is allowed there are Ironic's own events of these names
				enters, allowed = "", false
			}
			if ok != allowed || string(way.enters) != enters {
				t.Errorf("%s in state %s leads to %q; in Ironic to %q", verb, state, way.enters, enters)
			}
			compared++
		}
		if fails, known := failsTo[from]; known && string(fails) != ways["(failure)"] {
			t.Errorf("a failure in state %s leads to %q; in Ironic to %q", state, fails, ways["(failure)"])
		}
	}
	if compared < 24*len(verbs) {
		t.Errorf("%d pairs of state and verb were compared", compared)
	}
}
