package sasl

import (
	"errors"
	"net"
)

// plain is RFC 4616: the password itself.
type plain struct {
	login Login
	sent  bool
}

func (p *plain) Start() []byte {
	p.sent = true
	return []byte("\x00" + p.login.Username + "\x00" + p.login.Password.Reveal())
}

func (p *plain) Step(message []byte) ([]byte, error) {
	if len(message) > 0 {
		return nil, errors.New("PLAIN: the server asks for more than name and password")
	}
	return nil, nil
}

func (p *plain) Complete() bool { return p.sent }

func (p *plain) Secure(conn net.Conn) net.Conn { return conn }
