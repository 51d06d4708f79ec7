package amt

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	soap        = "http://www.w3.org/2003/05/soap-envelope"
	addressing  = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	wsman       = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
	transferGet = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
	enumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	cim         = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"

	powerClass   = "CIM_AssociatedPowerManagementService"
	elementClass = "CIM_ServiceAvailableToElement" // enumerating it gives instances of powerClass
)

// A request is what we understand of an envelope. Namespaces count, prefixes do not; a selector's Name may have one.
type request struct {
	XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
	Header  struct {
		Action      string `xml:"http://schemas.xmlsoap.org/ws/2004/08/addressing Action"`
		MessageID   string `xml:"http://schemas.xmlsoap.org/ws/2004/08/addressing MessageID"`
		ResourceURI string `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd ResourceURI"`
		To          string `xml:"http://schemas.xmlsoap.org/ws/2004/08/addressing To"`
		SelectorSet set    `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd SelectorSet"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Header"`
	Body struct {
		Content []input `xml:",any"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Body"`
}

// An input is an element with those children that some method has.
type input struct {
	XMLName           xml.Name
	PowerState        []value     `xml:"PowerState"`
	Role              []value     `xml:"Role"`
	ManagedElement    []reference `xml:"ManagedElement"`
	Source            []reference `xml:"Source"`
	BootConfigSetting []reference `xml:"BootConfigSetting"`
}

type value struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

type reference struct {
	XMLName    xml.Name
	Parameters struct {
		ResourceURI string `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd ResourceURI"`
		SelectorSet set    `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd SelectorSet"`
	} `xml:"http://schemas.xmlsoap.org/ws/2004/08/addressing ReferenceParameters"`
}

type set struct {
	Selectors []struct {
		Name string `xml:"Name,attr"`
		Text string `xml:",chardata"`
	} `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd Selector"`
}

func (s set) get(name string) string {
	for _, selector := range s.Selectors {
		if selector.Name == name {
			return selector.Text
		}
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (b *BMC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !b.access.admit(w, r) {
		return
	}
	var req request
	switch text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16)); {
	case r.URL.Path != "/wsman":
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	case err != nil:
		http.Error(w, "no body", http.StatusBadRequest)
		return
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/soap+xml"):
		http.Error(w, "SOAP only", http.StatusUnsupportedMediaType)
		return
	case xml.Unmarshal(text, &req) != nil:
		fault(w, &req, "SchemaValidationError", "The supplied SOAP violates the corresponding XML schema definition.")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dispatch(w, &req)
}

// dispatch answers; the mutex is held.
func (b *BMC) dispatch(w http.ResponseWriter, req *request) {
	h := req.Header
	class, known := strings.CutPrefix(h.ResourceURI, cim)
	if h.To == "" || h.MessageID == "" || !known {
		fault(w, req, "InvalidMessageInformationHeader", "A header is missing, or makes no sense.")
		return
	}
	switch {
	case h.Action == transferGet && class == powerClass:
		b.calls = append(b.calls, "Get "+class)
		if b.faults["Get"] {
			fault(w, req, "AccessDenied", "The sender was not authorized to access the resource.")
			return
		}
		answer(w, req, transferGet+"Response", b.instance())
	case h.Action == enumeration+"/Enumerate" && class == elementClass:
		answer(w, req, h.Action+"Response", `<x:EnumerateResponse xmlns:x="`+enumeration+
			`"><x:EnumerationContext>92340000-0000-0000-0000-000000000000</x:EnumerationContext></x:EnumerateResponse>`)
	case h.Action == enumeration+"/Pull" && class == elementClass:
		answer(w, req, h.Action+"Response", `<x:PullResponse xmlns:x="`+enumeration+`"><x:Items>`+b.instance()+
			`</x:Items><x:EndOfSequence></x:EndOfSequence></x:PullResponse>`)
	case strings.HasPrefix(h.Action, h.ResourceURI+"/"):
		b.invoke(w, req, class, strings.TrimPrefix(h.Action, h.ResourceURI+"/"))
	default:
		fault(w, req, "DestinationUnreachable", "No route can be determined to reach the destination role defined by the WSAddressing To.")
	}
}

func (b *BMC) instance() string {
	return fmt.Sprintf(`<h:%[1]s xmlns:h="%[2]s%[1]s"><h:AvailableRequestedPowerStates>10</h:AvailableRequestedPowerStates>`+
		`<h:AvailableRequestedPowerStates>8</h:AvailableRequestedPowerStates><h:PowerState>%[3]d</h:PowerState></h:%[1]s>`, powerClass, cim, b.state)
}

// methods have, with their class, the selector that the header may name, and what carries them out.
var methods = map[string]struct {
	class, selector, value string
	do                     func(*BMC, input) (detail string, value int)
}{
	"RequestPowerStateChange": {"CIM_PowerManagementService", "Name", "Intel(r) AMT Power Management Service", (*BMC).doPower},
	"ChangeBootOrder":         {"CIM_BootConfigSetting", "InstanceID", bootConfiguration, (*BMC).doOrder},
	"SetBootConfigRole":       {"CIM_BootService", "Name", "Intel(r) AMT Boot Service", (*BMC).doRole},
}

func (b *BMC) invoke(w http.ResponseWriter, req *request, class, method string) {
	m, known := methods[method]
	if !known || m.class != class {
		fault(w, req, "ActionNotSupported", "The action is not supported by the service.")
		return
	}
	in := req.Body.Content
	if len(in) != 1 || in[0].XMLName != (xml.Name{Space: cim + class, Local: method + "_INPUT"}) {
		fault(w, req, "SchemaValidationError", "The supplied SOAP violates the corresponding XML schema definition.")
		return
	}
	if given := req.Header.SelectorSet; len(given.Selectors) > 0 && given.get(m.selector) != m.value {
		fault(w, req, "InvalidSelectors", "The Selectors for the resource are not valid.")
		return
	}
	if b.faults[method] {
		fault(w, req, "AccessDenied", "The sender was not authorized to access the resource.")
		return
	}
	was := len(b.calls)
	b.calls = append(b.calls, method)
	value := b.returns[method]
	detail := ""
	if value == ReturnOK {
		detail, value = m.do(b, in[0])
		b.calls[was] = strings.TrimSpace(method + " " + detail)
	}
	answer(w, req, req.Header.Action+"Response", fmt.Sprintf(`<g:%[1]s_OUTPUT xmlns:g="%[2]s"><g:ReturnValue>%[3]d</g:ReturnValue></g:%[1]s_OUTPUT>`,
		method, cim+class, value))
}

// number is the one child of a class's namespace; -1: there is none.
func number(class string, values []value) int {
	if len(values) != 1 || values[0].XMLName.Space != cim+class {
		return -1
	}
	n, err := strconv.Atoi(values[0].Text)
	if err != nil {
		return -1
	}
	return n
}

// selected is what a reference to an instance of a class names; empty: it does not.
func selected(space, class, selector string, references []reference) string {
	if len(references) != 1 || references[0].XMLName.Space != cim+space || references[0].Parameters.ResourceURI != cim+class {
		return ""
	}
	return references[0].Parameters.SelectorSet.get(selector)
}

const bootConfiguration = "Intel(r) AMT: Boot Configuration 0"

func (b *BMC) doPower(in input) (string, int) {
	const class = "CIM_PowerManagementService"
	state := number(class, in.PowerState)
	if selected(class, "CIM_ComputerSystem", "Name", in.ManagedElement) != "ManagedSystem" {
		return "without ManagedElement", returnBadArg
	}
	return strconv.Itoa(state), b.requestPowerState(state)
}

func (b *BMC) doOrder(in input) (string, int) {
	source := selected("CIM_BootConfigSetting", "CIM_BootSourceSetting", "InstanceID", in.Source)
	if !slices.Contains([]string{ForcePXE, ForceDisk, ForceCD}, source) {
		return source, returnBadArg
	}
	b.source = source
	return source, ReturnOK
}

func (b *BMC) doRole(in input) (string, int) {
	const class = "CIM_BootService"
	role := number(class, in.Role)
	if selected(class, "CIM_BootConfigSetting", "InstanceID", in.BootConfigSetting) != bootConfiguration || (role != 1 && role != 32768) {
		return strconv.Itoa(role), returnBadArg
	}
	b.armed = role == 1 && b.source != "" // 1: next single use; 32768: not next
	return strconv.Itoa(role), ReturnOK
}

const envelope = `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="` + soap + `" xmlns:b="` + addressing + `" xmlns:c="` + wsman +
	`"><a:Header><b:To>` + addressing + `/role/anonymous</b:To><b:RelatesTo>%s</b:RelatesTo><b:Action a:mustUnderstand="true">%s</b:Action>` +
	`<b:MessageID>uuid:00000000-8086-8086-8086-0000000003B8</b:MessageID>%s</a:Header><a:Body>%s</a:Body></a:Envelope>`

func answer(w http.ResponseWriter, req *request, action, body string) {
	w.Header().Set("Content-Type", "application/soap+xml; charset=UTF-8")
	_, _ = fmt.Fprintf(w, envelope, escape(req.Header.MessageID), action, "<c:ResourceURI>"+escape(req.Header.ResourceURI)+"</c:ResourceURI>", body)
}

func fault(w http.ResponseWriter, req *request, code, reason string) {
	w.Header().Set("Content-Type", "application/soap+xml; charset=UTF-8")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, envelope, escape(req.Header.MessageID), addressing+"/fault", "", `<a:Fault><a:Code><a:Value>a:Sender</a:Value><a:Subcode><a:Value>c:`+
		code+`</a:Value></a:Subcode></a:Code><a:Reason><a:Text xml:lang="en-US">`+reason+`</a:Text></a:Reason><a:Detail></a:Detail></a:Fault>`)
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
