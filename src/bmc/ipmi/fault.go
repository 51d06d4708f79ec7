package ipmi

import (
	"context"
	"net"
	"time"

	"github.com/bougou/go-ipmi/pkg/bmc"

	"bosh-ironic-cpi/src/wait"
)

// A Fault is what is wrong with a BMC. The zero value is nothing.
type Fault struct {
	Silent       bool          // nothing is answered
	SilentSuites bool          // Open Session with a cipher suite that it does not have is not answered, instead of refused
	Late         time.Duration // each answer comes so much later
	WrongSession bool          // answers in RMCP+ sessions bear the number of another session
	Forged       bool          // the last byte of answers in sessions is changed on the way
	Refuse       bool          // the password is not the one that it was
	Stuck        bool          // the machine does not follow, and the BMC does not say so
	Lose         int           // so many answers are lost, then no more
	Deaf         int           // so many packets that are sent to it are lost, then no more
}

// Break sets the BMC's fault.
func (b *BMC) Break(f Fault) {
	b.mu.Lock()
	b.fault = f
	b.mu.Unlock()
	password := b.cfg.Password
	if f.Refuse {
		password = "not " + password[:min(len(password), 12)]
	}
	_ = b.core.Users.Update(user, func(u *bmc.User) error {
		u.SetPassword([]byte(password))
		return nil
	})
}

// A wire is the BMC's socket, with its faults.
type wire struct {
	net.PacketConn
	bmc  *BMC
	done context.Context //nolint:containedctx // the BMC's life, as long as the socket's
}

// ReadFrom takes what was sent to the BMC, and loses what the fault wants to be lost.
func (w *wire) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := w.PacketConn.ReadFrom(p)
		w.bmc.mu.Lock()
		lost := err == nil && w.bmc.fault.Deaf > 0
		if lost {
			w.bmc.fault.Deaf--
		}
		w.bmc.mu.Unlock()
		if !lost {
			return n, from, err
		}
	}
}

// Where things are in a packet (IPMI 2.0, table 13-8).
const (
	atAuthType    = 4
	atPayloadType = 5
	atSession     = 6
	atStatus      = 17 // of Open Session Response
	rmcpPlus      = 0x06
)

// WriteTo sends an answer, if the fault lets it.
func (w *wire) WriteTo(p []byte, to net.Addr) (int, error) {
	w.bmc.mu.Lock()
	f := w.bmc.fault
	lost := f.Lose > 0
	if lost {
		w.bmc.fault.Lose--
	}
	w.bmc.mu.Unlock()
	plus := len(p) > 16 && p[atAuthType] == rmcpPlus
	inSession := plus && p[atSession]|p[atSession+1]|p[atSession+2]|p[atSession+3] != 0
	const openSessionResponse = 0x11
	switch {
	case f.Silent || lost, f.SilentSuites && plus && p[atPayloadType] == openSessionResponse && p[atStatus] != 0:
		return len(p), nil
	case f.WrongSession && inSession:
		p[atSession] ^= 0xff
	case f.Forged && inSession:
		p[len(p)-1] ^= 0xff
	}
	if f.Late > 0 {
		w.bmc.later(func() {
			if wait.Pause(w.done, f.Late) == nil {
				_, _ = w.PacketConn.WriteTo(p, to)
			}
		})
		return len(p), nil
	}
	return w.PacketConn.WriteTo(p, to)
}
