package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
)

// machines is the face that deploy ramdisks call, for as long as this process works.
type machines struct {
	listener net.Listener // nil: nobody listens
	server   *http.Server
	url      string        // what servers reach it by
	media    *deploy.Media // nil: none
	serving  sync.WaitGroup
}

// listenForMachines opens the address, so that it is known before the first server boots.
func listenForMachines(ctx context.Context, g conductorGroup) (*machines, error) {
	m := &machines{url: g.MachinesURL}
	if g.MachinesListen == "" {
		return m, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.MachinesListen)
	if err != nil {
		return nil, fmt.Errorf("conductor.machines_listen: %w", err)
	}
	m.listener = listener
	if m.url == "" {
		m.url = "http://" + listener.Addr().String()
	}
	if g.BootISO == "" {
		return m, nil
	}
	key, err := signedurl.NewKey(secret.New(rand.Text() + rand.Text())) // addresses end with the process that serves them
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.media = &deploy.Media{BootISO: g.BootISO, URL: m.url, Key: key, Lifetime: g.CallbackLimit}
	return m, nil
}

// serve answers ramdisks until close.
func (m *machines) serve(face http.Handler, log *slog.Logger) {
	if m.listener == nil {
		return
	}
	all := http.NewServeMux()
	all.Handle("/", face)
	if m.media != nil {
		all.Handle(deploy.MediaPath, m.media)
	}
	m.server = &http.Server{Handler: all, ReadHeaderTimeout: 10 * time.Second}
	log.Info("ramdisks are heard", "url", m.url)
	m.serving.Go(func() {
		if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("ramdisks are not heard any more", "err", err)
		}
	})
}

func (m *machines) close() error {
	switch {
	case m.server != nil:
		err := m.server.Close()
		m.serving.Wait()
		return err
	case m.listener != nil:
		return m.listener.Close()
	}
	return nil
}
