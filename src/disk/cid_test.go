package disk_test

import (
	"encoding/json"
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/disk"
)

func TestNewCIDPrefersWhatIsStable(t *testing.T) {
	const mac = "E4:1F:13:E6:33:3C"
	tests := []struct {
		name   string
		device disk.Device
		begins string
		hint   string
	}{
		{
			"WWN",
			disk.Device{Name: "/dev/sdb", WWN: "0x5000c500a0000001", Serial: "W46"},
			"disk-e41f13e6333c-wwn-0x5000c500a0000001-", "/dev/disk/by-id/wwn-0x5000c500a0000001",
		},
		{
			"the longer WWN",
			disk.Device{Name: "/dev/sdb", WWN: "0x6000", WWNWithExtension: "0x60001234"},
			"disk-e41f13e6333c-wwn-0x60001234-", "/dev/disk/by-id/wwn-0x60001234",
		},
		{
			"NVMe",
			disk.Device{Name: "/dev/nvme0n1", WWN: "eui.0025385b71b0f0f1"},
			"disk-e41f13e6333c-wwn-eui.0025385b71b0f0f1-", "/dev/disk/by-id/nvme-eui.0025385b71b0f0f1",
		},
		{
			"link",
			disk.Device{Name: "/dev/sdb", ByID: "/dev/disk/by-id/ata-ST2000_W46", Serial: "W46"},
			"disk-e41f13e6333c-id-ata-ST2000_5fW46-", "/dev/disk/by-id/ata-ST2000_W46",
		},
		{"serial number", disk.Device{Name: "/dev/sdb", Serial: "W 46*"}, "disk-e41f13e6333c-serial-W_2046_2a-", ""},
		{"path", disk.Device{Name: "/dev/sdb"}, "disk-e41f13e6333c-path-_2fdev_2fsdb-", "/dev/sdb"},
		{
			"what is too long",
			disk.Device{Name: "/dev/sdb", WWN: strings.Repeat("/", 80)},
			"disk-e41f13e6333c-path-_2fdev_2fsdb-", "/dev/sdb",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := disk.NewCID(mac, tt.device)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(c.String(), tt.begins) {
				t.Errorf("NewCID() = %s; want %s...", c, tt.begins)
			}
			if got := c.Device().Hint(); got != tt.hint {
				t.Errorf("%s: Device().Hint() = %q; want %q", c, got, tt.hint)
			}
			if !c.Matches(tt.device) {
				t.Errorf("%s does not match %+v", c, tt.device)
			}
			if c.MAC != "e4:1f:13:e6:33:3c" {
				t.Errorf("MAC = %s", c.MAC)
			}
		})
	}
}

func TestNewCIDRefuses(t *testing.T) {
	for mac, device := range map[string]disk.Device{
		"":                        {Name: "/dev/sdb"},
		"sda":                     {Name: "/dev/sdb"},
		"e4:1f:13:e6:33:3c:00:01": {Name: "/dev/sdb"},
		"e4:1f:13:e6:33:3c":       {},
		"e4:1f:13:e6:33:3d":       {Name: strings.Repeat("/", 80)},
	} {
		if c, err := disk.NewCID(mac, device); !errors.Is(err, disk.ErrBadCID) {
			t.Errorf("NewCID(%q, %+v) = %v, %v; want %v", mac, device, c, err, disk.ErrBadCID)
		}
	}
}

func TestParseCIDOfTheFirstCPI(t *testing.T) {
	tests := []struct{ text, mac, path string }{
		{"14738976001-e41f13e6333c-sdc", "e4:1f:13:e6:33:3c", "/dev/sdc"},
		{"14738976001-e41f13e6333c-disk/by-id/wwn-0x5000-part", "e4:1f:13:e6:33:3c", "/dev/disk/by-id/wwn-0x5000-part"},
	}
	for _, tt := range tests {
		c, err := disk.ParseCID(tt.text)
		if err != nil || c.MAC != tt.mac || c.ID != tt.path || c.String() != tt.text {
			t.Errorf("ParseCID(%q) = %+v, %v; want %s on %s", tt.text, c, err, tt.path, tt.mac)
		}
		if !c.Matches(disk.Device{Name: tt.path}) || c.Matches(disk.Device{Name: "/dev/sdd"}) || c.Device().Hint() != tt.path {
			t.Errorf("%s does not mean %s alone", c, tt.path)
		}
	}
	if c, _ := disk.ParseCID(tests[1].text); !c.Matches(disk.Device{Name: "/dev/sdb", WWN: "0x5000-part"}) {
		t.Errorf("%s does not match by its link", c)
	}
}

