package driver_test

import (
	"encoding/json"
	"errors"
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
		{json.Number("007"), "007"},
		{"", "otherwise"},
		{nil, "otherwise"},
		{[]any{"x"}, "otherwise"},
	}
	for _, tt := range tests {
		n := driver.Node{Info: map[string]any{"key": tt.value}}
		if got := n.Text("key", "otherwise"); got != tt.want {
			t.Errorf("Text of %#v = %q; want %q", tt.value, got, tt.want)
		}
	}
	if got := (&driver.Node{}).Text("key", "otherwise"); got != "otherwise" {
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
		got, err := n.Port("a_port", 9)
		wrong, named := errors.AsType[*driver.ParameterError](err)
		switch {
		case tt.wrong == "" && (err != nil || got != tt.want):
			t.Errorf("Port of %#v = %d, %v; want %d", tt.value, got, err, tt.want)
		case tt.wrong != "" && (!named || wrong.Key != "a_port" || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("Port of %#v = %d, %v; want a ParameterError with %q", tt.value, got, err, tt.wrong)
		}
	}
	if got, err := (&driver.Node{}).Port("a_port", 9); got != 9 || err != nil {
		t.Errorf("Port of nothing = %d, %v; want the default", got, err)
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
		got, err := n.Seconds("a_delay", time.Hour, time.Minute)
		wrong, named := errors.AsType[*driver.ParameterError](err)
		switch {
		case tt.wrong == "" && (err != nil || got != tt.want):
			t.Errorf("Seconds of %#v = %s, %v; want %s", tt.value, got, err, tt.want)
		case tt.wrong != "" && (!named || wrong.Key != "a_delay" || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("Seconds of %#v = %s, %v; want a ParameterError with %q", tt.value, got, err, tt.wrong)
		}
	}
}
