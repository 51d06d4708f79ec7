package ipmi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// serialPort is a machine that says what it is told, louder. Opening it anew plugs the cable in again.
func serialPort(t testing.TB) func(context.Context) (io.ReadWriteCloser, error) {
	return func(context.Context) (io.ReadWriteCloser, error) {
		machine, cable := net.Pipe()
		go func() {
			defer machine.Close()
			chunk := make([]byte, 512)
			for {
				n, err := machine.Read(chunk)
				if err != nil {
					return
				}
				if _, err := machine.Write(bytes.ToUpper(chunk[:n])); err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { cable.Close() })
		return cable, nil
	}
}

func TestConsole(t *testing.T) {
	for _, suite := range []int{17, 3, 2} {
		b := start(t, bmc.Config{Console: serialPort(t), Suites: []int{suite}})
		n := node(b)
		n.Info["ipmi_cipher_suite"] = suite
		c, err := ipmi.Driver{}.Console(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("the quick brown fox jumps over the lazy dog. ", 40)
		wrote := make(chan error, 1)
		go func() { _, err := io.WriteString(c, text); wrote <- err }()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != strings.ToUpper(text) {
			t.Errorf("suite %d: %q, %v", suite, got, err)
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		if _, err := (ipmi.Driver{}).Console(t.Context(), n); err == nil || !strings.Contains(err.Error(), "somebody else has the console open") {
			t.Errorf("a second console: %v", err)
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(got); err == nil {
			t.Error("a closed console is read from")
		}
		if _, err := c.Write(got); err == nil {
			t.Error("a closed console is written to")
		}
		if b.Sessions() != 0 {
			t.Errorf("%d sessions are left", b.Sessions())
		}
	}
}

// What gets lost, both ways, is sent again, once each.
func TestConsoleOverABadLine(t *testing.T) {
	b := start(t, bmc.Config{Console: serialPort(t)})
	c, err := ipmi.Driver{}.Console(t.Context(), node(b))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, word := range []string{"alpha", "bravo", "charlie"} {
		b.Break(bmc.Fault{Lose: 2})
		if _, err := io.WriteString(c, word); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(word))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != strings.ToUpper(word) {
			t.Errorf("%q, %v; want %s", got, err, strings.ToUpper(word))
		}
	}
}

// What the BMC sends again because our answer to it was lost, is there once.
func TestConsoleText(t *testing.T) {
	machine, cable := net.Pipe()
	defer machine.Close()
	b := start(t, bmc.Config{Console: func(context.Context) (io.ReadWriteCloser, error) { return cable, nil }})
	c, err := ipmi.Driver{}.Console(t.Context(), node(b))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, line := range []string{"Booting\r\n", "login: "} {
		b.Break(bmc.Fault{Deaf: 1})
		if _, err := io.WriteString(machine, line); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(line))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != line {
			t.Errorf("%q, %v; want %q", got, err, line)
		}
	}
}

func TestConsoleNeedsOne(t *testing.T) {
	n := node(start(t, bmc.Config{}))
	if _, err := (ipmi.Driver{}).Console(t.Context(), n); err == nil || !strings.Contains(err.Error(), "serial over LAN") {
		t.Errorf("no serial port: %v", err)
	}
	n.Info["ipmi_protocol_version"] = "1.5"
	if _, err := (ipmi.Driver{}).Console(t.Context(), n); !errors.Is(err, driver.ErrUnsupported) || !strings.Contains(err.Error(), "2.0") {
		t.Errorf("IPMI 1.5: %v", err)
	}
}

// Closing ends a reader that waits, at once.
func TestConsoleCloseEndsReader(t *testing.T) {
	b := start(t, bmc.Config{Console: serialPort(t)})
	c, err := ipmi.Driver{}.Console(t.Context(), node(b))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); done <- err }()
	began := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
