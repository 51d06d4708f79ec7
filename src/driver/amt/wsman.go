package amt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Namespaces and actions.
const (
	soap        = "http://www.w3.org/2003/05/soap-envelope"
	addressing  = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	anonymous   = addressing + "/role/anonymous"
	wsman       = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
	transferGet = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
	cim         = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/" // a class's name follows
)

// A selector picks an instance of a class.
type selector struct{ name, value string }

func (s selector) set() string {
	if s == (selector{}) {
		return ""
	}
	return `<wsman:SelectorSet><wsman:Selector Name="` + s.name + `">` + escape(s.value) + `</wsman:Selector></wsman:SelectorSet>`
}

// element is a child of a method's input.
func element(name, content string) string { return "<p:" + name + ">" + content + "</p:" + name + ">" }

// reference is the content of an element that refers to an instance.
func reference(class string, s selector) string {
	return "<wsa:Address>" + anonymous + "</wsa:Address><wsa:ReferenceParameters><wsman:ResourceURI>" + cim + class +
		"</wsman:ResourceURI>" + s.set() + "</wsa:ReferenceParameters>"
}

// A message is what is asked.
type message struct {
	to, action, class string
	selector          selector
	method, input     string // empty for Get
}

// encode writes the envelope. AMT wants no OptionSet and no mustUnderstand, and takes any MessageID.
func (m message) encode() []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="` + soap + `" xmlns:wsa="` + addressing + `" xmlns:wsman="` + wsman + `"><s:Header>`)
	fmt.Fprintf(&b, `<wsa:Action>%s</wsa:Action><wsa:To>%s</wsa:To><wsman:ResourceURI>%s</wsman:ResourceURI><wsa:MessageID>uuid:%s</wsa:MessageID>`,
		m.action, escape(m.to), cim+m.class, uuid.New())
	b.WriteString(`<wsa:ReplyTo><wsa:Address>` + anonymous + `</wsa:Address></wsa:ReplyTo>` + m.selector.set() + `</s:Header><s:Body>`)
	if m.method != "" {
		fmt.Fprintf(&b, `<p:%[1]s_INPUT xmlns:p="%[2]s">%[3]s</p:%[1]s_INPUT>`, m.method, cim+m.class, m.input)
	}
	b.WriteString(`</s:Body></s:Envelope>`)
	return b.Bytes()
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}

// A reply is what came back.
type reply struct {
	XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
	Body    struct {
		Fault   *fault `xml:"http://www.w3.org/2003/05/soap-envelope Fault"`
		Content []node `xml:",any"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Body"`
}

// A node is an element of which nothing is known.
type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// A fault is SOAP's way to say no.
type fault struct {
	Code struct {
		Value   string `xml:"http://www.w3.org/2003/05/soap-envelope Value"`
		Subcode struct {
			Value string `xml:"http://www.w3.org/2003/05/soap-envelope Value"`
		} `xml:"http://www.w3.org/2003/05/soap-envelope Subcode"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Code"`
	Reason []string `xml:"http://www.w3.org/2003/05/soap-envelope Reason>Text"`
}

// Error implements error.
func (f *fault) Error() string {
	code := f.Code.Subcode.Value
	if code == "" {
		code = f.Code.Value
	}
	text := "SOAP fault " + quote(code)
	if len(f.Reason) > 0 {
		text += ": " + quote(f.Reason[0])
	}
	if strings.HasSuffix(strings.TrimSpace(code), "AccessDenied") {
		text += "; check that the account may do this, and that user consent is none in MEBx"
	}
	return text
}

var errNoEnvelope = errors.New("the answer is no SOAP envelope")

// decode reads an answer. A *fault is returned as the error.
func decode(text []byte) (*reply, error) {
	var r reply
	if err := xml.Unmarshal(text, &r); err != nil {
		return nil, errNoEnvelope
	}
	if r.Body.Fault != nil {
		return nil, r.Body.Fault
	}
	return &r, nil
}

// find gives the text of the first element of that name.
func (r *reply) find(space, name string) (string, bool) { return find(r.Body.Content, space, name) }

func find(nodes []node, space, name string) (string, bool) {
	for _, n := range nodes {
		if n.XMLName == (xml.Name{Space: space, Local: name}) {
			return strings.TrimSpace(n.Text), true
		}
		if text, ok := find(n.Children, space, name); ok {
			return text, true
		}
	}
	return "", false
}

// quote shows text that came over the network: printable, and not more than a line of it.
func quote(text string) string {
	const enough = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > enough {
		text = text[:enough] + "..."
	}
	return strconv.QuoteToGraphic(text)
}
