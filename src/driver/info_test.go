package driver_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
)

func TestText(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{"admin", "admin"},
		{float64(1234567890), "1234567890"},
		{12, "12"},
		{float64(12345678), "12345678"}, // JSON's, of a password without quotes; %v makes 1.2345678e+07 of it
		{json.Number("007"), "007"},
		{true, "true"},
		{"", "otherwise"},
		{nil, "otherwise"},
		{[]any{"x"}, "otherwise"},
	}
	for _, tt := range tests {
		n := driver.Node{Info: map[string]any{"key": tt.value}}
		if got := n.Reader().Text("key", "otherwise"); got != tt.want {
			t.Errorf("Text of %#v = %q; want %q", tt.value, got, tt.want)
		}
	}
	if got := (&driver.Node{}).Reader().Text("key", "otherwise"); got != "otherwise" {
		t.Errorf("Text of nothing = %q", got)
	}
}

func TestPort(t *testing.T) {
	tests := []struct {
		value any
		want  int
		wrong string // a part of the error
	}{
		{"1234", 1234, ""},
		{" 7 ", 7, ""},
		{float64(9100), 9100, ""},
		{1, 1, ""},
		{65535, 65535, ""},
		{"abc", 0, `is "abc", which is not a valid integer`},
		{"", 0, "not a valid integer"},
		{12.5, 0, `"12.5"`},
		{nil, 0, "not a valid integer"},
		{[]any{1}, 0, "not a valid integer"},
		{true, 0, "not a valid integer"},
		{0, 0, "must be between 1 and 65535"},
		{"65536", 0, "is 65536"},
		{-1, 0, "out of range"},
		{1e99, 0, "not a valid integer"},
	}
	for _, tt := range tests {
		n := driver.Node{Info: map[string]any{"a_port": tt.value}}
		r := n.Reader()
		got, err := r.Port("a_port", 0), r.Err()
		wrong, named := errors.AsType[*driver.ParameterError](err)
		switch {
		case tt.wrong == "" && (err != nil || got != tt.want):
			t.Errorf("Port of %#v = %d, %v; want %d", tt.value, got, err, tt.want)
		case tt.wrong != "" && (!named || wrong.Key != "a_port" || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("Port of %#v = %d, %v; want a ParameterError with %q", tt.value, got, err, tt.wrong)
		}
	}
	r := (&driver.Node{}).Reader()
	if got := r.Port("a_port", 9); got != 9 || r.Err() != nil {
		t.Errorf("Port of nothing = %d, %v; want the default", got, r.Err())
	}
}

func TestSeconds(t *testing.T) {
	tests := []struct {
		value any
		want  time.Duration
		wrong string
	}{
		{"3", 3 * time.Second, ""},
		{0.25, 250 * time.Millisecond, ""},
		{0, 0, ""},
		{60, time.Minute, ""},
		{"soon", 0, `"soon"`},
		{nil, 0, "no number of seconds"},
		{"NaN", 0, "no number of seconds"},
		{-1, 0, "out of range"},
		{61, 0, "between 0 and 60 seconds"},
		{"Inf", 0, "out of range"},
	}
	for _, tt := range tests {
		n := driver.Node{Info: map[string]any{"a_delay": tt.value}}
		r := n.Reader()
		got, err := r.Seconds("a_delay", 0, 0, time.Minute), r.Err()
		wrong, named := errors.AsType[*driver.ParameterError](err)
		switch {
		case tt.wrong == "" && (err != nil || got != tt.want):
			t.Errorf("Seconds of %#v = %s, %v; want %s", tt.value, got, err, tt.want)
		case tt.wrong != "" && (!named || wrong.Key != "a_delay" || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("Seconds of %#v = %s, %v; want a ParameterError with %q", tt.value, got, err, tt.wrong)
		}
	}
}

func TestSecondsOfNothing(t *testing.T) {
	r := (&driver.Node{}).Reader()
	if got := r.Seconds("a_delay", time.Hour, 0, time.Minute); got != time.Hour || r.Err() != nil {
		t.Errorf("Seconds of nothing = %s, %v; want the default", got, r.Err())
	}
}

func TestBoolean(t *testing.T) {
	for value, want := range map[any]string{
		true: "true", "Yes": "true", "on": "true", 1: "true", "1": "true", false: "false", "no": "false", "Off": "false", 0.0: "false",
		"": "default", nil: "default", "maybe": "wrong", 2: "wrong",
	} {
		for _, otherwise := range []bool{true, false} {
			r := (&driver.Node{Info: map[string]any{"key": value}}).Reader()
			got, err := r.Boolean("key", otherwise), r.Err()
			switch {
			case want == "wrong" && err == nil, want != "wrong" && err != nil,
				want == "default" && got != otherwise, (want == "true" || want == "false") && strconv.FormatBool(got) != want:
				t.Errorf("Boolean of %#v, otherwise %t = %t, %v; want %s", value, otherwise, got, err, want)
			}
		}
	}
}

// All keys are asked for, and the first one that is wrong is told.
func TestFirstWrong(t *testing.T) {
	r := (&driver.Node{Info: map[string]any{"word": "x", "delay": 0.5, "port": "many"}}).Reader()
	if r.Err() != nil {
		t.Error(r.Err())
	}
	r.OneOf("word", "y", "x", "y")
	if delay := r.Seconds("delay", 0, 0, time.Second); delay != time.Second/2 || r.Err() != nil {
		t.Errorf("delay %s, %v", delay, r.Err())
	}
	r.Seconds("delay", 0, time.Second, time.Minute)
	r.OneOf("word", "y", "y", "z")
	r.Required("name")
	r.Port("port", 1)
	if want := `driver_info "delay" is 0.5, which is out of range: it must be between 1 and 60 seconds`; r.Err() == nil || r.Err().Error() != want {
		t.Errorf("%v; want %s", r.Err(), want)
	}
	for _, wrong := range []struct {
		read func(*driver.Reader)
		want string
	}{
		{func(r *driver.Reader) { r.OneOf("word", "y", "y", "z") }, `driver_info "word" is "x": want one of y, z`},
		{func(r *driver.Reader) { r.Required("name") }, `driver_info has no "name"`},
	} {
		r := (&driver.Node{Info: map[string]any{"word": "x"}}).Reader()
		if wrong.read(r); r.Err() == nil || !strings.HasPrefix(r.Err().Error(), wrong.want) {
			t.Errorf("%v; want %s", r.Err(), wrong.want)
		}
	}
}

func TestTrust(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	dir := t.TempDir()
	empty, file := filepath.Join(dir, "empty"), filepath.Join(dir, "authorities", "ca.pem")
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if err := errors.Join(os.Mkdir(empty, 0o700), os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		value any
		want  string // trust: system, anybody, file; else a part of the error
	}{
		{nil, "system"},
		{"", "system"},
		{true, "system"},
		{"Yes", "system"},
		{false, "anybody"},
		{"off", "anybody"},
		{0.0, "anybody"},
		{file, "file"},
		{filepath.Dir(file), "file"},
		{empty, "which holds no certificate in PEM"},
		{filepath.Join(dir, "gone"), "which is not true, false, or a path that can be read: no such file"},
		{"maybe", `is "maybe", which is not true, false`},
	}
	for _, tt := range tests {
		r := (&driver.Node{Info: map[string]any{"a_verify_ca": tt.value}}).Reader()
		got, err := r.Trust("a_verify_ca"), r.Err()
		whom := "system"
		switch {
		case err != nil:
			whom = err.Error()
		case got.Insecure:
			whom = "anybody"
		case strings.TrimSpace(got.CA) == strings.TrimSpace(text):
			whom = "file"
		case got.CA != "":
			whom = got.CA
		}
		if wrong, named := errors.AsType[*driver.ParameterError](err); err != nil && (!named || wrong.Key != "a_verify_ca") || !strings.Contains(whom, tt.want) {
			t.Errorf("Trust of %#v = %s; want %s", tt.value, whom, tt.want)
		}
	}
}
