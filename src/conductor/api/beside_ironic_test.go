//go:build integration

package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/wait"
)

func TestMain(m *testing.M) { os.Exit(backend.Main(m)) }

// Each request goes to OpenStack Ironic and to the conductor; status and JSON of the answers are the same, but for what
// intended says, and that is different.
func TestBesideIronic(t *testing.T) {
	theirs := backend.Start(t).Direct
	ours := start(t, nil).url
	for _, x := range exchanges() {
		if x.settle != "" {
			for _, base := range []string{theirs, ours} {
				if strings.HasPrefix(x.path, "/") {
					allocated(t, base, x.path, x.settle)
				} else {
					settle(t, base, x.path, x.settle)
				}
			}
			continue
		}
		version := x.version
		if version == "" {
			version = "1.82"
		}
		if version == "none" {
			version = ""
		}
		want := look(t, theirs, x, version)
		got := look(t, ours, x, version)
		name := fmt.Sprintf("%s %s %s at %s", x.method, x.path, x.text(), version)
		diff := cmp.Diff(want, got)
		switch {
		case x.intended == "" && diff != "":
			t.Errorf("%s (-Ironic +ours):\n%s", name, diff)
		case x.intended != "" && diff == "":
			t.Errorf("%s is the same as Ironic's; the list says: %s", name, x.intended)
		}
	}
}

// An outcome is what both sides must agree upon.
type outcome struct {
	Status   int
	Location string
	Spoken   string
	Body     any
}

var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// allocated waits until an allocation has been decided upon.
func allocated(t *testing.T, base, path, state string) {
	t.Helper()
	pace := wait.Pace{Every: 20 * time.Millisecond, Limit: time.Minute}
	err := wait.Until(t.Context(), pace, path+" to be "+state, func(context.Context) (bool, string, error) {
		_, a := send(t, base, "GET", path, "1.82", nil)
		return a["state"] == state, fmt.Sprint(a["state"]), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// attributeSet is a set in one of Ironic's texts: in another order each time.
var attributeSet = regexp.MustCompile(`connectivity attributes \([a-z_, ]*\)`)

func look(t *testing.T, base string, x request, version string) outcome {
	t.Helper()
	status, header, text := exchange(t, base, x.method, x.path, version, x.body)
	o := outcome{Status: status, Location: strings.ReplaceAll(header.Get("Location"), base, ""), Spoken: header.Get("X-OpenStack-Ironic-API-Version")}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &o.Body); err != nil {
			o.Body = string(text)
		}
	}
	if m, ok := o.Body.(map[string]any); ok {
		if inner, ok := m["error_message"].(string); ok {
			var v any
			if json.Unmarshal([]byte(inner), &v) == nil {
				m["error_message"] = v
			}
		}
	}
	o.Body = plain(o.Body, base)
	return o
}

// plain replaces what two servers never share: addresses and moments.
func plain(v any, base string) any {
	switch v := v.(type) {
	case string:
		if moment.MatchString(v) {
			return "(a moment)"
		}
		return attributeSet.ReplaceAllString(strings.ReplaceAll(v, base, ""), "connectivity attributes")
	case []any:
		for i := range v {
			v[i] = plain(v[i], base)
		}
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key], base)
		}
		// What a service notes for itself; and its own lock, which Ironic shows in the answer to a PATCH.
		for _, key := range []string{"driver_internal_info", "reservation", "inspection_started_at"} {
			delete(v, key)
		}
	}
	return v
}
