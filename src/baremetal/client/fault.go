package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"bosh-ironic-cpi/src/baremetal"
)

// An outcome says what an attempt that failed leaves to do.
type outcome int

const (
	final    outcome = iota // asking again gives the same answer
	passing                 // nothing has happened, and the reason ends by itself
	stumbled                // a question that the server broke on: its database may be busy, or it always will
	lost                    // it was sent, no answer came: it may have happened, may still happen, or not at all
)

// refusal reads an answer with an error status (Ironic 21.4; only the texts tell some cases apart).
func refusal(op, method string, e gophercloud.ErrUnexpectedResponseCode) (outcome, error) {
	text := textOf(e.Body)
	o, kind := kindOf(method, e.Actual, text)
	switch {
	case e.Actual >= 300 && e.Actual < 400:
		text = "the server redirects to " + redactURLs(e.ResponseHeader.Get("Location")) + ": set that URL"
	case e.Actual == http.StatusNotFound && !isBareMetal(e.ResponseHeader):
		// To take a proxy's 404 for Ironic's would declare a VM gone that runs.
		kind, text = baremetal.ErrUnavailable, "the answer 404 does not come from a Bare Metal API: check the URL"
	}
	return o, &baremetal.APIError{Op: op, Status: e.Actual, Text: text, Kind: kind}
}

func kindOf(method string, status int, text string) (outcome, error) {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch status {
	case http.StatusUnauthorized:
		return final, baremetal.ErrUnauthorized
	case http.StatusForbidden:
		if has("is protected") {
			return final, baremetal.ErrWrongState
		}
		return final, baremetal.ErrUnauthorized
	case http.StatusNotFound:
		return final, baremetal.ErrNotFound
	case http.StatusNotAcceptable:
		return final, baremetal.ErrVersion
	case http.StatusConflict:
		switch {
		case has("is locked by host", "while a state transition is in progress"):
			return passing, baremetal.ErrLocked
		case has("associated with"):
			return final, baremetal.ErrAssociated
		case has("already exists"):
			return final, baremetal.ErrTaken
		}
		return final, baremetal.ErrWrongState
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return passing, baremetal.ErrUnavailable
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout:
		return noAnswer(method)
	case http.StatusInternalServerError:
		switch {
		case has("Unable to establish connection"): // the API found no conductor; reads work all the while
			return passing, baremetal.ErrUnavailable
		case has("database is locked"): // SQLite refused the transaction, whole
			return passing, baremetal.ErrUnavailable
		case has("Timed out waiting for a reply"): // the conductor has the request
			return noAnswer(method)
		case method == http.MethodGet:
			return stumbled, baremetal.ErrUnavailable
		}
		return final, baremetal.ErrUnavailable // often a fault of what was sent: "'value'"
	}
	switch {
	case status > http.StatusInternalServerError:
		return final, baremetal.ErrUnavailable
	case has("can not be performed", "can't be performed", "while it is in state"):
		return final, baremetal.ErrWrongState
	case has("No conductor service registered") && (method == http.MethodPut || method == http.MethodDelete):
		return final, baremetal.ErrUnavailable // the node's conductors are gone; on POST and PATCH the driver is wrong
	}
	return final, baremetal.ErrInvalid
}

// silence reads an error of the connection. ctx is the caller's, sent says whether the request may have left.
func (c *Client) silence(ctx context.Context, op, method string, err error, sent bool) (outcome, error) {
	if wrapped, ok := errors.AsType[*url.Error](err); ok { // it repeats method and URL, its cause says what happened
		err = wrapped.Err
	}
	o, kind := noAnswer(method)
	text := redactURLs(err.Error())
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		name        *net.DNSError
	)
	switch {
	case errors.As(err, &certificate):
		o, kind = final, baremetal.ErrUnauthorized
		text += ": set the CA that signed the server's certificate"
	case errors.As(err, &alert):
		o, kind = final, baremetal.ErrUnauthorized
		text += ": the server refused the TLS handshake; it may want a client certificate"
	case errors.Is(err, http.ErrSchemeMismatch):
		o, kind = final, baremetal.ErrInvalid
		text += ": set an http:// URL"
	case errors.As(err, &name) && name.IsNotFound:
		o, kind = final, baremetal.ErrUnavailable
	case !sent:
		o, kind = passing, baremetal.ErrUnavailable
	}
	switch {
	case ctx.Err() != nil:
		text = "" // do adds the caller's reason
	case errors.Is(err, context.DeadlineExceeded):
		text = fmt.Sprintf("no answer within %v", c.timeout)
	}
	return o, &baremetal.APIError{Op: op, Text: text, Kind: kind}
}

// noAnswer is what a request is whose answer did not come: a question can be asked again, of anything else
// nobody knows whether it happened.
func noAnswer(method string) (outcome, error) {
	if method == http.MethodGet {
		return passing, baremetal.ErrUnavailable
	}
	return lost, baremetal.ErrAmbiguous
}

// textOf finds Ironic's words in the body of an error. They come in three forms: JSON in a string in JSON with
// faultstring or description, the same with HTML or plain text inside, and http_basic's {"error": {"message"}},
// which is Keystone's too. Anything else is given as it is, cut.
func textOf(body []byte) string {
	var outer struct {
		Message json.RawMessage `json:"error_message"`
		Error   struct{ Message string }
	}
	var inner struct{ FaultString, Description, Title string }
	var quoted string
	if json.Unmarshal(body, &outer) == nil {
		raw := []byte(outer.Message)
		if json.Unmarshal(raw, &quoted) == nil {
			raw = []byte(quoted)
		}
		_ = json.Unmarshal(raw, &inner) // what is no JSON is tried as text below
	} else {
		quoted = string(body)
	}
	for _, t := range []string{inner.FaultString, inner.Description, inner.Title, outer.Error.Message, quoted} {
		if t = tidy(t); t != "" {
			return t
		}
	}
	return ""
}

// textLimit is how much of somebody else's words an error repeats, in bytes.
const textLimit = 2000

var (
	tags     = regexp.MustCompile(`(?s)<(style|script|title)[^>]*>.*?</(style|script|title)>|<[^>]*>`)
	userInfo = regexp.MustCompile(`(://)[^/\s@"']*@`)
)

func tidy(text string) string {
	if strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = tags.ReplaceAllString(text, " ")
	}
	text = redactURLs(strings.Join(strings.Fields(text), " "))
	if len(text) > textLimit {
		text = strings.ToValidUTF8(text[:textLimit], "") + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

// redactURLs takes user names and passwords out of URLs: Ironic repeats those of images.
func redactURLs(text string) string { return userInfo.ReplaceAllString(text, "${1}***@") }
