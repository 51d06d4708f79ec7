package amtcheck

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/VictorLowther/wsman"
	intel "github.com/open-amt-cloud-toolkit/go-wsman-messages/v2/pkg/wsman"
	"github.com/open-amt-cloud-toolkit/go-wsman-messages/v2/pkg/wsman/cim/boot"
	"github.com/open-amt-cloud-toolkit/go-wsman-messages/v2/pkg/wsman/cim/power"
	"github.com/open-amt-cloud-toolkit/go-wsman-messages/v2/pkg/wsman/client"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/amt"
)

// fakeAt is a fake AMT on AMT's own port, which Intel's library has built in, at an address of this machine of its own.
func fakeAt(t *testing.T) (*bmc.BMC, string) {
	t.Helper()
	b := bmc.New(bmc.Config{Username: "admin", Password: "P@ssw0rd"})
	for range 100 {
		host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		l, err := net.Listen("tcp", host+":16992")
		if err != nil {
			continue
		}
		server := &httptest.Server{Listener: l, Config: &http.Server{Handler: b}}
		server.Start()
		t.Cleanup(server.Close)
		return b, host
	}
	t.Fatal("port 16992 is taken on every loopback address tried")
	return nil, ""
}

// Intel's library, with its own digest authentication, is content with the fake and does to it what it does to AMT.
func TestIntelsLibrary(t *testing.T) {
	b, host := fakeAt(t)
	m := intel.NewMessages(client.Parameters{Target: host, Username: "admin", Password: "P@ssw0rd", UseDigest: true}).CIM
	state := func() int {
		t.Helper()
		e, err := m.ServiceAvailableToElement.Enumerate()
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.ServiceAvailableToElement.Pull(e.Body.EnumerateResponse.EnumerationContext)
		if err != nil || len(p.Body.PullResponse.AssociatedPowerManagementService) != 1 {
			t.Fatalf("pull: %v, %+v", err, p.Body.PullResponse)
		}
		return int(p.Body.PullResponse.AssociatedPowerManagementService[0].PowerState)
	}
	if got := state(); got != bmc.Off {
		t.Errorf("power state %d; want %d", got, bmc.Off)
	}
	order, err := m.BootConfigSetting.ChangeBootOrder(boot.PXE)
	if err != nil || order.Body.ChangeBootOrder_OUTPUT.ReturnValue != 0 {
		t.Errorf("ChangeBootOrder: %v, %+v", err, order.Body)
	}
	role, err := m.BootService.SetBootConfigRole("Intel(r) AMT: Boot Configuration 0", 1)
	if err != nil || role.Body.SetBootConfigRole_OUTPUT.ReturnValue != 0 {
		t.Errorf("SetBootConfigRole: %v, %+v", err, role.Body)
	}
	on, err := m.PowerManagementService.RequestPowerStateChange(power.PowerOn)
	if err != nil || on.Body.RequestPowerStateChangeResponse.ReturnValue != 0 {
		t.Errorf("RequestPowerStateChange: %v, %+v", err, on.Body)
	}
	if got := state(); got != bmc.On || !slices.Equal(b.Boots(), []string{bmc.ForcePXE}) {
		t.Errorf("power state %d, boots %q; want on, from the network", got, b.Boots())
	}
	// A refusal reads as one: 5, invalid parameter.
	wrong, err := m.PowerManagementService.RequestPowerStateChange(99)
	if err != nil || wrong.Body.RequestPowerStateChangeResponse.ReturnValue != 5 {
		t.Errorf("RequestPowerStateChange 99: %v, %+v", err, wrong.Body)
	}
	stranger := intel.NewMessages(client.Parameters{Target: host, Username: "admin", Password: "wrong", UseDigest: true}).CIM
	if _, err := stranger.PowerManagementService.RequestPowerStateChange(power.PowerOn); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong password: %v; want 401", err)
	}
}

