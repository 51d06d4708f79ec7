package conductor_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
)

// However a node is printed or logged, its driver_info stays hidden.
func TestNodesPrintNoSecrets(t *testing.T) {
	info := map[string]any{"ipmi_password": "hunter2"}
	kept := conductor.Node{UUID: "u1", Name: "n1", Details: conductor.Details{
		DriverInfo: conductor.NewObject(info), Agent: &conductor.Agent{Token: "hunter2"},
	}}
	given := driver.Node{UUID: "u1", Name: "n1", Info: info}
	for _, n := range []any{kept, &kept, given, &given} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			// []byte prints as numbers as well, so the label is all that may be there.
			if got := fmt.Sprintf(verb, n); got != "n1 (u1)" {
				t.Errorf("%s prints %q", verb, got)
			}
		}
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "node", n)
		}
		if text := out.String(); strings.Contains(text, "hunter2") || strings.Count(text, "n1 (u1)") != 2 {
			t.Errorf("logged: %s", text)
		}
	}
}
