package amt

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/icholy/digest"
)

// invoke sends an operation as Intel's library writes it, and gives the answer's text.
func invoke(t *testing.T, b *BMC, class, method, input string) (int, string) {
	t.Helper()
	server := httptest.NewServer(b)
	defer server.Close()
	action, content := transferGet, ""
	if method != "" {
		action = cim + class + "/" + method
		content = fmt.Sprintf(`<h:%[1]s_INPUT xmlns:h="%[2]s">%[3]s</h:%[1]s_INPUT>`, method, cim+class, input)
	}
	text := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="%s"><Header><a:Action xmlns:a="%[2]s">%[3]s</a:Action>`+
		`<a:To xmlns:a="%[2]s">/wsman</a:To><w:ResourceURI xmlns:w="%[4]s">%[5]s</w:ResourceURI><a:MessageID xmlns:a="%[2]s">0</a:MessageID></Header>`+
		`<Body>%[6]s</Body></Envelope>`, soap, addressing, action, wsman, cim+class, content)
	client := http.Client{Transport: &digest.Transport{Username: "admin", Password: "P@ssw0rd"}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/wsman", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/soap+xml; charset=utf-8")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer strings.Builder
	if err := resp.Write(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer.String()
}

func refer(class, selector, value string) string {
	return fmt.Sprintf(`<Address xmlns="%[1]s">%[1]s/role/anonymous</Address><ReferenceParameters xmlns="%[1]s"><ResourceURI xmlns="%[2]s">%[3]s</ResourceURI>`+
		`<SelectorSet xmlns="%[2]s"><Selector xmlns:w="%[2]s" w:Name="%[4]s">%[5]s</Selector></SelectorSet></ReferenceParameters>`,
		addressing, wsman, cim+class, selector, value)
}

// What real AMT refuses, the fake refuses; a driver that sends it must not pass its tests.
func TestRefuses(t *testing.T) {
	machine := "<h:ManagedElement>" + refer("CIM_ComputerSystem", "Name", "ManagedSystem") + "</h:ManagedElement>"
	setting := "<h:BootConfigSetting>" + refer("CIM_BootConfigSetting", "InstanceID", bootConfiguration) + "</h:BootConfigSetting>"
	tests := []struct {
		class, method, input, want string
	}{
		{"CIM_PowerManagementService", "RequestPowerStateChange", "<h:PowerState>2</h:PowerState>" + machine, "ReturnValue>0<"},
		{"CIM_PowerManagementService", "RequestPowerStateChange", "<h:PowerState>3</h:PowerState>" + machine, "ReturnValue>5<"},
		{"CIM_PowerManagementService", "RequestPowerStateChange", "<h:PowerState>2</h:PowerState>", "ReturnValue>5<"},
		{"CIM_PowerManagementService", "RequestPowerStateChange", `<PowerState xmlns="urn:x">2</PowerState>` + machine, "ReturnValue>5<"},
		{"CIM_BootConfigSetting", "ChangeBootOrder", "<h:Source>" + refer("CIM_BootSourceSetting", "InstanceID", ForceCD) + "</h:Source>", "ReturnValue>0<"},
		{"CIM_BootConfigSetting", "ChangeBootOrder", "<h:Source>" + refer("CIM_BootSourceSetting", "InstanceID", "floppy") + "</h:Source>", "ReturnValue>5<"},
		{"CIM_BootConfigSetting", "ChangeBootOrder", "<h:Source>" + refer("CIM_ComputerSystem", "InstanceID", ForceCD) + "</h:Source>", "ReturnValue>5<"},
		{"CIM_BootService", "SetBootConfigRole", setting + "<h:Role>1</h:Role>", "ReturnValue>0<"},
		{"CIM_BootService", "SetBootConfigRole", setting + "<h:Role>2</h:Role>", "ReturnValue>5<"},
		{"CIM_BootService", "SetBootConfigRole", "<h:Role>1</h:Role>", "ReturnValue>5<"},
		{"CIM_BootService", "ChangeBootOrder", "", "ActionNotSupported"},
		{"CIM_BootService", "", "", "DestinationUnreachable"},
		{"CIM_AssociatedPowerManagementService", "", "", "PowerState>8<"},
	}
	for _, tt := range tests {
		b := New(Config{Username: "admin", Password: "P@ssw0rd"})
		if status, answer := invoke(t, b, tt.class, tt.method, tt.input); !strings.Contains(answer, tt.want) {
			t.Errorf("%s of %s with %s: %d %s; want %s", tt.method, tt.class, tt.input, status, answer, tt.want)
		}
	}
	b := New(Config{Username: "admin", Password: "secret"})
	if status, _ := invoke(t, b, "CIM_AssociatedPowerManagementService", "", ""); status != http.StatusUnauthorized || len(b.Calls()) > 0 {
		t.Errorf("with a wrong password: status %d, calls %q; want 401 and none", status, b.Calls())
	}
}

// A boot configuration serves one boot.
func TestBootOnce(t *testing.T) {
	var switched []string
	b := New(Config{Switched: func(state int, source string) { switched = append(switched, fmt.Sprint(state, " ", source)) }})
	b.mu.Lock()
	b.source, b.armed = ForcePXE, true
	for _, state := range []int{Off, On, On, MasterReset, 4} {
		b.requestPowerState(state)
	}
	b.mu.Unlock()
	if want := []string{"8 ", "2 " + ForcePXE, "2 ", "10 "}; !slices.Equal(switched, want) {
		t.Errorf("switched %q; want %q", switched, want)
	}
	if want := []string{ForcePXE, ""}; !slices.Equal(b.Boots(), want) {
		t.Errorf("boots %q; want %q: on twice is one boot", b.Boots(), want)
	}
}

// Credentials that were seen are stale, and so are those of another run.
func TestReplay(t *testing.T) {
	b := New(Config{Username: "admin", Password: "P@ssw0rd"})
	ask := func(authorization string) (int, http.Header) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/wsman", strings.NewReader(""))
		r.Header.Set("Authorization", authorization)
		b.ServeHTTP(w, r)
		return w.Code, w.Header()
	}
	_, header := ask("")
	challenge, err := digest.FindChallenge(header)
	if err != nil {
		t.Fatal(err)
	}
	said := func(count int) string {
		c, err := digest.Digest(challenge, digest.Options{Method: http.MethodPost, URI: "/wsman", Username: "admin", Password: "P@ssw0rd", Count: count})
		if err != nil {
			t.Fatal(err)
		}
		return c.String()
	}
	for i, step := range []struct {
		authorization string
		in            bool
	}{{said(1), true}, {said(1), false}, {said(3), true}, {said(2), false}, {said(4), true}} {
		status, header := ask(step.authorization)
		if got := status != http.StatusUnauthorized; got != step.in {
			t.Errorf("request %d: status %d; want it let in: %t", i, status, step.in)
		}
		if stale := strings.Contains(header.Get("WWW-Authenticate"), `stale="true"`); stale == step.in {
			t.Errorf("request %d: challenge %q", i, header.Get("WWW-Authenticate"))
		}
	}
	b.ForgetNonces()
	if status, header := ask(said(5)); !strings.Contains(header.Get("WWW-Authenticate"), `stale="true"`) {
		t.Errorf("a forgotten nonce: %d %v; want it stale", status, header)
	}
}
