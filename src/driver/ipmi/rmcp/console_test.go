package rmcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A console that nobody uses is kept alive, and one whose BMC is gone ends, for readers and writers.
func TestConsoleLife(t *testing.T) {
	asked := make(chan struct{}, 100)
	b, err := bmc.Start(context.WithoutCancel(t.Context()), bmc.Config{
		Console: func(context.Context) (io.ReadWriteCloser, error) {
			cable, machine := net.Pipe()
			t.Cleanup(func() { machine.Close() })
			return cable, nil
		},
		Commands: map[bmc.Command]bmc.Handler{{NetFn: 6, Cmd: 1}: func(bmc.Command, []byte) (byte, []byte) {
			asked <- struct{}{}
			return 0, make([]byte, 11)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s, err := Open(t.Context(), Config{
		Address: "127.0.0.1", Port: int(b.Address().Port()), Username: "admin", Password: secret.New("secret"), Privilege: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.openConsole(t.Context(), pace{resend: 30 * time.Millisecond, keepAlive: 20 * time.Millisecond, silence: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(20*time.Second, func() { c.Close() }).Stop() // lest a mistake hang
	for range 30 {                                                    // for longer than the silence that ends it
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			t.Fatal("a console that nobody uses is not kept alive")
		}
	}
	b.Break(bmc.Fault{Silent: true})
	began := time.Now()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte("hello")); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("write: %v", err)
	}
	if err := c.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("close: %v after %s", err, time.Since(began))
	}
	if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrClosed) {
		t.Error("the reason is forgotten")
	}
}
