package vendorargs_test

import (
	"encoding/json"
	"errors"
	"testing"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/vendorargs"
)

func TestVendorMethodCheck(t *testing.T) {
	odd := errors.New("odd")
	m := driver.VendorMethod{
		Name:   "tune",
		Schema: `{"type": "object", "additionalProperties": false, "required": ["pitch"], "properties": {"pitch": {"type": "integer", "maximum": 9}, "key": {"type": "string"}}}`,
		Validate: func(args map[string]any) error {
			switch {
			case args["pitch"] == json.Number("3"):
				return odd
			case args["pitch"] == json.Number("4"):
				return &driver.ArgumentError{Name: "pitch", Problem: "is for dogs"}
			case args["key"] == nil:
				return &driver.ArgumentError{Name: "key"}
			}
			return nil
		},
	}
	for _, test := range []struct {
		args map[string]any
		want string
	}{
		{nil, "Parameter 'pitch' not passed to method 'tune'."},
		{map[string]any{"pitch": json.Number("3")}, "odd"},
		{map[string]any{"pitch": json.Number("4")}, "Input data validation error: method tune: pitch: is for dogs"},
		{map[string]any{"pitch": json.Number("5")}, "Parameter 'key' not passed to method 'tune'."},
		{map[string]any{"pitch": json.Number("10")}, "Input data validation error: method tune: pitch: maximum: got 10, want 9"},
		{map[string]any{"pitch": json.Number("5"), "volume": 11}, "Input data validation error: method tune: additional properties 'volume' not allowed"},
		{map[string]any{"pitch": json.Number("5"), "key": "a"}, ""},
	} {
		err := vendorargs.Check(m, test.args)
		if got := text(err); got != test.want {
			t.Errorf("Check(%v) = %q; want %q", test.args, got, test.want)
		}
	}
	if err := vendorargs.Check(m, map[string]any{"pitch": json.Number("3")}); !errors.Is(err, odd) {
		t.Errorf("%v; want the validation's own error", err)
	}
	broken := driver.VendorMethod{Name: "tune", Schema: `{"type": "intejer"}`}
	if err := vendorargs.Check(broken, nil); err == nil || errors.As(err, new(*driver.ArgumentError)) {
		t.Errorf("a broken schema: %v; want an error that is none of the caller's", err)
	}
	if err := vendorargs.Check(driver.VendorMethod{Name: "any"}, nil); err != nil {
		t.Errorf("no schema: %v", err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
