package config_test

import (
	"testing"

	"bosh-ironic-cpi/src/config"
)

func TestBytes(t *testing.T) {
	tests := []struct {
		text string
		want config.Bytes
		back string
	}{
		{"0", 0, "0B"},
		{"512B", 512, "512B"},
		{"10MiB", 10 << 20, "10MiB"},
		{"1.5 GiB", 3 << 29, "1536MiB"},
		{"50GB", 50e9, "48828125KiB"},
		{"2TiB", 2 << 40, "2TiB"},
		{"3kB", 3000, "3000B"},
	}
	for _, tt := range tests {
		var got config.Bytes
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want || got.String() != tt.back {
			t.Errorf("%s is %d (%v), %v; want %d (%s)", tt.text, got, got, err, tt.want, tt.back)
		}
	}
	for _, text := range []string{"", "10", "10 apples", "MiB", "-1MiB", "9e30TB", "NaNMiB", "1MiB2"} {
		if err := new(config.Bytes).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}

func TestTextTypesInAConfiguration(t *testing.T) {
	type file struct {
		Size config.Bytes   `json:"size" default:"10MiB" help:"a size"`
		All  []config.Bytes `json:"all" help:"sizes"`
	}
	var got file
	if _, err := (config.Decoder{}).Decode([]byte(`{"all": ["1KiB"]}`), &got); err != nil || got.Size != 10<<20 || got.All[0] != 1024 {
		t.Errorf("Decode = %+v, %v", got, err)
	}
	const want = "| key | type | default | what it is |\n|---|---|---|---|\n" +
		"| `size` | size | `10MiB` | a size |\n| `all` | list of size |  | sizes |\n"
	if got := config.Reference(file{}); got != want {
		t.Errorf("Reference = %s; want %s", got, want)
	}
	_, err := (config.Decoder{}).Decode([]byte(`{"size": 5, "all": ["x"]}`), &got)
	if want := `size: want a string, got a number; all[0]: want a size with its unit, such as "10MiB" or "50GB"`; err == nil || err.Error() != want {
		t.Errorf("Decode = %v; want %s", err, want)
	}
}
