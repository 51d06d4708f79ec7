package amt

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
)

// body is a SOAP envelope with that content, prefixed as nobody here does.
func body(content string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="` + soap + `"><env:Header/><env:Body>` + content + `</env:Body></env:Envelope>`
}

func TestA8FindByNamespace(t *testing.T) {
	r, err := decode([]byte(body(`<x:Thing xmlns:x="urn:a" xmlns:y="urn:b"><y:PowerState>8</y:PowerState><x:Deeper><x:PowerState> 2
	</x:PowerState></x:Deeper></x:Thing>`)))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		space, name, want string
		ok                bool
	}{
		{"urn:a", "PowerState", "2", true},
		{"urn:b", "PowerState", "8", true},
		{"urn:c", "PowerState", "", false},
		{"", "PowerState", "", false},
		{"urn:a", "powerstate", "", false},
	}
	for _, tt := range tests {
		if got, ok := r.find(tt.space, tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("find(%q, %q) = %q, %t; want %q, %t", tt.space, tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// answering is a node whose AMT says the same to everything.
func answering(t *testing.T, status int, text string) *driver.Node {
	t.Helper()
	_, n := newBMC(t, bmc.Config{}, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
	})
	return n
}

const faultText = `<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>w:AccessDenied</env:Value></env:Subcode></env:Code>` +
	`<env:Reason><env:Text xml:lang="en-US">The sender was not authorized.</env:Text></env:Reason></env:Fault>`

func TestAnswers(t *testing.T) {
	instance := func(content string) string {
		return body(`<h:` + associatedPower + ` xmlns:h="` + cim + associatedPower + `">` + content + `</h:` + associatedPower + `>`)
	}
	tests := []struct {
		name   string
		status int
		text   string
		want   error  // nil: any
		says   string // empty: all is well
	}{
		{"A9 no document", 200, "", driver.ErrUnreachable, "empty answer"},
		{"A10 Get ok", 200, instance(`<h:PowerState>2</h:PowerState>`), nil, ""},
		{"A11 Fault", 400, body(faultText), nil, `SOAP fault "w:AccessDenied": "The sender was not authorized."`},
		{"A11 Fault with status 200", 200, body(faultText), nil, `SOAP fault "w:AccessDenied"`},
		{"missing element", 200, instance(``), nil, "has no PowerState"},
		{"element of another namespace", 200, instance(`<PowerState xmlns="urn:x">2</PowerState>`), nil, "has no PowerState"},
		{"no number", 200, instance(`<h:PowerState>on</h:PowerState>`), nil, `"on" is no number`},
		{"status 403", 403, "<html>no</html>", driver.ErrAuthentication, "realms"},
		{"status 404", 404, "<html>not here</html>", nil, "HTTP status 404"},
		{"status 500 without a fault", 500, instance(`<h:PowerState>2</h:PowerState>`), nil, "HTTP status 500"},
		{"a redirect is not followed", 307, "elsewhere", nil, "HTTP status 307"},
		{"another service", 200, "<html><body>It works!</body></html>", nil, "no SOAP envelope"},
		{"cut short", 200, instance(`<h:PowerState>2</h:PowerState>`)[:300], nil, "no SOAP envelope"},
		{"binary", 200, "\x00\x01\x02", nil, "no SOAP envelope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newHardware(nil).PowerState(t.Context(), answering(t, tt.status, tt.text))
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			said(t, err, "3f2c", "127.0.0.1:", tt.says)
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("PowerState = %v; want %v", err, tt.want)
			}
		})
	}
}

func TestInvoke(t *testing.T) {
	output := func(content string) string {
		return body(`<g:M_OUTPUT xmlns:g="` + cim + `CIM_Thing">` + content + `</g:M_OUTPUT>`)
	}
	tests := []struct {
		name, text, says string // says empty: all is well
	}{
		{"A12 ok", output(`<g:ReturnValue>0</g:ReturnValue>`), ""},
		{"A13 ReturnValue 2", output(`<g:ReturnValue>2</g:ReturnValue>`), `ReturnValue "2"`},
		{"no ReturnValue", output(``), "no ReturnValue"},
		{"a fault", body(faultText), "SOAP fault"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := newHardware(nil).open(answering(t, 200, tt.text))
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			err = c.invoke(t.Context(), call{class: "CIM_Thing", method: "M"})
			if tt.says != "" {
				said(t, err, "3f2c", "M: ", tt.says)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A12: what goes over the wire, with and without input, read by another decoder than ours.
func TestA12Envelope(t *testing.T) {
	type envelope struct {
		Header struct {
			Action, To, ResourceURI, MessageID string
			ReplyTo                            struct{ Address string }
			SelectorSet                        struct {
				Selector struct {
					Name string `xml:"Name,attr"`
					Text string `xml:",chardata"`
				}
			}
		}
		Body struct {
			Inner string `xml:",innerxml"`
		}
	}
	const to = `http://amt.example:16992/wsman?a="<&`
	tests := []struct {
		m            message
		action, body string
	}{
		{message{to: to, action: transferGet, class: associatedPower}, transferGet, ""},
		{
			message{to: to, action: cim + "CIM_Thing/M", class: "CIM_Thing", selector: selector{"Name", "Intel(r) <&>"}, method: "M"},
			cim + "CIM_Thing/M", `<p:M_INPUT xmlns:p="` + cim + `CIM_Thing"></p:M_INPUT>`,
		},
		{
			message{to: to, action: cim + "CIM_Thing/M", class: "CIM_Thing", method: "M", input: element("Role", "1")},
			cim + "CIM_Thing/M", `<p:M_INPUT xmlns:p="` + cim + `CIM_Thing"><p:Role>1</p:Role></p:M_INPUT>`,
		},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		var e envelope
		if err := xml.Unmarshal(tt.m.encode(), &e); err != nil {
			t.Fatal(err)
		}
		h := e.Header
		if h.Action != tt.action || h.To != to || h.ResourceURI != cim+tt.m.class || h.ReplyTo.Address != anonymous ||
			h.SelectorSet.Selector.Name != tt.m.selector.name || h.SelectorSet.Selector.Text != tt.m.selector.value {
			t.Errorf("header %+v of %+v", h, tt.m)
		}
		if !strings.HasPrefix(h.MessageID, "uuid:") || seen[h.MessageID] {
			t.Errorf("MessageID %q; want one of its own", h.MessageID)
		}
		seen[h.MessageID] = true
		if e.Body.Inner != tt.body {
			t.Errorf("body %q; want %q", e.Body.Inner, tt.body)
		}
	}
}

