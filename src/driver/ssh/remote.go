package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/virsh"
)

// A remote is a host that let us in.
type remote struct {
	client  *ssh.Client
	address string
	uri     string
	limit   time.Duration // of a command
}

// dial logs in, and remembers the host's key.
func (h hardware) dial(ctx context.Context, n *driver.Node, s settings) (*remote, error) {
	limited, cancel := context.WithTimeout(ctx, h.connect)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(limited, "tcp", s.address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ssh %s: %w", s.address, ctx.Err())
		}
		return nil, fmt.Errorf("ssh %s: %w: %w: check ssh_address, ssh_port and that sshd runs", s.address, driver.ErrUnreachable, err)
	}
	expected := s.expected(n)
	var shown ssh.PublicKey
	var mismatch error
	config := &ssh.ClientConfig{
		User: s.user, Auth: s.auth, HostKeyAlgorithms: algorithms(expected),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown, mismatch = key, s.check(key, expected)
			return mismatch
		},
	}
	// The library knows no contexts: a closed connection is what ends it.
	stop := context.AfterFunc(limited, func() { _ = conn.Close() })
	secured, channels, requests, err := ssh.NewClientConn(conn, s.address, config)
	if !stop() && err == nil { // closed at the last moment
		err = errors.Join(limited.Err(), secured.Close())
	}
	switch negotiation, no := errors.AsType[*ssh.AlgorithmNegotiationError](err); {
	case err == nil:
		s.remember(n, shown)
		return &remote{client: ssh.NewClient(secured, channels, requests), address: s.address, uri: s.uri, limit: h.command}, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("ssh %s: %w", s.address, ctx.Err())
	case limited.Err() != nil:
		return nil, fmt.Errorf("ssh %s: %w: it took the connection and did not let us in within %s: check that it is sshd, and its load",
			s.address, driver.ErrUnreachable, h.connect)
	case mismatch != nil:
		return nil, mismatch
	case no && expected != nil:
		return nil, fmt.Errorf("%w: ssh %s has no host key of type %s any more, as it had before or as ssh_host_key is: if the host was installed anew, set driver_info ssh_host_key to its new key",
			driver.ErrUntrusted, s.address, expected.Type())
	case no:
		return nil, fmt.Errorf("ssh %s: %w", s.address, negotiation)
	case strings.Contains(err.Error(), "unable to authenticate"): // the library has no type for it
		return nil, fmt.Errorf("ssh %s: %w: user %s, %s: check them, and authorized_keys or PasswordAuthentication there",
			s.address, driver.ErrAuthentication, s.user, s.with)
	}
	return nil, fmt.Errorf("ssh %s: %w: %w: check that it is sshd, and its log", s.address, driver.ErrUnreachable, err)
}

func (r *remote) close() {
	_ = r.client.Close()
	_ = r.client.Wait() // its goroutines end
}

// most is how much of an answer is read: a host has some hundred domains, not a hundred thousand.
const most = 1 << 20

// capped keeps what is written, up to a limit; there it hangs up.
type capped struct {
	kept   bytes.Buffer
	over   bool
	hangUp func() error
}

func (c *capped) Write(p []byte) (int, error) {
	if c.kept.Len()+len(p) > most {
		c.over = true
		return 0, c.hangUp()
	}
	return c.kept.Write(p)
}

// run sends a command and waits for its end.
func (r *remote) run(ctx context.Context, verb virsh.Verb, domain, device string) (virsh.Answer, error) {
	c := virsh.Command{Verb: verb, URI: r.uri, Domain: domain, Device: device}
	limited, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	stop := context.AfterFunc(limited, func() { _ = r.client.Close() })
	defer stop()
	stdout, stderr := capped{hangUp: r.client.Close}, capped{hangUp: r.client.Close}
	session, err := r.client.NewSession()
	if err == nil {
		session.Stdout, session.Stderr = &stdout, &stderr
		err = session.Run(c.Line())
		_ = session.Close()
	}
	exit, exited := errors.AsType[*ssh.ExitError](err)
	refused, isRefused := errors.AsType[*ssh.OpenChannelError](err)
	where := fmt.Sprintf("ssh %s: %.200s", r.address, c)
	switch {
	case stdout.over || stderr.over:
		return virsh.Answer{}, fmt.Errorf("%s: the answer is longer than %d bytes: check what answers there", where, most)
	case err == nil:
		answer := virsh.Answer{Stdout: stdout.kept.String(), Stderr: stderr.kept.String()}
		if c.Piped() && answer.Stdout == "" && answer.Stderr != "" && verb != virsh.MACs { // virsh's own status is lost
			return virsh.Answer{}, fmt.Errorf("%s: %s", where, reason(answer))
		}
		return answer, nil
	case ctx.Err() != nil:
		return virsh.Answer{}, fmt.Errorf("%s: %w", where, ctx.Err())
	case limited.Err() != nil:
		return virsh.Answer{}, fmt.Errorf("%s: %w within %s: check libvirt there", where, driver.ErrUnreachable, r.limit)
	case exited:
		how := fmt.Sprintf("exit status %d", exit.ExitStatus())
		if exit.Signal() != "" {
			how = "signal " + exit.Signal()
		}
		return virsh.Answer{}, fmt.Errorf("%s: %s: %s", where, how, reason(virsh.Answer{Stdout: stdout.kept.String(), Stderr: stderr.kept.String()}))
	case isRefused:
		return virsh.Answer{}, fmt.Errorf("%s: sshd refuses to run commands: %s", where, refused.Message)
	}
	return virsh.Answer{}, fmt.Errorf("%s: %w: %w", where, driver.ErrUnreachable, err)
}

// reason is what a command says went wrong, on one line. Proxies say it on the wrong stream.
func reason(a virsh.Answer) string {
	for _, said := range []string{a.Stderr, a.Stdout} {
		if lines := virsh.ParseNames(said); len(lines) > 0 {
			return fmt.Sprintf("%.500s", strings.Join(lines, "; "))
		}
	}
	return "it says nothing"
}
