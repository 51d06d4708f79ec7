package redfish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
)

// status is the HTTP status in an answer of the BMC that is an error; 0: it is something else.
func status(err error) int {
	if e, ok := errors.AsType[*schemas.Error](first(err)); ok {
		return e.HTTPReturnedStatusCode
	}
	return 0
}

// refused tells whether the BMC understood, and does not want to.
func refused(err error) bool {
	s := status(err)
	return s == http.StatusNotImplemented ||
		s >= 400 && s < 500 && s != http.StatusUnauthorized && s != http.StatusForbidden && s != http.StatusTooManyRequests
}

// first finds an error among those of a collection's members, which gofish gathers and does not unwrap.
func first(err error) error {
	if gathered, ok := errors.AsType[*schemas.CollectionError](err); ok {
		for _, one := range gathered.Failures {
			err = one
			if !refused(one) { // the more telling one
				break
			}
		}
	}
	return err
}

func unreachable(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

// says tells whether one of the messages of the BMC has an identifier that contains word.
func says(err error, word string) bool {
	e, ok := errors.AsType[*schemas.Error](first(err))
	if !ok {
		return false
	}
	if strings.Contains(e.Code, word) {
		return true
	}
	for _, m := range e.ExtendedInfos {
		if strings.Contains(m.MessageID, word) {
			return true
		}
	}
	return false
}

// say is what the BMC said, in a line, without secrets: some say back what they refuse.
func (a Access) say(err error) string {
	err = first(err)
	text := err.Error()
	if e, ok := errors.AsType[*schemas.Error](err); ok {
		words := []string{}
		for _, m := range e.ExtendedInfos {
			if word := strings.TrimSpace(m.Message + " " + m.MessageID); word != "" {
				words = append(words, word)
			}
		}
		if len(words) == 0 && e.Message != "" {
			words = append(words, e.Message)
		}
		text = strings.Replace(text, e.Error(), fmt.Sprintf("it answers %d %s", e.HTTPReturnedStatusCode, strings.Join(words, "; ")), 1)
	} else if outer, ok := errors.AsType[*url.Error](err); ok {
		text = strings.Replace(text, outer.Error(), outer.Err.Error(), 1)
	}
	if password := a.Password.Reveal(); password != "" {
		text = strings.ReplaceAll(text, password, "***")
	}
	const most = 600
	if text = strings.Join(strings.Fields(text), " "); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

func (a Access) where() string { return "BMC at " + a.Address }

// explain makes an error of an operation into one for people and callers: which node, which address, what to check.
func (a Access) explain(ctx context.Context, n *driver.Node, err error) error {
	where := fmt.Sprintf("node %s: %s", n.Label(), a.where())
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", where, ctx.Err())
	}
	if wrong, ok := errors.AsType[*driver.ParameterError](err); ok {
		return fmt.Errorf("%s: %w", where, wrong)
	}
	if errors.Is(err, driver.ErrUnsupported) || errors.Is(err, driver.ErrUnreachable) {
		return fmt.Errorf("%s: %w", where, err)
	}
	err = first(err)
	switch {
	case distrusted(err):
		problem := fmt.Sprintf("does not cover the certificate of the BMC (%s): give the file of the authority that signed it", a.say(err))
		return fmt.Errorf("%s: %w: %w", where, driver.ErrUntrusted, &driver.ParameterError{Key: a.Keys.Trust, Problem: problem})
	case errors.Is(err, errNoRedfish):
		return fmt.Errorf("%s: %w: %w: check %s, and that Redfish is switched on there",
			where, driver.ErrUnsupported, errNoRedfish, a.Keys.Address)
	case errors.Is(err, errNoSessions):
		return fmt.Errorf("%s: %w: %w: set %s to %s", where, driver.ErrUnsupported, errNoSessions, a.Keys.Auth, Basic)
	case status(err) == http.StatusUnauthorized:
		return fmt.Errorf("%s: %w (%s): check %s and its password, and that the account is not locked",
			where, driver.ErrAuthentication, a.say(err), a.Keys.Username)
	case status(err) == http.StatusForbidden && !says(err, "License"):
		return fmt.Errorf("%s: %w (%s): check the role of the account in %s",
			where, driver.ErrAuthentication, a.say(err), a.Keys.Username)
	case status(err) == 0 && strings.Contains(a.say(err), "protocol version"):
		return fmt.Errorf("%s: %w: it knows no TLS of today (%s), as an iLO 2 and 3: update its firmware, or use driver ipmi",
			where, driver.ErrUnsupported, a.say(err))
	case status(err) == 0 && unreachable(err):
		return fmt.Errorf("%s: %w (%s): check %s, and that the network between lets it through",
			where, driver.ErrUnreachable, a.say(err), a.Keys.Address)
	}
	return fmt.Errorf("%s: %s", where, a.say(err))
}

// distrusted tells whether the BMC's certificate is the trouble.
func distrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || name || invalid
}
