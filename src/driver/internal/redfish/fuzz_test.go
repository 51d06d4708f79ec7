package redfish

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

// A BMC may answer anything: nothing of it is a panic, takes for ever, or brings the password to light.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]}`, `{"@odata.id":"/redfish/v1/Systems/1","PowerState":"On","Boot":{}}`)
	f.Add(`{"Members":[{"@odata.id":"/redfish/v1/Systems/1"}],"Members@odata.nextLink":"/redfish/v1/Systems"}`, `{"Manufacturer":"Dell Inc."}`)
	f.Add(`{"Members":[{"@odata.id":"/x"}],"MediaTypes":["CD"],"Model":"13G","FirmwareVersion":"2.1","Vendor":"Dell"}`,
		`{"@odata.id":"/y","Manufacturer":"Dell","VirtualMedia":{"@odata.id":"/z"},"Links":{"ManagedBy":[{"@odata.id":"/m"}]}}`)
	f.Add(`{"Members":[null,{"@odata.id":""}],"Oem":{"Hp":{"Links":null}}}`, `{"Manufacturer":"HPE","Oem":{"Hp":{"Links":{"BIOS":{"@odata.id":"/b"}}}}}`)
	f.Add(`[]`, `{"Processors":{"@odata.id":"/p"},"Storage":{"@odata.id":"/p"},"EthernetInterfaces":{"@odata.id":"/p"}}`)
	f.Add(`{"error":{"code":"x","@Message.ExtendedInfo":[{"Message":"hunter2hunter2"}]}}`, ``)

	var mu sync.Mutex
	var others, system string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text := others
		if strings.HasPrefix(r.URL.Path, "/redfish/v1/Systems/") {
			text = system
		}
		if strings.Contains(text, `"error"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write([]byte(text))
	}))
	f.Cleanup(server.Close)
	soon := wait.Pace{Every: time.Millisecond, Limit: 3 * time.Millisecond}
	h := Hardware{Access: func(*driver.Node) (Access, error) {
		return Access{
			Address: server.URL, Username: "admin", Password: secret.New("hunter2hunter2"), Auth: Auto, Timeout: time.Second,
			Patience: Patience{Busy: time.Microsecond, POST: soon, Media: soon, Off: soon},
		}, nil
	}}
	f.Fuzz(func(t *testing.T, all, one string) {
		mu.Lock()
		others, system = all, one
		mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		n := &driver.Node{UUID: "n1"}
		_, power := h.PowerState(ctx, n)
		_, _, device := h.BootDevice(ctx, n)
		_, mode := h.BootMode(ctx, n)
		_, inspected := h.Inspect(ctx, n)
		for _, err := range []error{
			power, device, mode, inspected,
			h.Switch(ctx, n, baremetal.TargetSoftOff), h.SetBootDevice(ctx, n, "cdrom", true), h.SetBootMode(ctx, n, "uefi"),
			h.InsertMedia(ctx, n, "cdrom", "http://192.0.2.1/a.iso"), h.EjectMedia(ctx, n, "cdrom"),
		} {
			if err != nil && strings.Contains(err.Error(), "hunter2hunter2") { // half of it may be the BMC's own
				t.Errorf("%v: holds the password", err)
			}
		}
		if ctx.Err() != nil {
			t.Error("it took too long")
		}
	})
}

func FuzzReadRIMP(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><RIMP><MP><PN>Integrated Lights-Out 3 (iLO 3)</PN><FWRI>1.94</FWRI></MP></RIMP>`))
	f.Add([]byte(`<RIMP><MP/><MP><PN> x </PN></MP></RIMP>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		name, firmware := readRIMP(text)
		if strings.TrimSpace(name) != name || strings.TrimSpace(firmware) != firmware {
			t.Errorf("readRIMP(%q) = %q, %q; want no space around", text, name, firmware)
		}
	})
}
