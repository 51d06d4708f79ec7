package redfish

import "strings"

// isVendor tells who made the system, by a word of the maker's name, in lower case; HPE goes by hpe whatever the age.
func (b *bmc) isVendor(word string) bool {
	for _, name := range []string{b.system.Manufacturer, b.client.Service.Vendor} {
		name = strings.ToLower(name)
		if strings.Contains(name, word) || word == "hpe" && (name == "hp" || strings.HasPrefix(name, "hewlett")) {
			return true
		}
	}
	return false
}
