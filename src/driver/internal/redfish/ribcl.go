package redfish

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"bosh-ironic-cpi/src/driver"
)

// whatElse says why there is no Redfish at an address, if an iLO tells: each of them shows everybody what it is. nil: no idea.
//
// RIBCL, the XML that an iLO 2 and 3 understand, is not spoken here.
func (a Access) whatElse(ctx context.Context, t *transport) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Address+"/xmldata?item=All", nil)
	if err != nil {
		return nil
	}
	resp, err := t.client().Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	name, firmware := readRIMP(text)
	switch {
	case strings.Contains(name, "iLO 2"), strings.Contains(name, "iLO 3"):
		return fmt.Errorf("%w: %s speaks RIBCL only, which needs another driver: use ipmi for this server", driver.ErrUnsupported, name)
	case strings.Contains(name, "iLO"):
		return fmt.Errorf("%w: %s has firmware %s, which has no Redfish yet: update it to 2.30 or newer", driver.ErrUnsupported, name, firmware)
	}
	return nil
}

// readRIMP reads what an iLO says of itself: its name, such as "Integrated Lights-Out 3 (iLO 3)", and its firmware's version.
func readRIMP(text []byte) (name, firmware string) {
	var rimp struct {
		MP struct {
			PN   string
			FWRI string
		}
	}
	if xml.Unmarshal(text, &rimp) != nil {
		return "", ""
	}
	return strings.TrimSpace(rimp.MP.PN), strings.TrimSpace(rimp.MP.FWRI)
}
