package nodemanager

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
	"bosh-ironic-cpi/src/driver/vendorargs"
)

// A wire is a BMC that notes what is sent, and answers what it is told to.
type wire struct {
	records [][]byte // of the sensor data repository
	broken  error    // what walking it ends with
	answer  func(command byte, data []byte) ([]byte, error)

	walks int
	sent  []string      // 2e c0 57 01 00 ...
	to    []ipmi.Bridge // where each went
}

func (w *wire) Raw(ctx context.Context, _ *driver.Node, to *ipmi.Bridge, netFn, command uint8, data []byte) ([]byte, error) {
	if to == nil {
		return nil, fmt.Errorf("command %#x is not bridged", command)
	}
	w.to = append(w.to, *to)
	w.sent = append(w.sent, fmt.Sprintf("% x", append([]byte{netFn, command}, data...)))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return w.answer(command, data)
}

func (w *wire) WalkSDR(_ context.Context, _ *driver.Node, each func([]byte) bool) error {
	w.walks++
	for _, record := range w.records {
		if !each(record) {
			return nil
		}
	}
	return w.broken
}

// refuse answers a command with a completion code.
func refuse(command byte, code uint8) error {
	return &ipmi.CompletionError{NetFn: netFn, Cmd: command, Code: code}
}

// codeOf is the completion code of an error, 0: it has none.
func codeOf(err error) uint8 {
	if e, ok := errors.AsType[*ipmi.CompletionError](err); ok {
		return e.Code
	}
	return 0
}

// says answers every command with the bytes given, after Intel's number.
func says(text string) func(byte, []byte) ([]byte, error) {
	return func(byte, []byte) ([]byte, error) { return append([]byte{0x57, 1, 0}, unhex(text)...), nil }
}

func unhex(text string) []byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
	}
	return raw
}

// knows is a node whose Node Manager has been found.
func knows() *driver.Node {
	return &driver.Node{Name: "one", State: map[string]string{"intel_nm_channel": "0x0b", "intel_nm_address": "0x6a"}}
}

// arguments are decoded as the API does it.
func arguments(t testing.TB, text string) map[string]any {
	t.Helper()
	var args map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&args); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return args
}

func methodNamed(t testing.TB, name string) driver.VendorMethod {
	t.Helper()
	for _, m := range New(&wire{}).VendorMethods() {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no vendor method %s", name)
	return driver.VendorMethod{}
}

// call does what the conductor does: check the arguments, then call. The result is JSON, as the API's clients get it.
func call(t testing.TB, bmc Controller, n *driver.Node, name, args string) (string, error) {
	t.Helper()
	given := arguments(t, args)
	if err := vendorargs.Check(methodNamed(t, name), given); err != nil {
		return "", err
	}
	result, err := New(bmc).CallVendor(t.Context(), n, name, given)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// same compares JSON texts.
func same(t testing.TB, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	gotText, _ := json.Marshal(g)
	wantText, _ := json.Marshal(w)
	if string(gotText) != string(wantText) {
		t.Errorf("answers\n%s; want\n%s", gotText, wantText)
	}
}
