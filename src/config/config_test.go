package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/secret"
)

type server struct {
	URL      string        `json:"url" required:"true" help:"where it is | where not"`
	Mode     string        `json:"mode" oneof:"plain|tls" default:"tls"`
	Password secret.Text   `json:"password"`
	CA       string        `json:"ca" file:"true"`
	Timeout  time.Duration `json:"timeout" default:"90s"`
	Ports    []int         `json:"ports" default:"[80, 443]" min:"1"`
	Verify   bool          `json:"verify" default:"true"`
}

type whole struct {
	Server  server            `json:"server"`
	Mirror  *server           `json:"mirror"`
	NTP     []string          `json:"ntp"`
	Labels  map[string]string `json:"labels"`
	Options map[string]any    `json:"options"`
	Raw     json.RawMessage   `json:"raw"`
	Steps   []step            `json:"steps"`
	Share   float64           `json:"share"`
	Size    int64             `json:"size_mb"`
	Modes   []string          `json:"modes" oneof:"bios|uefi"`
	Pause   time.Duration     `json:"pause" min:"1s"`
	Own     own               `json:"own"`
}

// own reads itself.
type own string

func (o *own) UnmarshalJSON(raw []byte) error {
	if string(raw) == "5" {
		return errors.New("five is too much")
	}
	*o = own("own " + string(raw))
	return nil
}

type step struct {
	Name string         `json:"name" required:"true"`
	Args map[string]any `json:"args"`
}

