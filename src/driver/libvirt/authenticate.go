package libvirt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	libvirtrpc "github.com/digitalocean/go-libvirt"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/internal/sasl"
)

// The part of libvirt's protocol that comes before go-libvirt, which knows no SASL and could not put a layer under
// itself. Procedures and types are in libvirt's src/remote/remote_protocol.x.
const (
	remoteProgram = 0x20008086
	remoteVersion = 1
	headerSize    = 28

	procAuthList  = 66
	procSASLInit  = 67
	procSASLStart = 68
	procSASLStep  = 69

	authSASL = 1
)

// Packets are at most that long (virnetprotocol.x, VIR_NET_MESSAGE_MAX), and SASL's data (REMOTE_AUTH_SASL_DATA_MAX).
const (
	maxPacket   = 32<<20 + 4
	maxSASLData = 65536
)

// No mechanism of ours needs that many messages.
const mostSteps = 8

// authenticate asks the daemon how it wants to be talked to and, where that is SASL, does so. The connection that it
// returns is to be used from then on.
func authenticate(conn net.Conn, p parameters) (net.Conn, error) {
	d := dialogue{conn: conn}
	answer, err := d.call(procAuthList, nil)
	if err != nil {
		return nil, err
	}
	if wants := answer.list(); answer.bad || !slices.Contains(wants, authSASL) {
		return conn, answer.problem() // nothing, or what go-libvirt can do: polkit
	}
	if p.username == "" {
		return nil, fmt.Errorf("%w: the daemon wants SASL: set sasl_username and sasl_password", driver.ErrAuthentication)
	}
	answer, err = d.call(procSASLInit, nil)
	if err != nil {
		return nil, err
	}
	offered := answer.text(maxSASLData)
	if err := answer.problem(); err != nil {
		return nil, err
	}
	login := sasl.Login{
		Username: p.username, Password: p.Password, Service: "libvirt", Host: p.target.host, Private: p.target.transport != "tcp",
	}
	if login.Host == "" {
		login.Host = "localhost" // as libvirt's own client has it
	}
	mechanism, exchange, err := sasl.New(strings.Split(offered, ","), login)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: see mech_list in the daemon's sasl2/libvirt.conf", driver.ErrAuthentication, err)
	}
	if err := d.exchange(mechanism, exchange); err != nil {
		return nil, fmt.Errorf("SASL as %s: %w", p.username, err)
	}
	return exchange.Secure(conn), nil
}

// exchange carries SASL's messages both ways.
func (d *dialogue) exchange(mechanism string, e sasl.Exchange) error {
	answer, err := d.call(procSASLStart, append(xdrText(mechanism), saslData(e.Start())...))
	for range mostSteps {
		if err != nil {
			return err
		}
		complete, message := answer.number() != 0, answer.saslData()
		if err := answer.problem(); err != nil {
			return err
		}
		var reply []byte
		if message != nil || !complete {
			if reply, err = e.Step(message); err != nil {
				return err
			}
		}
		switch {
		case complete && e.Complete():
			return nil
		case complete:
			return errUnproven
		}
		answer, err = d.call(procSASLStep, saslData(reply))
	}
	return errors.New("the daemon does not come to an end")
}

var errUnproven = errors.New("the daemon ends it without a proof that it knows the password: it is not the one that it seems to be")

// dialogue is calls and replies, one after the other.
type dialogue struct {
	conn   net.Conn
	serial uint32
}

func (d *dialogue) call(procedure uint32, args []byte) (*xdr, error) {
	d.serial++
	packet := make([]byte, 0, headerSize+len(args))
	for _, field := range []uint32{uint32(headerSize + len(args)), remoteProgram, remoteVersion, procedure, 0, d.serial, 0} { //nolint:gosec // short
		packet = binary.BigEndian.AppendUint32(packet, field)
	}
	if _, err := d.conn.Write(append(packet, args...)); err != nil {
		return nil, lost(err)
	}
	packet, err := readPacket(d.conn)
	if err != nil {
		return nil, lost(err)
	}
	if kindOf(packet) != kindReply || serialOf(packet) != d.serial {
		return nil, errNoLibvirt
	}
	answer := &xdr{rest: packet[headerSize:]}
	if statusOf(packet) == 0 {
		return answer, nil
	}
	refusal := libvirtrpc.Error{Code: answer.number()}
	answer.number() // the part of libvirt that it comes from
	if answer.number() != 0 {
		refusal.Message = answer.text(maxPacket)
	}
	return nil, explain(refusal)
}

var errNoLibvirt = errors.New("what answers does not speak libvirt's protocol: check address and port")

const kindReply = 1

func kindOf(packet []byte) uint32   { return binary.BigEndian.Uint32(packet[16:]) }
func serialOf(packet []byte) uint32 { return binary.BigEndian.Uint32(packet[20:]) }
func statusOf(packet []byte) uint32 { return binary.BigEndian.Uint32(packet[24:]) }

// readPacket reads one packet whole.
func readPacket(r io.Reader) ([]byte, error) {
	var packet bytes.Buffer
	if _, err := io.CopyN(&packet, r, 4); err != nil {
		return nil, unexpected(err)
	}
	size := binary.BigEndian.Uint32(packet.Bytes())
	if size < headerSize || size > maxPacket {
		return nil, errNoLibvirt
	}
	if _, err := io.CopyN(&packet, r, int64(size)-4); err != nil { // it grows with what comes, not with what is announced
		return nil, unexpected(err)
	}
	return packet.Bytes(), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it closed the connection")
	}
	return err
}
