package redfish

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
)

// An oem holds what HPE calls by the one name until iLO 4, and by the other since.
type oem[T any] struct {
	Oem struct{ Hp, Hpe T }
}

// oemAction is the path of an action of the iLO's own: InsertVirtualMedia, EjectVirtualMedia; empty: it has none. An
// iLO 4 has no other.
func (b *bmc) oemAction(v *schemas.VirtualMedia, action string) string {
	var own oem[struct {
		Actions map[string]struct{ Target string }
	}]
	if json.Unmarshal(v.RawData, &own) != nil {
		return ""
	}
	if hp, ok := own.Oem.Hp.Actions["#HpiLOVirtualMedia."+action]; ok {
		return hp.Target
	}
	return own.Oem.Hpe.Actions["#HpeiLOVirtualMedia."+action].Target
}

// licensed says so before virtual media fails for want of a licence. Blades have it in the standard licence; what is not
// known is tried.
func (b *bmc) licensed() error {
	if !b.isVendor("hpe") {
		return nil
	}
	m, err := b.theManager()
	if err != nil {
		return err
	}
	var own oem[struct {
		License struct{ LicenseString string }
	}]
	_ = json.Unmarshal(m.RawData, &own) // what cannot be read is not known
	name := own.Oem.Hpe.License.LicenseString + own.Oem.Hp.License.LicenseString
	if strings.Contains(name, "Standard") && !strings.Contains(name, "Blade") {
		return fmt.Errorf("%w: virtual media needs an iLO Advanced licence, and this iLO has %q: enter a key there", driver.ErrUnsupported, name)
	}
	return nil
}

// licence explains a refusal for want of a licence; other errors are as they were.
func (b *bmc) licence(err error) error {
	if says(err, "License") {
		return fmt.Errorf("%w: virtual media needs an iLO Advanced licence (%s): enter a key there", driver.ErrUnsupported, b.access.say(err))
	}
	return err
}

// bios is where the BIOS settings are: a resource of the system, which an iLO 4 links from its own part.
func (b *bmc) bios() (settings string, err error) {
	var own oem[struct{ Links struct{ BIOS schemas.Link } }]
	var system struct{ Bios schemas.Link }
	if json.Unmarshal(b.system.RawData, &own) == nil && json.Unmarshal(b.system.RawData, &system) == nil {
		for _, l := range []schemas.Link{system.Bios, own.Oem.Hp.Links.BIOS, own.Oem.Hpe.Links.BIOS} {
			if l != "" {
				return strings.TrimSuffix(l.String(), "/") + "/Settings/", nil
			}
		}
	}
	return "", fmt.Errorf("boot mode: %w: this iLO does not show the BIOS settings (Gen8 and older)", driver.ErrUnsupported)
}

// biosMode is what the server will be in after its next start. An iLO 4 has the settings at the top, later ones a floor below.
func (b *bmc) biosMode() (string, error) {
	path, err := b.bios()
	if err != nil {
		return "", err
	}
	var settings struct {
		BootMode   string
		Attributes struct{ BootMode string }
	}
	if err := b.get(path, &settings); err != nil {
		return "", err
	}
	return map[string]string{"Uefi": "uefi", "LegacyBios": "bios"}[settings.BootMode+settings.Attributes.BootMode], nil
}

func (b *bmc) setBIOSMode(mode string) error {
	path, err := b.bios()
	if err != nil {
		return err
	}
	change := map[string]any{"BootMode": map[string]string{"uefi": "Uefi", "bios": "LegacyBios"}[mode]}
	var bios struct{ Attributes map[string]any }
	if err := b.get(path, &bios); err != nil {
		return err
	}
	if bios.Attributes != nil {
		change = map[string]any{"Attributes": change}
	}
	resp, err := b.client.Patch(path, change)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
