package all_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/bmc/dxp"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// A conductorAPI is the Bare Metal API of a conductor with all drivers.
type conductorAPI struct {
	t   *testing.T
	url string
	log *journal
}

// A journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func startAPI(t *testing.T) conductorAPI {
	t.Helper()
	kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	direct := deploy.NewDirect(deploy.Ramdisk{})
	c, err := conductor.New(conductor.Config{
		Hostname: "127.0.0.1", Store: kept, Drivers: all.Table(), AutomatedClean: true,
		Deployers: map[string]conductor.Deployer{"direct": direct}, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err == nil {
		err = c.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: c}).Operators())
	t.Cleanup(func() {
		web.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		direct.Close()
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return conductorAPI{t, web.URL, log}
}

// send sends a request and wants its status.
func (a conductorAPI) send(status int, method, path string, body any) (answer map[string]any, text string) {
	a.t.Helper()
	var in bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&in).Encode(body); err != nil {
			a.t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, &in)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		a.t.Fatalf("%s %s: %d %s, %v; want %d", method, path, response.StatusCode, b, err, status)
	}
	_ = json.Unmarshal(b, &answer)
	return answer, string(b)
}

// settled waits until nobody works on the node.
func (a conductorAPI) settled(node string) (n map[string]any) {
	a.t.Helper()
	err := wait.Until(a.t.Context(), wait.Pace{Every: 10 * time.Millisecond, Limit: 20 * time.Second}, "the node to be let go", func(context.Context) (bool, string, error) {
		n, _ = a.send(http.StatusOK, "GET", "/v1/nodes/"+node, nil) //nolint:contextcheck // the test's own
		return n["reservation"] == nil, fmt.Sprint(n["reservation"]), nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

// enrol makes a node with a port manageable.
func (a conductorAPI) enrol(driver string, info map[string]any) string {
	a.t.Helper()
	n, _ := a.send(http.StatusCreated, "POST", "/v1/nodes", map[string]any{"driver": driver, "driver_info": info})
	node := n["uuid"].(string)
	a.send(http.StatusCreated, "POST", "/v1/ports", map[string]any{"node_uuid": node, "address": "52:54:00:cf:2d:31"})
	if valid, _ := a.send(http.StatusOK, "GET", "/v1/nodes/"+node+"/validate", nil); valid["power"].(map[string]any)["result"] != true {
		a.t.Fatalf("validate: %v", valid["power"])
	}
	a.send(http.StatusAccepted, "PUT", "/v1/nodes/"+node+"/states/provision", map[string]any{"target": "manage"})
	if n := a.settled(node); n["provision_state"] != "manageable" || n["power_state"] != "power off" {
		a.t.Fatalf("%s, %s, %v; want manageable, power off", n["provision_state"], n["power_state"], n["last_error"])
	}
	return node
}

// power asks for a power state and wants the node to have it in the end. The timeout is one of Ironic's API.
func (a conductorAPI) power(node, target, want string) {
	a.t.Helper()
	a.send(http.StatusAccepted, "PUT", "/v1/nodes/"+node+"/states/power", map[string]any{"target": target, "timeout": 60})
	if n := a.settled(node); n["power_state"] != want || n["last_error"] != nil {
		a.t.Errorf("%s: %v, last error %v; want %s", target, n["power_state"], n["last_error"], want)
	}
}

func TestWakeOnLANByAPI(t *testing.T) {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	a := startAPI(t)
	node := a.enrol("staging-wol", map[string]any{"wol_host": "127.0.0.1", "wol_port": socket.LocalAddr().(*net.UDPAddr).Port})
	packet := make([]byte, 200)
	for range 2 { // the second time, too: nobody knows whether it has gone to sleep
		a.power(node, "power on", "power on")
		if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if size, _, err := socket.ReadFrom(packet); err != nil || size != 102 {
			t.Errorf("%d bytes, %v; want a magic packet", size, err)
		}
	}
	// What it cannot do is refused before anything is touched.
	for _, target := range []string{"power off", "rebooting"} {
		_, text := a.send(http.StatusBadRequest, "PUT", "/v1/nodes/"+node+"/states/power", map[string]any{"target": target})
		if want := "The driver wol does not support the power state: " + target; !strings.Contains(text, want) {
			t.Errorf("%s: %s; want %q", target, text, want)
		}
	}
	for _, verb := range []map[string]any{{"target": "provide"}, {"target": "clean", "clean_steps": []any{map[string]any{"interface": "deploy", "step": "erase_devices"}}}} {
		_, text := a.send(http.StatusBadRequest, "PUT", "/v1/nodes/"+node+"/states/provision", verb)
		if want := "power interface wol, which cannot do 'power off'"; !strings.Contains(text, want) {
			t.Errorf("%s: %s; want %q", verb["target"], text, want)
		}
	}
	if n := a.settled(node); n["provision_state"] != "manageable" || n["power_state"] != "power on" || n["last_error"] != nil {
		t.Errorf("%v, %v, %v; want the node as it was", n["provision_state"], n["power_state"], n["last_error"])
	}
}

func TestIBootByAPI(t *testing.T) {
	pdu, err := dxp.Start(dxp.Config{User: "admin", Password: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	defer pdu.Close()
	a := startAPI(t)
	info := map[string]any{
		"iboot_address": "127.0.0.1", "iboot_port": pdu.Addr().Port, "iboot_username": "admin", "iboot_password": "hunter2",
		"iboot_relay_id": "2", "iboot_max_retry": 1, "iboot_retry_interval": 0, "iboot_reboot_delay": 0,
	}
	node := a.enrol("staging-iboot", info)
	for _, tt := range []struct {
		target, want string
		on           bool
	}{{"power on", "power on", true}, {"rebooting", "power on", true}, {"power off", "power off", false}} {
		a.power(node, tt.target, tt.want)
		if pdu.Relay(2) != tt.on || pdu.Relay(1) {
			t.Errorf("%s: relay 2 is %t, relay 1 %t", tt.target, pdu.Relay(2), pdu.Relay(1))
		}
	}
	_, text := a.send(http.StatusBadRequest, "PUT", "/v1/nodes/"+node+"/states/power", map[string]any{"target": "soft power off"})
	if want := "does not support the power state: soft power off"; !strings.Contains(text, want) {
		t.Errorf("%s; want %q", text, want)
	}
	// One that does not follow is given the time that the request says, and not the conductor's half minute.
	pdu.Break(dxp.Faults{Stuck: true})
	begin := time.Now()
	a.send(http.StatusAccepted, "PUT", "/v1/nodes/"+node+"/states/power", map[string]any{"target": "power on", "timeout": 1})
	n := a.settled(node)
	if want := "Failed to change power state to 'power on': it is power off"; !strings.HasPrefix(fmt.Sprint(n["last_error"]), want+": node "+node+": relay 2 of the iBoot at 127.0.0.1:") || time.Since(begin) > 15*time.Second {
		t.Errorf("after %s: %v; want %q", time.Since(begin), n["last_error"], want)
	}
	pdu.Break(dxp.Faults{Reset: true})
	a.send(http.StatusAccepted, "PUT", "/v1/nodes/"+node+"/states/power", map[string]any{"target": "power on"})
	n = a.settled(node)
	if text := fmt.Sprint(n); !strings.Contains(fmt.Sprint(n["last_error"]), "check iboot_address") || strings.Contains(text, "hunter2") {
		t.Errorf("%s; want an error that says what to check, and no password", text)
	}
	if log := a.log.String(); !strings.Contains(log, "trying again\" node="+node) || strings.Contains(log, "hunter2") {
		t.Errorf("log: %s; want a warning of the first try, and no password", log)
	}
}
