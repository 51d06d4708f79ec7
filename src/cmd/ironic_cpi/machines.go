package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/wait"
)

// machines is the face that deploy ramdisks call, for as long as this process works on nodes. Calls at once share the
// address: one of them answers the ramdisks of all, for they have one database, and when it ends the next one does.
type machines struct {
	address string // empty: nobody listens
	url     string // what servers reach it by
	media   *deploy.Media
	server  *http.Server
	stop    context.CancelFunc
	serving sync.WaitGroup
}

// machinesOf configures the face. It opens nothing.
func machinesOf(g conductorGroup) *machines {
	m := &machines{address: g.MachinesListen, url: strings.TrimRight(g.MachinesURL, "/")}
	if g.BootISO != "" {
		m.media = &deploy.Media{BootISO: g.BootISO, Lifetime: g.CallbackLimit}
	}
	return m
}

// open has ramdisks be answered, here or by another call, until close. It comes before the first server boots: only then
// is the address known, and what is in boot media signed.
func (m *machines) open(ctx context.Context, c *conductor.Conductor, face http.Handler, log *slog.Logger) error {
	if m.address == "" {
		return nil
	}
	listener, err := m.listen(ctx)
	if err != nil {
		return fmt.Errorf("conductor.machines_listen: %w", err)
	}
	if m.url == "" {
		m.url = "http://" + m.address
		if listener != nil {
			m.url = "http://" + listener.Addr().String()
		}
	}
	all := http.NewServeMux()
	all.Handle("/", face)
	if m.media != nil {
		text, err := c.Shared(ctx, "boot media") // their addresses are good at whichever call answers
		if err == nil {
			m.media.Key, err = signedurl.NewKey(secret.New(text))
		}
		if err != nil {
			return errors.Join(fmt.Errorf("sign boot media: %w", err), closeIf(listener))
		}
		m.media.URL = m.url
		all.Handle(deploy.MediaPath, m.media)
	}
	m.server = &http.Server{Handler: all, ReadHeaderTimeout: 10 * time.Second}
	ctx, m.stop = context.WithCancel(ctx)
	m.serving.Go(func() { m.serve(ctx, listener, log) })
	return nil
}

func closeIf(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// listen opens the address; nil: another call has it.
func (m *machines) listen(ctx context.Context) (listener net.Listener, err error) {
	pace := wait.Pace{First: 20 * time.Millisecond, Every: 200 * time.Millisecond, Limit: 5 * time.Second}
	err = wait.Until(ctx, pace, m.address, func(ctx context.Context) (bool, string, error) {
		var taken error
		listener, taken = (&net.ListenConfig{}).Listen(ctx, "tcp", m.address)
		switch {
		case taken == nil:
			return true, "", nil
		case !errors.Is(taken, syscall.EADDRINUSE):
			return false, "", taken
		}
		return answersRamdisks(ctx, m.address), taken.Error(), nil // else it may just be ending
	})
	return listener, err
}

// answersRamdisks reports whether a conductor listens there, and not some other program.
func answersRamdisks(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1", nil)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.Header.Get("X-OpenStack-Ironic-API-Maximum-Version") != ""
}

// serve answers ramdisks until close, as soon as the address is free.
func (m *machines) serve(ctx context.Context, listener net.Listener, log *slog.Logger) {
	if listener == nil {
		log.Info("another call answers ramdisks", "address", m.address)
		pace := wait.Pace{Every: 100 * time.Millisecond}
		_ = wait.Until(ctx, pace, m.address, func(ctx context.Context) (bool, string, error) {
			var err error
			listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", m.address)
			return err == nil, "", nil
		})
	}
	if listener == nil {
		return // this call has ended
	}
	log.Info("ramdisks are heard", "url", m.url)
	if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("ramdisks are not heard any more", "err", err)
	}
}

func (m *machines) close() error {
	if m.server == nil {
		return nil
	}
	m.stop()
	err := m.server.Close()
	m.serving.Wait()
	return err
}