// However large a reply is, it is cut and refused; however deep, it ends.
func TestMonstrousReply(t *testing.T) {
	for name, text := range map[string]string{
		"large": body(strings.Repeat("<x/>", maxReply)),
		"deep":  body(strings.Repeat("<x>", 100_000)),
	} {
		_, err := newHardware(nil).PowerState(t.Context(), answering(t, 200, text))
		if err == nil || len(err.Error()) > 500 {
			t.Errorf("%s: %v; want a short error", name, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(body(faultText)))
	f.Add([]byte(body(`<h:CIM_X xmlns:h="` + cim + associatedPower + `"><h:PowerState>2</h:PowerState></h:CIM_X>`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decode(text)
		if err != nil {
			if said := err.Error(); len(said) > 2000 || strings.ContainsFunc(said, func(r rune) bool { return r < ' ' }) {
				t.Errorf("decode(%q) = %q", text, said)
			}
			return
		}
		value, ok := r.find(cim+associatedPower, "PowerState")
		if !ok && value != "" {
			t.Errorf("find = %q, false", value)
		}
		// What was found is text that XML can say again.
		if again, err := decode([]byte(body(`<h:X xmlns:h="` + cim + associatedPower + `"><h:PowerState>` + escape(value) + `</h:PowerState></h:X>`))); err != nil {
			t.Errorf("%q: %v", value, err)
		} else if same, _ := again.find(cim+associatedPower, "PowerState"); same != value {
			t.Errorf("%q became %q", value, same)
		}
	})
}
