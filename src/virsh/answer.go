package virsh

import (
	"fmt"
	"strings"
)

// ParseNames reads the answer to [ListAll]: a name a line. A name that holds control characters is left out.
func ParseNames(stdout string) []string {
	var names []string
	for line := range strings.Lines(stdout) {
		name := strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(name) != "" && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			names = append(names, name)
		}
	}
	return names
}

// Running tells whether the answer to [ListRunning] has a domain: alone on its line or, in the old form, between double
// quotes, where more may follow.
func Running(stdout, domain string) bool {
	for _, line := range ParseNames(stdout) {
		if line == domain || strings.Contains(line, `"`+domain+`"`) {
			return true
		}
	}
	return false
}

// ParseMACs reads the answer to [MACs]: an address a line, of which it gives the [NormalMAC]. Lines that are none are
// left out: a proxy that cannot answer prints its error there, with exit status 0.
func ParseMACs(stdout string) []string {
	var macs []string
	for line := range strings.Lines(stdout) {
		if mac := NormalMAC(strings.TrimSpace(line)); len(mac) == 12 && strings.Trim(mac, "0123456789abcdef") == "" {
			macs = append(macs, mac)
		}
	}
	return macs
}

// NormalMAC strips a MAC address of what people write between its digits, and of case.
func NormalMAC(mac string) string {
	return strings.ToLower(strings.NewReplacer(":", "", "-", "").Replace(mac))
}

// ParseBootDevice reads the answer to [BootDevice], in libvirt's words; empty: the domain has none of its own, as when each
// disk and NIC has its place in an order.
func ParseBootDevice(stdout string) (string, error) {
	device := strings.TrimRight(stdout, "\r\n")
	if strings.ContainsAny(device, "\r\n") {
		return "", fmt.Errorf("boot device %.100q: want one line", stdout)
	}
	return strings.TrimSpace(device), nil
}

// An Answer is what a command leaves behind.
type Answer struct {
	Stdout, Stderr string
	Status         int // exit status
}
