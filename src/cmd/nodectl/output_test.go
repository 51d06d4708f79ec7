package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func TestForms(t *testing.T) {
	newFake(t, rack()[0])
	want := "UUID                                  NAME  INSTANCE_UUID  POWER      PROVISION_STATE  MAINTENANCE  RESOURCE_CLASS  DRIVER\n" +
		"00000000-0000-4000-8000-000000000001  a     -              power off  available        no           small           ipmi\n"
	if got := tell(t, "", "node", "list").want(t, exitDone).out; got != want {
		t.Errorf("table (-got +want):\n%s", cmp.Diff(got, want))
	}
	asJSON := tell(t, "", "node", "list", "-o", "json").want(t, exitDone).out
	asYAML := tell(t, "", "node", "list", "-o", "yaml").want(t, exitDone).out
	var fromJSON, fromYAML []map[string]any
	if err := json.Unmarshal([]byte(asJSON), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(asYAML), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if fromJSON[0]["resource_class"] != "small" || fromYAML[0]["resource_class"] != "small" {
		t.Errorf("JSON %v, YAML %v; want Ironic's keys in both", fromJSON, fromYAML)
	}
	if !strings.Contains(asYAML, "memory_mb: 1048576\n") {
		t.Errorf("numbers are not as they came:\n%s", asYAML)
	}
	tell(t, "", "node", "list", "-o", "xml").want(t, exitWrong, "must be one of")
}

func TestYAMLKeepsTypes(t *testing.T) {
	var b bytes.Buffer
	if err := printYAML(&b, map[string]any{"text": "5", "yes": "true", "number": 5, "none": nil, "mac": "52:54:00:00:00:01", "lines": "a\nb", "empty": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	want := `empty: {}
lines: |-
  a
  b
mac: "52:54:00:00:00:01"
none: null
number: 5
text: "5"
"yes": "true"
`
	if got := b.String(); got != want {
		t.Errorf("printYAML (-got +want):\n%s", cmp.Diff(got, want))
	}
}

func TestDrivers(t *testing.T) {
	newFake(t)
	tell(t, "", "driver", "list").want(t, exitDone).shows(t, "ipmi     dynamic  one, two\nredfish")
	tell(t, "", "driver", "show", "ipmi").want(t, exitDone).
		shows(t, "default_power_interface", "driver_info/ipmi_address   IP address")
	tell(t, "", "driver", "show", "ipmi", "-o", "json").want(t, exitDone).shows(t, `"ipmi_password": "password. Optional."`)
	tell(t, "", "driver", "show", "abacus").want(t, exitNotFound, "show driver abacus: not found: Driver abacus could not be found.")
}

func TestCredentials(t *testing.T) {
	fake := newFake(t, rack()...)
	password := file(t, "password", "hunter2\n")
	tell(t, "", "node", "list", "--username", "admin", "--password-file", password).want(t, exitDone)
	name, given, ok := (&http.Request{Header: fake.header}).BasicAuth()
	if !ok || name != "admin" || given != "hunter2" {
		t.Errorf("http_basic was %s:%s, %v", name, given, ok)
	}
	t.Setenv("MY_TOKEN", "abc")
	for _, command := range [][]string{{"node", "list"}, {"driver", "list"}} {
		tell(t, "", append(command, "--token-env", "MY_TOKEN")...).want(t, exitDone)
		if got := http.Header(fake.header).Get("X-Auth-Token"); got != "abc" {
			t.Errorf("%v: token = %q; want abc", command, got)
		}
	}
	tell(t, "", "node", "list", "--username", "admin").want(t, exitWrong, "IRONIC_PASSWORD")
	tell(t, "", "node", "list", "--password-file", password).want(t, exitWrong, "needs --username")
	tell(t, "", "node", "list", "--token-env", "NO_TOKEN").want(t, exitWrong, "is empty")
	tell(t, "", "node", "list", "--url", "http://admin:hunter2@host").want(t, exitWrong, "holds a user name")
	tell(t, "", "node", "list", "--ca", file(t, "ca", "x")).want(t, exitWrong, "holds no certificate")
}

func TestServiceThatRefusesOrIsSilent(t *testing.T) {
	newFake(t)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-OpenStack-Ironic-API-Maximum-Version", "1.82")
		respond(w, http.StatusUnauthorized, map[string]any{"error": map[string]any{"message": "Incorrect username or password"}})
	}))
	defer refusing.Close()
	for _, command := range [][]string{{"node", "list"}, {"driver", "list"}} {
		tell(t, "", append(command, "--url", refusing.URL)...).want(t, exitRefused, "credentials refused: Incorrect username", "hint: check --username")
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, command := range [][]string{{"node", "list"}, {"driver", "list"}} {
		tell(t, "", append(command, "--url", gone.URL, "--retry-for", "0s")...).want(t, exitSilent, "does not answer", "hint: check --url")
	}
	t.Setenv("IRONIC_URL", "")
	tell(t, "", "node", "list").want(t, exitWrong, "Give --url")
}

// A server that has given up the versions of 2018 is asked in its oldest.
func TestDriversOfANewerService(t *testing.T) {
	newFake(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerMinimum, "1.60")
		if r.Header.Get(headerVersion) != "1.60" {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		answerWith(`{"drivers": [{"name": "ours"}]}`)(w, r)
	}))
	defer server.Close()
	tell(t, "", "driver", "list", "-o", "name", "--url", server.URL+"/v1/").want(t, exitDone).shows(t, "ours\n")
}

func TestInterrupted(t *testing.T) {
	newFake(t, rack()...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, messages bytes.Buffer
	if status := nodectl(ctx, []string{"node", "list"}, nil, &out, &messages); status != exitInterrupted {
		t.Errorf("status = %d; want %d: %s", status, exitInterrupted, messages.String())
	}
}

func TestHelpAndVersion(t *testing.T) {
	tell(t, "", "--help").want(t, exitDone).shows(t, "node provision", "claims", "--url")
	tell(t, "", "node", "set", "--help").want(t, exitDone).shows(t, "Examples:", "traits=CUSTOM_SSD")
	tell(t, "", "--version").want(t, exitDone).shows(t, version)
	tell(t, "").want(t, exitWrong, "hint: nodectl --help")
	tell(t, "", "node", "shows", "x").want(t, exitWrong, `did you mean "show"?`, "hint: nodectl node --help")
}