// Another client asks as our driver does: Get, and a selector in the header.
func TestAnotherClient(t *testing.T) {
	b := bmc.New(bmc.Config{Username: "admin", Password: "P@ssw0rd"})
	server := httptest.NewServer(b)
	defer server.Close()
	c, err := wsman.NewClient(server.URL+"/wsman", "admin", "P@ssw0rd", true)
	if err != nil {
		t.Fatal(err)
	}
	const cim = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
	answer, err := c.Get(cim + "CIM_AssociatedPowerManagementService").Send()
	if err != nil || !strings.Contains(answer.String(), ":PowerState>8<") {
		t.Errorf("Get: %v, %v", err, answer)
	}
	role := func(selector string) (*wsman.Message, error) {
		return c.Invoke(cim+"CIM_BootService", "SetBootConfigRole").Selectors("Name", selector).Parameters("Role", "1").Send()
	}
	answer, err = role("Intel(r) AMT Boot Service")
	if err != nil || !strings.Contains(answer.String(), ":ReturnValue>5<") { // no BootConfigSetting
		t.Errorf("SetBootConfigRole: %v, %v; want ReturnValue 5", err, answer)
	}
	if _, err = role("Intel(r) AMT Coffee Service"); err == nil || !strings.Contains(err.Error(), "InvalidSelectors") {
		t.Errorf("SetBootConfigRole of another instance: %v; want InvalidSelectors", err)
	}
	if got := b.Calls(); len(got) != 2 {
		t.Errorf("calls %q; want Get, and the one with the right selector", got)
	}
}

// recordings is where Intel's library keeps what real AMT answered.
func recordings(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", "github.com/open-amt-cloud-toolkit/go-wsman-messages/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "pkg", "wsman", "wsmantesting", "responses")
}

// replay answers each action with what was recorded for it.
func replay(t *testing.T, answers map[string]string) (*driver.Node, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for action, file := range answers {
			if !strings.Contains(string(body), "/"+action+"</wsa:Action>") {
				continue
			}
			asked = append(asked, action)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(text)
			return
		}
		t.Errorf("nothing recorded for %s", body)
	}))
	t.Cleanup(server.Close)
	host, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return &driver.Node{UUID: "3f2c", Info: map[string]any{
		"amt_address": host, "amt_port": port, "amt_username": "admin", "amt_password": "P@ssw0rd",
		"amt_awake_interval": 0, "amt_action_wait": 0.01, "amt_max_attempts": 1,
	}}, &asked
}

// The driver reads what machines have answered to what it asks.
func TestRecordedAnswers(t *testing.T) {
	cim := filepath.Join(recordings(t), "cim")
	n, asked := replay(t, map[string]string{
		"Get":                     filepath.Join(cim, "service", "availabletoelement", "pull.xml"), // the instance that Get gives
		"ChangeBootOrder":         filepath.Join(cim, "boot", "configsetting", "changebootorder.xml"),
		"SetBootConfigRole":       filepath.Join(cim, "boot", "service", "setbootconfigrole.xml"),
		"RequestPowerStateChange": filepath.Join(cim, "power", "managementservice", "requestpowerstatechange.xml"),
	})
	hardware := amt.Spec.New()
	state, err := hardware.(driver.Power).PowerState(t.Context(), n)
	if err != nil || state != "power on" {
		t.Errorf("PowerState = %q, %v; want power on, as recorded", state, err)
	}
	if err := hardware.(driver.BootDevice).SetBootDevice(t.Context(), n, "pxe", false); err != nil {
		t.Fatal(err)
	}
	if err := hardware.(driver.Power).Switch(t.Context(), n, "power on"); err != nil {
		t.Errorf("Switch = %v", err)
	}
	// The recorded machine stays on, whatever it is asked.
	if err := hardware.(driver.Power).Switch(t.Context(), n, "power off"); err == nil || !strings.Contains(err.Error(), "did not follow") {
		t.Errorf("Switch = %v; want the request taken and not followed", err)
	}
	want := []string{"Get", "ChangeBootOrder", "SetBootConfigRole", "Get", "Get", "RequestPowerStateChange", "Get"}
	if !slices.Equal(*asked, want) {
		t.Errorf("asked %q; want %q", *asked, want)
	}
}

// Every recorded answer is an envelope to the driver, and those without a power state have none.
func TestAllRecordedAnswers(t *testing.T) {
	read := 0
	err := filepath.WalkDir(recordings(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		read++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n, _ := replay(t, map[string]string{"Get": path})
		_, err = amt.Spec.New().(driver.Power).PowerState(t.Context(), n)
		has := strings.Contains(string(text), "<h:CIM_AssociatedPowerManagementService>")
		if has && err != nil || !has && (err == nil || !strings.Contains(err.Error(), "has no PowerState")) {
			t.Errorf("%s: %v; a power state in it: %t", path, err, has)
		}
		return nil
	})
	if err != nil || read < 200 {
		t.Errorf("%d recorded answers read, %v; want the 211 of v2.5.2", read, err)
	}
}
