package agentenv

import (
	"errors"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	const threeTiB = 3 << 40
	tests := []struct {
		name string
		ask  Ask
		want Delivery
		text string // of the refusal, where want is empty
	}{
		{name: "direct, disks not known", ask: Ask{DeployInterface: "direct"}, want: Inject},
		{name: "custom-agent, one disk", ask: Ask{DeployInterface: "custom-agent", Disks: 1}, want: Inject},
		{name: "direct, two disks", ask: Ask{DeployInterface: "direct", Disks: 2}, want: ConfigDrive},
		{name: "direct, two disks, data on root", ask: Ask{DeployInterface: "direct", Disks: 2, EphemeralOnRoot: true}, want: Inject},
		{name: "auto by name", ask: Ask{Want: Auto, DeployInterface: "direct", Disks: 1}, want: Inject},
		{name: "fake, disks not known", ask: Ask{DeployInterface: "fake"}, want: ConfigDrive},
		{name: "ansible, two disks", ask: Ask{DeployInterface: "ansible", Disks: 2}, want: ConfigDrive},
		{name: "no deploy steps, disks not known", ask: Ask{DeployInterface: "direct", NoDeploySteps: true}, want: ConfigDrive},
		{name: "registry stemcell", ask: Ask{DeployInterface: "direct", StemcellAPIVersion: 1}, want: ConfigDrive},
		{name: "config drive wanted", ask: Ask{Want: ConfigDrive, DeployInterface: "direct"}, want: ConfigDrive},
		{name: "inject wanted", ask: Ask{Want: Inject, DeployInterface: "direct", Disks: 4}, want: Inject},
		{name: "config drive and injected files", ask: Ask{Want: ConfigDrive, DeployInterface: "direct", Disks: 2, Files: 3}, want: ConfigDrive},
		{name: "root disk of 2 TiB", ask: Ask{DeployInterface: "direct", Disks: 1, RootDiskBytes: 2 << 40}, want: Inject},
		{name: "large root disk, data elsewhere", ask: Ask{DeployInterface: "direct", Disks: 2, RootDiskBytes: threeTiB}, want: ConfigDrive},
		{name: "an image that boots both ways", ask: Ask{DeployInterface: "direct", BootMode: "uefi", ImageBootModes: []string{"bios", "uefi"}}, want: Inject},
		{name: "an image that does not say", ask: Ask{DeployInterface: "direct", BootMode: "uefi"}, want: Inject},

		{name: "config drive and one disk", ask: Ask{Want: ConfigDrive, DeployInterface: "direct", Disks: 1}, text: "one disk, and the agent cannot partition a disk that ends in a config drive: use settings_delivery inject"},
		{name: "config drive and data on root", ask: Ask{Want: ConfigDrive, DeployInterface: "fake", EphemeralOnRoot: true}, text: "use deploy interface direct with settings_delivery inject, or give a second disk"},
		{name: "nothing works", ask: Ask{DeployInterface: "fake", Disks: 1}, text: "use deploy interface direct"},
		{name: "registry stemcell and one disk", ask: Ask{DeployInterface: "direct", Disks: 1, StemcellAPIVersion: 1}, text: "newer stemcell"},
		{name: "registry stemcell injected", ask: Ask{Want: Inject, DeployInterface: "direct", StemcellAPIVersion: 1}, text: "API version 1"},
		{name: "inject by fake", ask: Ask{Want: Inject, DeployInterface: "fake"}, text: `deploy interface "fake" cannot inject`},
		{name: "inject by an old API", ask: Ask{Want: Inject, DeployInterface: "direct", NoDeploySteps: true}, text: "1.69"},
		{name: "files by fake", ask: Ask{DeployInterface: "fake", Disks: 2, Files: 1}, text: `need files in the image, and deploy interface "fake" cannot inject`},
		{name: "large root disk", ask: Ask{DeployInterface: "direct", Disks: 1, RootDiskBytes: threeTiB}, text: "3072 GiB"},
		{name: "large root disk, data on it", ask: Ask{DeployInterface: "direct", EphemeralOnRoot: true, RootDiskBytes: threeTiB}, text: "ephemeral disk"},
		{name: "UEFI and a BIOS image", ask: Ask{DeployInterface: "direct", BootMode: "uefi", ImageBootModes: []string{"bios"}}, text: "boots in uefi mode"},
		{name: "a word of its own", ask: Ask{Want: "usb", DeployInterface: "direct"}, text: `"usb"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(tt.ask)
			if got != tt.want {
				t.Errorf("Choose(%+v) = %q, %v; want %q", tt.ask, got, err, tt.want)
			}
			refused := tt.want == ""
			if errors.Is(err, ErrDelivery) != refused || (refused && !strings.Contains(err.Error(), tt.text)) {
				t.Errorf("Choose(%+v) error = %v; want %q", tt.ask, err, tt.text)
			}
		})
	}
}
