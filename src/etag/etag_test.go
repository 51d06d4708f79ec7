package etag_test

import (
	"net/http"
	"testing"

	"bosh-ironic-cpi/src/etag"
)

func TestHolds(t *testing.T) {
	tests := []struct {
		match, none, current string
		want                 bool
	}{
		{"", "", `"a"`, true},
		{"", "", "", true},
		{`"a"`, "", `"a"`, true},
		{`"b" , "a"`, "", `"a"`, true},
		{`"b"`, "", `"a"`, false},
		{`W/"a"`, "", `"a"`, false},
		{"*", "", `"a"`, true},
		{"*", "", "", false},
		{`"a"`, "", "", false},
		{"", "*", "", true},
		{"", " * ", `"a"`, false},
		{"", `"a"`, `"a"`, false},
		{"", `"b"`, `"a"`, true},
		{`"a"`, `"b"`, `"a"`, true},
		{`"a"`, `"a"`, `"a"`, false},
	}
	for _, tt := range tests {
		r := &http.Request{Header: http.Header{}}
		r.Header.Set("If-Match", tt.match)
		r.Header.Set("If-None-Match", tt.none)
		if got := etag.Holds(r, func() string { return tt.current }); got != tt.want {
			t.Errorf("If-Match %s, If-None-Match %s, there is %s: %v; want %v", tt.match, tt.none, tt.current, got, tt.want)
		}
	}
}
