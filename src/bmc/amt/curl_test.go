//go:build integration

package amt

import (
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// curl's digest authentication, which somebody else wrote, passes ours, in every form that ours has.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatalf("%v: install Debian's package curl", err)
	}
	const password = `P@ss"w\ord1!`
	get := `<Envelope xmlns="` + soap + `"><Header><a:Action xmlns:a="` + addressing + `">` + transferGet + `</a:Action><a:To xmlns:a="` + addressing +
		`">/wsman</a:To><w:ResourceURI xmlns:w="` + wsman + `">` + cim + powerClass + `</w:ResourceURI><a:MessageID xmlns:a="` + addressing +
		`">1</a:MessageID></Header><Body/></Envelope>`
	for name, cfg := range map[string]Config{
		"MD5": {}, "MD5 by name": {Algorithm: "MD5"}, "SHA-256": {Algorithm: "SHA-256"}, "without qop": {WithoutQOP: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Username, cfg.Password = "admin", password
			b := New(cfg)
			server := httptest.NewServer(b)
			defer server.Close()
			curl := func(password string) string {
				out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--noproxy", "*", "--max-time", "30", "--digest", "-u", "admin:"+password,
					"-H", "Content-Type: application/soap+xml;charset=UTF-8", "-d", get, server.URL+"/wsman").CombinedOutput()
				if err != nil {
					t.Errorf("curl: %v\n%s", err, out)
				}
				return string(out)
			}
			if got := curl(password); !strings.Contains(got, ":PowerState>8<") || b.Refusals() != 1 {
				t.Errorf("curl got %s with %d challenges; want the power state, and 1", got, b.Refusals())
			}
			if got := curl("wrong"); strings.Contains(got, "PowerState") {
				t.Errorf("curl with a wrong password got %s", got)
			}
		})
	}
}
