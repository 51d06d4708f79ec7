package stemcell

import "strings"

// Ways to boot, in Ironic's spelling.
const (
	BIOS = "bios"
	UEFI = "uefi"
)

// BootModes returns how a published stemcell can boot, by its name and distribution; nil when neither is
// known, which restricts nothing.
//
// Up to Jammy the disk has a boot loader for BIOS only; from Noble on it has one for each.
func BootModes(name, osDistro string) []string {
	words := strings.FieldsFunc(strings.ToLower(name+" "+osDistro), func(r rune) bool {
		return r < 'a' || r > 'z'
	})
	for _, w := range words {
		switch w {
		case "lucid", "trusty", "xenial", "bionic", "focal", "jammy", "centos":
			return []string{BIOS}
		case "noble", "resolute":
			return []string{BIOS, UEFI}
		}
	}
	return nil
}
