//go:build integration

package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A magicEar hears magic packets.
type magicEar struct {
	socket net.PacketConn
	heard  chan time.Time
}

func listenForPackets(t *testing.T) *magicEar {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ear := &magicEar{socket, make(chan time.Time, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		packet := make([]byte, 200)
		for {
			n, _, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			if n == 102 {
				ear.heard <- time.Now()
			}
		}
	}()
	t.Cleanup(func() {
		socket.Close()
		<-ended
	})
	return ear
}

// count is how many packets have come since it was called last.
func (e *magicEar) count() (n int) {
	for {
		select {
		case <-e.heard:
			n++
		default:
			return n
		}
	}
}

// A server that can be woken and no more is cleaned and deployed with the ramdisk switching it off; what would need a hand
// is refused before anything is touched, until the hand has done it.
func TestWakeOnLANIsPlannedAround(t *testing.T) {
	t.Parallel()
	ear := listenForPackets(t)
	s := serveConductor(t, nil)
	r := startRamdisk(t, s.url)
	node := s.must(http.MethodPost, "/v1/nodes", m{
		"driver": "staging-wol", "power_interface": "staging-wol", "deploy_interface": "direct", "automated_clean": true, "instance_info": r.image,
		"driver_info": m{"wol_host": "127.0.0.1", "wol_port": ear.socket.LocalAddr().(*net.UDPAddr).Port},
	})
	uuid := fmt.Sprint(node["uuid"])
	s.must(http.MethodPost, "/v1/ports", m{"node_uuid": uuid, "address": "52:54:00:aa:00:07"})
	is := func(after string, n m, state, power string, packets int) {
		t.Helper()
		if got := ear.count(); n["provision_state"] != state || n["power_state"] != power || n["last_error"] != nil || got != packets {
			t.Fatalf("after %s the node is %v, %v, %v; %d packets; want %s, %s, %d packets", after, n["provision_state"], n["power_state"], n["last_error"], got, state, power, packets)
		}
	}
	refused := func(method, path string, body m, want string) {
		t.Helper()
		before := s.node(uuid)
		status, answer := s.try(t.Context(), method, "/v1/nodes/"+uuid+path, body)
		if text := fmt.Sprint(answer); status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%v: %d %s; want 400 and %q", body, status, text, want)
		}
		if after := s.node(uuid); after["updated_at"] != before["updated_at"] || after["reservation"] != nil {
			t.Errorf("%v was refused, and the node is touched", body)
		}
	}
	verb := func(verb string) m { return s.verb(uuid, m{"target": verb}) }

	is("manage", verb("manage"), "manageable", "power off", 0)
	is("cleaning", verb("provide"), "available", "power off", 1)
	if n := r.carriedOut(t, uuid, "erase_devices"); n != 1 {
		t.Errorf("erased %d times", n)
	}
	begin := time.Now()
	is("deployment", verb("active"), "active", "power on", 2) // the ramdisk, and the instance
	if took := time.Since(begin); took < 5*time.Second {
		t.Errorf("deployed in %s: the server had no time to go off before it was woken", took)
	}

	const shutDown = "Shut the server down by hand, and say so: power off, in maintenance."
	for _, verb := range []string{"deleted", "rebuild"} {
		refused(http.MethodPut, "/states/provision", m{"target": verb}, shutDown)
	}
	refused(http.MethodPut, "/states/power", m{"target": "power off"}, "The driver wol does not support the power state: power off")
	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/maintenance", m{"reason": "went there and pressed the button"})
	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/power", m{"target": "power off"})
	s.rests(uuid)
	s.must(http.MethodDelete, "/v1/nodes/"+uuid+"/maintenance", nil)
	is("power off by hand", s.node(uuid), "active", "power off", 0)
	is("deletion", verb("deleted"), "available", "power off", 1)

	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/power", m{"target": "power on"})
	is("power on", s.rests(uuid), "available", "power on", 1)
	refused(http.MethodPut, "/states/provision", m{"target": "active"}, shutDown)
	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/provision", m{"target": "manage"})
	s.set(uuid, m{"/inspect_interface": "agent"})
	refused(http.MethodPut, "/states/provision", m{"target": "inspect"}, "and inspect interface agent needs it")
	refused(http.MethodPut, "/states/provision", m{"target": "clean", "clean_steps": []any{m{"interface": "deploy", "step": "erase_devices"}}}, shutDown)
	s.set(uuid, m{"/automated_clean": false})
	is("provide without cleaning", verb("provide"), "available", "power on", 0)
}
