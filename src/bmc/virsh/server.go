package virsh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// An Account says who may come in.
type Account struct {
	User     string
	Password string // empty: not by password
	Asked    bool   // the password is taken as the answer to a question (keyboard-interactive), as sshd with PAM does
	Key      string // a line of authorized_keys; empty: not by key
}

var errRefused = errors.New("refused")

// A Server shows a [Host] by SSH.
type Server struct {
	Host    *Host
	account Account
	listen  net.Listener
	all     sync.WaitGroup

	mu       sync.Mutex
	key      ssh.Signer
	conns    map[net.Conn]bool
	mostOpen int
	closed   bool
}

// Serve starts a server on a port of its own, on loopback.
func Serve(ctx context.Context, h *Host, a Account) (*Server, error) {
	listen, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Host: h, account: a, listen: listen, conns: map[net.Conn]bool{}}
	if err := s.Rekey(); err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	s.all.Go(s.accept)
	return s, nil
}

// Address is where it listens: host, port.
func (s *Server) Address() (host, port string) {
	host, port, _ = net.SplitHostPort(s.listen.Addr().String())
	return host, port
}

// Rekey gives the host a new key, as a new installation does.
func (s *Server) Rekey() error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
	return nil
}

// HostKey is the host's key, as ssh-keyscan prints it but for the host.
func (s *Server) HostKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.key.PublicKey())))
}

// MostOpen is how many connections were open at the same time, at most.
func (s *Server) MostOpen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mostOpen
}

// Close ends all connections and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	_ = s.listen.Close()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listen.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			_ = conn.Close()
		}
		s.conns[conn] = true
		s.mostOpen = max(s.mostOpen, len(s.conns))
		s.mu.Unlock()
		s.all.Go(func() {
			s.serve(conn)
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

func (s *Server) config() *ssh.ServerConfig {
	a := s.account
	c := &ssh.ServerConfig{}
	password := func(meta ssh.ConnMetadata, got string) error {
		if meta.User() != a.User || got != a.Password {
			return errRefused
		}
		return nil
	}
	switch {
	case a.Password != "" && a.Asked:
		c.KeyboardInteractiveCallback = func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errRefused
			}
			return nil, password(meta, answers[0])
		}
	case a.Password != "":
		c.PasswordCallback = func(meta ssh.ConnMetadata, got []byte) (*ssh.Permissions, error) {
			return nil, password(meta, string(got))
		}
	}
	if a.Key != "" {
		c.PublicKeyCallback = func(meta ssh.ConnMetadata, got ssh.PublicKey) (*ssh.Permissions, error) {
			want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(a.Key))
			if err != nil || meta.User() != a.User || !bytes.Equal(got.Marshal(), want.Marshal()) {
				return nil, errRefused
			}
			return nil, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.AddHostKey(s.key)
	return c
}

func (s *Server) serve(conn net.Conn) {
	client, channels, requests, err := ssh.NewServerConn(conn, s.config())
	if err != nil {
		return
	}
	defer client.Close()
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { ssh.DiscardRequests(requests) })
	for wanted := range channels {
		if wanted.ChannelType() != "session" {
			_ = wanted.Reject(ssh.Prohibited, "sessions only")
			continue
		}
		channel, requests, err := wanted.Accept()
		if err != nil {
			return
		}
		parts.Go(func() { s.session(channel, requests) })
	}
}

// session runs one command, if one is asked for.
func (s *Server) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	for r := range requests {
		var command struct{ Line string }
		run := r.Type == "exec" && ssh.Unmarshal(r.Payload, &command) == nil
		if r.WantReply {
			_ = r.Reply(run, nil)
		}
		if !run {
			continue
		}
		a, ok := s.Host.run(command.Line)
		if !ok {
			continue
		}
		if s.Host.floods() {
			for err := error(nil); err == nil; {
				_, err = fmt.Fprintln(channel, strings.Repeat("node ", 1000))
			}
		}
		_, _ = io.WriteString(channel, a.Stdout)
		_, _ = io.WriteString(channel.Stderr(), a.Stderr)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(a.Status)})) //nolint:gosec // small
		_ = channel.Close()
	}
}

func (h *Host) floods() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.faults.Flood
}
