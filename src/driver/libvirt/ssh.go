package libvirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"bosh-ironic-cpi/src/driver"
)

// dialSSH reaches the daemon's socket on another machine: as a socket that sshd forwards, else through a program there,
// as libvirt's own client does. A forced command may be that program.
func dialSSH(ctx context.Context, p *parameters) (net.Conn, error) {
	t := p.target
	if t.user == "" {
		me, err := user.Current()
		if err != nil {
			return nil, uriProblem("names no user for SSH, and who we are cannot be found: %v", err)
		}
		t.user = me.Username
	}
	hosts, err := newHostKeys(t, p.firstKey)
	if err != nil {
		return nil, err
	}
	keys, err := newKeys(ctx, *p)
	if err != nil {
		return nil, err
	}
	defer keys.close()
	conn, err := dialTCP(ctx, t, "22")
	if err != nil {
		return nil, err
	}
	address := conn.RemoteAddr().String()
	if _, port, err := net.SplitHostPort(address); err == nil {
		address = net.JoinHostPort(t.host, port)
	}
	var through net.Conn
	err = within(ctx, dialLimit, conn, func() error {
		config := &ssh.ClientConfig{
			User: t.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(keys.signers...)},
			HostKeyCallback: hosts.check, HostKeyAlgorithms: hosts.algorithms(address),
		}
		link, channels, requests, err := ssh.NewClientConn(conn, address, config)
		if err != nil {
			return explainSSH(err, t.user, keys)
		}
		through, err = reach(ssh.NewClient(link, channels, requests), t)
		return err
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	p.firstKey = hosts.first
	return through, nil
}

func explainSSH(err error, name string, keys *keys) error {
	if e, ok := errors.AsType[*hostKeyError](err); ok {
		return e
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("%w: SSH as %s with %s: check authorized_keys there", driver.ErrAuthentication, name, keys)
	}
	return fmt.Errorf("%w: %w: check that it is sshd, and its log", driver.ErrUnreachable, err)
}

// reach opens the daemon's socket.
func reach(client *ssh.Client, t target) (net.Conn, error) {
	for _, socket := range t.sockets() {
		if conn, err := client.Dial("unix", socket); err == nil {
			return &forwarded{Conn: conn, client: client}, nil
		}
	}
	return startHelper(client, t)
}

// forwarded is a socket that sshd forwards.
type forwarded struct {
	net.Conn
	client *ssh.Client
}

// Close ends the SSH connection, without a word that somebody would have to take.
func (f *forwarded) Close() error { return f.client.Close() }

// helper is a program on the other machine that copies between its standard streams and the daemon's socket.
type helper struct {
	client  *ssh.Client
	session *ssh.Session
	io.Reader
	io.Writer
	complaint complaint
}

// command starts virt-ssh-helper, which comes with libvirt since 6.8 and finds the socket, else netcat.
func command(t target) string {
	nc, socket := t.netcat, "/var/run/libvirt/libvirt-sock"
	if sockets := t.sockets(); len(sockets) > 0 {
		socket = sockets[0]
	}
	fallback := "exec " + quoted(or(nc, "nc")) + " -U " + quoted(socket)
	if nc != "" || t.socket != "" {
		return fallback // the operator knows better
	}
	script := "if command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper " + quoted(t.hypervisor) + "; else " + fallback + "; fi"
	return "sh -c " + quoted(script)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// quoted is text for a POSIX shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func startHelper(client *ssh.Client, t target) (net.Conn, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("%w: sshd neither forwards its socket nor starts a program: %w", driver.ErrUnreachable, err)
	}
	h := &helper{client: client, session: session}
	session.Stderr = &h.complaint
	if h.Reader, err = session.StdoutPipe(); err != nil {
		return nil, err
	}
	if h.Writer, err = session.StdinPipe(); err != nil {
		return nil, err
	}
	if err := session.Start(command(t)); err != nil {
		return nil, fmt.Errorf("%w: sshd neither forwards its socket nor starts a program: %w", driver.ErrUnreachable, err)
	}
	return h, nil
}

// Read implements net.Conn. When the program ends, the error is what it said.
func (h *helper) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if n == 0 && errors.Is(err, io.EOF) {
		_ = h.session.Wait() // then all its words are here
		if said := h.complaint.String(); said != "" {
			return 0, fmt.Errorf("the program that SSH started says %q", said)
		}
	}
	return n, err
}

func (h *helper) Close() error                     { return h.client.Close() }
func (h *helper) LocalAddr() net.Addr              { return h.client.LocalAddr() }
func (h *helper) RemoteAddr() net.Addr             { return h.client.RemoteAddr() }
func (h *helper) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (h *helper) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (h *helper) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// complaint keeps the first words of standard error.
type complaint struct {
	mu    sync.Mutex
	words bytes.Buffer
}

const longestComplaint = 400

func (c *complaint) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words.Write(b[:min(len(b), longestComplaint-min(c.words.Len(), longestComplaint))])
	return len(b), nil
}

func (c *complaint) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(c.words.String())
}
