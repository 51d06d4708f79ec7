//go:build integration

package libvirt

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// Calls of libvirt's protocol, by their numbers in remote_protocol.x.
const (
	callOpen     = 1
	callCreate   = 9
	callDefine   = 11
	callDestroy  = 12
	callIsActive = 150
)

// A fault is what becomes of a call on its way to the daemon.
type fault struct {
	refuse  string // the daemon is not asked, and this is its error
	pretend bool   // the daemon is not asked, and the answer is that it has been done
	silent  bool   // nobody answers
	hangUp  bool   // the connection ends
	twice   bool   // the answer comes twice, with a packet that nobody asked for between
}

// faults is a way to the daemon on which calls are counted, and some come to nothing.
type faults struct {
	socket string

	mu    sync.Mutex
	rules map[uint32]fault
	seen  map[uint32]int
}

func newFaults(t testing.TB, d *daemon) *faults {
	t.Helper()
	f := &faults{socket: filepath.Join(scratch(t), "s"), rules: map[uint32]fault{}, seen: map[uint32]int{}}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(client, d.socket) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return f
}

// set makes a rule for a call, in place of the last one, and forgets what was seen.
func (f *faults) set(procedure uint32, what fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = map[uint32]fault{procedure: what}
	f.seen = map[uint32]int{}
}

// count tells how often a call came by.
func (f *faults) count(procedure uint32) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[procedure]
}

func (f *faults) serve(client net.Conn, socket string) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		call, err := readPacket(client)
		if err != nil {
			return
		}
		procedure := binary.BigEndian.Uint32(call[12:])
		f.mu.Lock()
		f.seen[procedure]++
		rule := f.rules[procedure]
		f.mu.Unlock()
		var answer []byte
		switch {
		case rule.hangUp:
			return
		case rule.silent:
			_, _ = io.Copy(io.Discard, client) // until it gives up
			return
		case rule.pretend:
			answer = reply(call, 0, nil)
		case rule.refuse != "":
			answer = reply(call, 1, refusal(rule.refuse))
		default:
			if _, err := server.Write(call); err != nil {
				return
			}
			if answer, err = readPacket(server); err != nil {
				return
			}
			if rule.twice {
				stray := reply(call, 0, nil)
				binary.BigEndian.PutUint32(stray[16:], 2) // an event
				answer = append(append(append([]byte{}, answer...), stray...), answer...)
			}
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

func reply(call []byte, status uint32, body []byte) []byte {
	packet := append(append([]byte{}, call[:headerSize]...), body...)
	binary.BigEndian.PutUint32(packet, uint32(len(packet)))
	binary.BigEndian.PutUint32(packet[16:], kindReply)
	binary.BigEndian.PutUint32(packet[24:], status)
	return packet
}

// refusal is a remote_error with VIR_ERR_INTERNAL_ERROR.
func refusal(text string) []byte {
	body := []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}
	body = append(body, xdrText(text)...)
	return append(body, make([]byte, 4*9)...) // level, and what else it might tell
}