func TestParseCIDRefuses(t *testing.T) {
	for _, text := range []string{
		"", "vol-0123456789abcdef", "disk-e41f13e6333c", "disk-e41f13e6333c-wwn--0123456789abcdef",
		"disk-e41f13e6333c-color-red-0123456789abcdef", "disk-e41f13e6333c-wwn-0x5000",
		"disk-e41f13e6333-wwn-0x5000-0123456789abcdef", "disk-e41f13e6333c-serial-a_b-0123456789abcdef",
		"disk-e41f13e6333c-serial-a_2D-0123456789abcdef", "disk-e41f13e6333c-serial-a_-0123456789abcdef",
		"disk-e41f13e6333c-serial-a_2-0123456789abcdef", "disk-e41f13e6333c-serial-*-0123456789abcdef",
		"14738976001-sdc", "14738976001-e41f13e6333c-", "14738976001-e41f13e6333c-a b", "x-e41f13e6333c-sdc",
		"14738976001-e41f13e6333c-" + strings.Repeat("s", 255),
	} {
		c, err := disk.ParseCID(text)
		if !errors.Is(err, disk.ErrBadCID) {
			t.Errorf("ParseCID(%q) = %+v, %v; want %v", text, c, err, disk.ErrBadCID)
			continue
		}
		quoted, _ := json.Marshal(text)
		if !strings.Contains(err.Error(), string(quoted)) {
			t.Errorf("ParseCID(%q) error = %v; want the text in it", text, err)
		}
	}
}

func TestMatchesTellsDisksApart(t *testing.T) {
	lun := disk.Device{Name: "/dev/sdb", WWN: "0x6000", WWNWithExtension: "0x60001234"}
	other := disk.Device{Name: "/dev/sdc", WWN: "0x6000", WWNWithExtension: "0x60005678"}
	c, err := disk.NewCID("e4:1f:13:e6:33:3c", lun)
	if err != nil {
		t.Fatal(err)
	}
	moved := lun
	moved.Name = "/dev/sdc"
	declared := disk.Device{ByID: "/dev/disk/by-id/wwn-0x60001234"}
	if !c.Matches(lun) || !c.Matches(moved) || !c.Matches(declared) || c.Matches(other) || c.Matches(disk.Device{Name: "/dev/sdb"}) {
		t.Errorf("%s matches the wrong disks", c)
	}
	blank := disk.Device{Name: "/dev/sdb", Serial: ""}
	bySerial, err := disk.NewCID("e4:1f:13:e6:33:3c", disk.Device{Serial: "W46"})
	if err != nil {
		t.Fatal(err)
	}
	if bySerial.Matches(blank) || !bySerial.Matches(disk.Device{Serial: "w46", Name: "/dev/sdx"}) {
		t.Errorf("%s matches the wrong disks", bySerial)
	}
}

func TestCIDsSurviveTheirText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9._/ :*?-]{1,40}`))
		device := disk.Device{
			Name: "/dev/" + id.Draw(t, "name"), WWN: id.Draw(t, "wwn"), Serial: id.Draw(t, "serial"),
			WWNWithExtension: rapid.SampledFrom([]string{"", "0x1234"}).Draw(t, "wwn_with_extension"),
		}
		if link := id.Draw(t, "link"); rapid.Bool().Draw(t, "with link") && path.Clean("/"+link) == "/"+link && link != "" {
			device.ByID = "/dev/disk/by-id/" + link
		}
		mac := rapid.StringMatching(`([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}`).Draw(t, "mac")
		c, err := disk.NewCID(mac, device)
		if err != nil {
			t.Skip(err)
		}
		text := c.String()
		parsed, err := disk.ParseCID(text)
		if err != nil || parsed != c {
			t.Fatalf("ParseCID(%s) = %+v, %v; want %+v", text, parsed, err, c)
		}
		if len(text) < 20 || len(text) > 255 || strings.ContainsAny(text, `*?[]{}\/%&=+# `) {
			t.Fatalf("%q is too short, too long or unsafe", text)
		}
		if ok, err := filepath.Match("*"+text, "scsi-"+text); !ok || err != nil {
			t.Fatalf("glob *%s: %v, %v", text, ok, err)
		}
		if !c.Matches(device) {
			t.Fatalf("%s does not match %+v", c, device)
		}
		if again, _ := disk.NewCID(mac, device); again == c || again.String() == text {
			t.Fatalf("%s was given twice", c)
		}
	})
}

func FuzzParseCID(f *testing.F) {
	f.Add("disk-e41f13e6333c-wwn-0x5000c500a0000001-9f86d081884c7d65")
	f.Add("disk-e41f13e6333c-serial-a_2fb-9f86d081884c7d65")
	f.Add("14738976001-e41f13e6333c-sdc")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := disk.ParseCID(text)
		if err != nil {
			return
		}
		if c.String() != text {
			t.Errorf("ParseCID(%q).String() = %q", text, c)
		}
		if hint := c.Device().Hint(); c.Kind != disk.BySerial && hint == "" {
			t.Errorf("%q has no hint", text)
		}
		if !c.Matches(c.Device()) {
			t.Errorf("%q does not match its own device %+v", text, c.Device())
		}
	})
}
