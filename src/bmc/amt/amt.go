// Package amt is the far end of Intel AMT: a management engine that speaks WS-Management behind HTTP digest
// authentication, for the rack and for tests. It switches nothing by itself: whoever makes one hears of each switch.
//
// It knows what package driver/amt asks, and Enumerate and Pull of the power state, which Intel's own library uses
// instead of Get. It answers in the form of an AMT 12, as Intel's library has it recorded. It does no TLS: put it behind a
// server that does.
//
// Specified in DMTF DSP0226 (WS-Management), RFC 7616 (digest) and Intel's AMT Implementation and Reference Guide. Start
// reading at [BMC.ServeHTTP].
package amt

import (
	"slices"
	"sync"
)

// The power states of CIM_PowerManagementService that a BMC switches to; others are only shown.
const (
	On          = 2
	CycleSoft   = 5
	Off         = 8
	MasterReset = 10
)

// What methods return: done, or another value than they take.
const (
	ReturnOK     = 0
	returnBadArg = 5
)

// What a machine boots from if it is told to.
const (
	ForcePXE  = "Intel(r) AMT: Force PXE Boot"
	ForceDisk = "Intel(r) AMT: Force Hard-drive Boot"
	ForceCD   = "Intel(r) AMT: Force CD/DVD Boot"
)

// A Config is what MEBx would ask for.
type Config struct {
	Username, Password string
	Algorithm          string // of the digest: MD5, which is the default, or SHA-256
	WithoutQOP         bool   // the digest of RFC 2069
	// Switched hears each power state that was asked for and followed, and what the machine boots from if it starts
	// (empty: what its BIOS says). It is called one at a time. May be nil.
	Switched func(state int, source string)
}

// A BMC is one machine's management engine. Safe for concurrent use.
type BMC struct {
	cfg    Config
	access access

	mu      sync.Mutex
	state   int
	source  string // ordered by ChangeBootOrder
	armed   bool   // the next boot uses it, and no further one
	booted  []string
	calls   []string
	deaf    bool
	returns map[string]int
	faults  map[string]bool
}

// New makes one whose machine is off.
func New(cfg Config) *BMC {
	b := &BMC{cfg: cfg, state: Off, returns: map[string]int{}, faults: map[string]bool{}}
	b.access = access{cfg: cfg, nonces: map[string]uint64{}}
	return b
}

// PowerState is the machine's, in CIM's numbers.
func (b *BMC) PowerState() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// SetPowerState changes it as if somebody stood at the machine.
func (b *BMC) SetPowerState(state int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = state
}

// Boots are the sources of all boots so far, oldest first; an empty one was the BIOS's choice.
func (b *BMC) Boots() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.booted)
}

// Calls are the operations asked for by who may, oldest first: "Get CIM_AssociatedPowerManagementService",
// "RequestPowerStateChange 8", "ChangeBootOrder Intel(r) AMT: Force PXE Boot".
func (b *BMC) Calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// Ignore makes the machine take power states without following, or follow again.
func (b *BMC) Ignore(deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = deaf
}

// Return makes a method end with a ReturnValue instead of being carried out; [ReturnOK] ends that.
func (b *BMC) Return(method string, value int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.returns[method] = value
}

// Fail makes a method, or "Get", answer with a SOAP fault, or no longer.
func (b *BMC) Fail(method string, fail bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[method] = fail
}

// ForgetNonces makes all that were given out stale, as AMT does now and then.
func (b *BMC) ForgetNonces() { b.access.forget() }

// Refusals counts the requests that were sent away with a challenge, stale ones included.
func (b *BMC) Refusals() int { return b.access.count() }

// requestPowerState carries it out; the mutex is held.
func (b *BMC) requestPowerState(state int) (value int) {
	if !slices.Contains([]int{On, CycleSoft, Off, MasterReset}, state) {
		return returnBadArg
	}
	if b.deaf {
		return ReturnOK
	}
	was := b.state
	b.state = On
	if state == Off {
		b.state = Off
	}
	source := ""
	if b.state == On && (was != On || state != On) {
		if b.armed {
			source, b.source, b.armed = b.source, "", false
		}
		b.booted = append(b.booted, source)
	}
	if b.cfg.Switched != nil {
		b.cfg.Switched(state, source)
	}
	return ReturnOK
}