func TestDecodeFillsTheStruct(t *testing.T) {
	var got whole
	_, err := config.Decoder{}.Decode([]byte(`{
		"server": {"url": "https://a%b'c", "password": "p%ss'word", "timeout": "1h30m", "verify": false},
		"ntp": ["a", "b"], "labels": {"x": "y"}, "options": {"port": 443, "ssl": true, "ratio": 1.50},
		"raw": {"any": [1, null]}, "steps": [{"name": "erase", "args": {"n": 1}}], "share": 0.5,
		"size_mb": 4.096e3, "modes": ["uefi"], "mirror": null, "pause": "1s", "own": [1.50]}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := whole{
		Server: server{
			URL: "https://a%b'c", Mode: "tls", Password: secret.New("p%ss'word"), Timeout: 90 * time.Minute,
			Ports: []int{80, 443},
		},
		NTP: []string{"a", "b"}, Labels: map[string]string{"x": "y"},
		Options: map[string]any{"port": json.Number("443"), "ssl": true, "ratio": json.Number("1.50")},
		Raw:     json.RawMessage(`{"any":[1,null]}`),
		Steps:   []step{{Name: "erase", Args: map[string]any{"n": json.Number("1")}}},
		Share:   0.5, Size: 4096, Modes: []string{"uefi"},
		Pause: time.Second, Own: "own [1.50]",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.Text{})); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

func TestDecodeNamesEveryFault(t *testing.T) {
	const url = `"server": {"url": "x"}`
	tests := []struct {
		name, input string
		want        string // the whole error
	}{
		{"nothing", ``, "server.url: required, but missing"},
		{"null", `null`, "server.url: required, but missing"},
		{"empty text", `{"server": {"url": ""}}`, "server.url: must not be empty"},
		{"list for object", `[]`, "want an object, got a list"},
		{"text for object", `{"server": "x"}`, "server: want an object, got a string"},
		{"element", `{` + url + `, "ntp": ["a", 5]}`, "ntp[1]: want a string, got a number"},
		{"null element", `{` + url + `, "ntp": [null]}`, "ntp[0]: must not be null"},
		{"list wanted", `{` + url + `, "ntp": "a"}`, "ntp: want a list, got a string"},
		{"map value", `{` + url + `, "labels": {"a": true}}`, "labels.a: want a string, got true or false"},
		{"bool", `{"server": {"url": "x", "verify": "true"}}`, "server.verify: want true or false, got a string"},
		{"duration number", `{"server": {"url": "x", "timeout": 90}}`, `server.timeout: want a duration such as "90s", got a number`},
		{"duration text", `{"server": {"url": "x", "timeout": "90"}}`, `server.timeout: want a duration such as "90s" or "1h30m"`},
		{"duration below zero", `{"server": {"url": "x", "timeout": "-1s"}}`, "server.timeout: want at least 0s"},
		{"duration too short", `{` + url + `, "pause": "10ms"}`, "pause: want at least 1s"},
		{"own type", `{` + url + `, "own": 5}`, "own: five is too much"},
		{"oneof", `{"server": {"url": "x", "mode": "ssl"}}`, `server.mode: want plain or tls, got "ssl"`},
		{"oneof in list", `{` + url + `, "modes": ["bios", "efi"]}`, `modes[1]: want bios or uefi, got "efi"`},
		{"text for number", `{` + url + `, "size_mb": "5"}`, "size_mb: want a number, got a string"},
		{"fraction", `{` + url + `, "size_mb": 1.5}`, "size_mb: want a whole number"},
		{"huge", `{` + url + `, "size_mb": 1e40}`, "size_mb: want a whole number"},
		{"huge float", `{` + url + `, "share": 1e999}`, "share: number out of range"},
		{"too small", `{"server": {"url": "x", "ports": [0]}}`, "server.ports[0]: want at least 1"},
		{"unknown", `{"server": {"url": "x", "pasword": "hunter2"}}`, `server.pasword: unknown key, did you mean "password"?`},
		{"case counts", `{"server": {"URL": "x", "url": "x"}}`, `server.URL: unknown key, did you mean "url"?`},
		{"unknown, far", `{` + url + `, "zzz": 1}`, "zzz: unknown key"},
		{"in list of objects", `{` + url + `, "steps": [{"name": "a"}, {}]}`, "steps[1].name: required, but missing"},
		{"optional group", `{` + url + `, "mirror": {}}`, "mirror.url: required, but missing"},
		{"file with more", `{"server": {"url": "x", "password": {"file": "/x", "y": 1}}}`, `server.password: want a string or {"file": "/path"}`},
		{"no file here", `{"server": {"url": {"file": "/x"}}}`, "server.url: want a string, got an object"},
		{
			"missing file", `{"server": {"url": "x", "password": {"file": "/nowhere/at/all"}}}`,
			"server.password: open /nowhere/at/all: no such file or directory",
		},
		{
			"several", `{"server": {"mode": "x"}, "ntp": {}, "q": 1}`,
			`server.url: required, but missing; server.mode: want plain or tls, got "x"; ntp: want a list, got an object; q: unknown key`,
		},
		{"broken", "{\n  \"server\": {,\n}", `not JSON: invalid character ',' looking for beginning of object key string (line 2, column 14)`},
		{"cut", `{"server": {`, "not JSON: unexpected EOF"},
		{"trailing", `{` + url + `} {}`, "not JSON: something follows the document (line 1, column 26)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Decoder{}.Decode([]byte(tt.input), new(whole))
			if err == nil || err.Error() != tt.want {
				t.Errorf("Decode(%s)\n got %v\nwant %s", tt.input, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error holds a value")
			}
		})
	}
}

func TestLenientWarns(t *testing.T) {
	var got whole
	unknown, err := config.Decoder{Lenient: true, Path: "cloud_properties"}.Decode(
		[]byte(`{"server": {"url": "x", "modus": "y"}, "instance_type": "bm.large"}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Fault{
		{Path: "cloud_properties.server.modus", Problem: `unknown key, did you mean "mode"?`},
		{Path: "cloud_properties.instance_type", Problem: "unknown key"},
	}
	if diff := cmp.Diff(want, unknown); diff != "" {
		t.Errorf("unknown keys (-want +got):\n%s", diff)
	}
	if _, err := (config.Decoder{Lenient: true}).Decode([]byte(`{"server": {"url": 1}}`), &got); err == nil {
		t.Error("a lenient decoder takes a number for a string")
	}
}

func TestPartialNeedsNothing(t *testing.T) {
	d := config.Decoder{Partial: true, NoFiles: true, Path: "context"}
	if _, err := d.Decode([]byte(`{"server": {"mode": "plain"}}`), new(whole)); err != nil {
		t.Error(err)
	}
	for input, want := range map[string]string{
		`{"server": {"url": 5}}`:                              "context.server.url: want a string, got a number",
		`{"server": {"password": {"file": "/etc/hostname"}}}`: "context.server.password: a file can be named in the configuration file only",
		`[]`: "context: want an object, got a list",
	} {
		if _, err := d.Decode([]byte(input), new(whole)); err == nil || err.Error() != want {
			t.Errorf("Decode(%s) = %v; want %s", input, err, want)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("two\nlines\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got whole
	_, err := config.Decoder{}.Decode([]byte(`{"server": {"url": "x", "password": {"file": "`+file+`"}, "ca": {"file": "`+file+`"}},
		"mirror": {"url": "y", "password": "other"}}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Server.Password.Reveal(); p != "two\nlines" || got.Server.CA != p {
		t.Errorf("password %q, ca %q; want both lines without the last break", p, got.Server.CA)
	}
	if diff := cmp.Diff([]string{"two\nlines", "other"}, config.Secrets(&got)); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
}

func TestMerge(t *testing.T) {
	tests := []struct{ name, base, overlay, want string }{
		{"deep", `{"a": {"b": 1, "c": 2}, "d": 3}`, `{"a": {"c": 4}}`, `{"a":{"b":1,"c":4},"d":3}`},
		{"list as a whole (B20)", `{"a": ["x", "y"]}`, `{"a": ["z"]}`, `{"a":["z"]}`},
		{"null removes", `{"a": {"b": 1, "c": 2}}`, `{"a": {"b": null}}`, `{"a":{"c":2}}`},
		{"text over file", `{"p": {"file": "/x"}}`, `{"p": "y"}`, `{"p":"y"}`},
		{"object over text", `{"p": "y"}`, `{"p": {"q": null, "r": 1}}`, `{"p":{"r":1}}`},
		{"numbers as written", `{"a": 1.50}`, `{"b": 12345678901234567890}`, `{"a":1.50,"b":12345678901234567890}`},
		{"nothing", ``, ``, `{}`},
		{"no base", ``, `{"a": 1}`, `{"a":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := config.Merge(json.RawMessage(tt.base), json.RawMessage(tt.overlay))
			if err != nil || string(got) != tt.want {
				t.Errorf("Merge = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if _, err := config.Merge(json.RawMessage(`[]`), nil); err == nil {
		t.Error("Merge takes a list for a configuration")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"macs", "ironic_params", "ironic_properties", "resource_class", "traits", "memory_mb", "url"}
	for word, want := range map[string]string{
		"mac": "macs", "MACS": "macs", "ironic-params": "ironic_params", "ironic_propertis": "ironic_properties",
		"memory": "memory_mb", "trait": "traits", "triats": "traits", "instance_type": "", "uri": "url", "": "", "x": "",
		"resourceClass": "resource_class", "vm_resources": "",
	} {
		if got := config.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q; want %q", word, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	if diff := cmp.Diff([]string{"name", "args"}, config.Keys(step{})); diff != "" {
		t.Errorf("Keys (-want +got):\n%s", diff)
	}
}

func TestReference(t *testing.T) {
	got := config.Reference(whole{})
	for _, line := range []string{
		"| `server.url` | text | **required** | where it is \\| where not |",
		"| `server.mode` | `plain` `tls` | `tls` |  |",
		"| `server.password` | secret, or file |  |  |",
		"| `server.timeout` | duration | `90s` |  |",
		"| `server.ports` | list of number | `[80, 443]` |  |",
		"| `mirror.ca` | text, or file |  |  |",
		"| `steps[].name` | text | **required** |  |",
		"| `modes` | list of `bios` `uefi` |  |  |",
		"| `options` | object |  |  |",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("Reference lacks %s in\n%s", line, got)
		}
	}
}

// What was merged from two halves decodes as the whole does, wherever it is cut.
func TestMergeOfHalvesIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.StringMatching(`[a-c]{1,2}`), rapid.MapOf(rapid.StringMatching(`[a-c]`), rapid.Int())).Draw(t, "whole")
		left, right := map[string]map[string]int{}, map[string]map[string]int{}
		for group, keys := range m {
			left[group], right[group] = map[string]int{}, map[string]int{}
			for key, value := range keys {
				if rapid.Bool().Draw(t, "left") {
					left[group][key] = value
				} else {
					right[group][key] = value
				}
			}
		}
		merged, err := config.Merge(marshal(t, left), marshal(t, right))
		if err != nil {
			t.Fatal(err)
		}
		if want := string(marshal(t, m)); string(merged) != want {
			t.Errorf("Merge = %s; want %s", merged, want)
		}
	})
}

func marshal(t *rapid.T, v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Whatever the text is: no panic, and strict decoding refuses what lenient decoding warns of.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"server":{"url":"x"}}`, `{"server":{"url":1,"password":{"file":""}},"q":[]}`, `[`, `{"steps":[{"args":{"a":[null]}}]}`,
		`{"size_mb":-9223372036854775809}`, `{"size_mb":1e-400}`, `{"raw":"\ud800"}`, `{"labels":{"":""}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, strictErr := config.Decoder{NoFiles: true}.Decode(raw, new(whole))
		unknown, lenientErr := config.Decoder{NoFiles: true, Lenient: true}.Decode(raw, new(whole))
		if strictErr == nil && (lenientErr != nil || len(unknown) > 0) {
			t.Errorf("strict: fine, lenient: %v %v", lenientErr, unknown)
		}
		if strictErr != nil && lenientErr == nil && len(unknown) == 0 {
			t.Errorf("lenient lets pass what strict refuses: %v", strictErr)
		}
		if merged, err := config.Merge(raw, nil); err == nil {
			if _, err := (config.Decoder{NoFiles: true}).Decode(merged, new(whole)); (err == nil) != (strictErr == nil) {
				t.Errorf("merged with nothing: %v; alone: %v", err, strictErr)
			}
		}
	})
}
