package disk

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// ironicLib answers, for each line {"devices": [...], "hints": {...}}, which devices Ironic's own code selects.
const ironicLib = `
import json, sys
from ironic_lib import utils
for line in sys.stdin:
    case = json.loads(line)
    try:
        got = [d["name"] for d in utils.find_devices_by_hints(case["devices"], case["hints"])]
    except Exception as e:
        got = None
    print(json.dumps(got))
`

type ironicCase struct {
	Devices []map[string]any `json:"devices"`
	Hints   map[string]any   `json:"hints"`
}

// TestHintsSelectAsIronicDoes compares with ironic-lib, on reported devices and hints drawn at random.
func TestHintsSelectAsIronicDoes(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import ironic_lib.utils").Run(); err != nil {
		const missing = "needs ironic-lib: apt-get install python3-ironic-lib"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	cases := randomCases(300)
	var lines strings.Builder
	encoder := json.NewEncoder(&lines)
	for _, c := range cases {
		if err := encoder.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	ironic := exec.CommandContext(t.Context(), python, "-c", ironicLib)
	ironic.Stdin, ironic.Stderr = strings.NewReader(lines.String()), os.Stderr
	out, err := ironic.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(strings.NewReader(string(out)))
	selected, refused := 0, 0
	for _, c := range cases {
		var want []string
		if err := answers.Decode(&want); err != nil {
			t.Fatal(err)
		}
		got, err := ours(c)
		if err != nil {
			got = nil
			refused++
		}
		selected += len(want)
		if want == nil && numberForText(c) {
			continue // Ironic fails at the first disk whose text is no number; we select those with numbers
		}
		if !slices.Equal(got, want) {
			b, _ := json.Marshal(c)
			t.Errorf("%s\nselects %q (%v), ironic-lib %q", b, got, err, want)
		}
	}
	t.Logf("%d cases, %d refused, %d devices selected", len(cases), refused, selected)
	if selected < len(cases)/10 {
		t.Errorf("only %d devices selected: the cases show nothing", selected)
	}
}

func numberForText(c ironicCase) bool {
	for key, value := range c.Hints {
		text, _ := value.(string)
		if kinds[key] == "text" && strings.ContainsAny(text[:min(1, len(text))], "=!<>") {
			return true
		}
	}
	return false
}

func ours(c ironicCase) ([]string, error) {
	if len(c.Hints) == 0 {
		return nil, errors.New("no hints")
	}
	hints, err := parseHints(c.Hints)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range c.Devices {
		text := func(key string) string {
			s, _ := m[key].(string)
			return s
		}
		d := Device{
			Name: text("name"), WWN: text("wwn"), WWNWithExtension: text("wwn_with_extension"), Serial: text("serial"),
			Vendor: text("vendor"), Model: text("model"), ByPath: text("by_path"), HCTL: text("hctl"),
			SizeBytes: m["size"].(int64), Rotational: m["rotational"].(bool),
		}
		if hints.match(d, true) {
			names = append(names, d.Name)
		}
	}
	return names, nil
}

func randomCases(n int) []ironicCase {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...any) any { return of[r.IntN(len(of))] }
	texts := []any{"a", "A", "b", "st 2000", "ST2000", "2000", "0x5000", nil}
	cases := make([]ironicCase, n)
	for i := range cases {
		c := &cases[i]
		for _, name := range []string{"/dev/sda", "/dev/sdb", "/dev/nvme0n1"} {
			wwn := pick("0x5000", "0x6000", nil)
			d := map[string]any{
				"name": name, "size": int64(r.IntN(3)+1)*1000<<20 + int64(r.IntN(2)), "rotational": r.IntN(2) == 0, "wwn": wwn,
				"serial": pick(texts...), "model": pick(texts...), "vendor": pick(texts...), "by_path": pick(texts...),
				"hctl": pick("0:0:0:0", "1:0:0:0", nil), "wwn_with_extension": wwn, "wwn_vendor_extension": nil,
			}
			if wwn != nil && r.IntN(2) == 0 {
				d["wwn_with_extension"], d["wwn_vendor_extension"] = wwn.(string)+"ab", "0xab"
			}
			c.Devices = append(c.Devices, d)
		}
		c.Hints = map[string]any{}
		for range 1 + r.IntN(2) {
			key := pick("name", "wwn", "wwn_with_extension", "wwn_vendor_extension", "serial", "vendor", "model", "by_path",
				"hctl", "size", "size", "size", "rotational", "colour").(string)
			value := pick("a", "b", "st 2000", "2000", "0x5000", "0xab", "/dev/sda", "0:0:0:0", "none", "1", "2", "0", "-3", "true", " ", "No")
			op := pick("", "", "", "s==", "s== ", "s!= ", "s< ", "s>= ", "s<=", "s>", "== ", "!= ", ">= ", "<= ", "> ", "<", "= ", "<in> ", "<or> a <or> ")
			c.Hints[key] = op.(string) + value.(string)
			switch {
			case key == "size" && r.IntN(4) == 0:
				c.Hints[key] = 1 + r.IntN(3)
			case key == "rotational":
				c.Hints[key] = pick(true, false, "yes", "off", "perhaps")
			case r.IntN(40) == 0:
				c.Hints[key] = 7
			}
		}
	}
	return cases
}
