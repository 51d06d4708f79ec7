package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
	"bosh-ironic-cpi/src/wait"
)

// An Access is how a BMC is reached.
type Access struct {
	Address  string // with scheme, without path: https://192.0.2.7
	SystemID string // path of the system; empty: the only one
	Username string // empty: without credentials
	Password secret.Text
	Auth     string // auto, basic, session
	Trust    tlsclient.Config
	Timeout  time.Duration // for each answer
	Keys     Keys
	Patience Patience
}

// Keys are the keys of driver_info that errors name.
type Keys struct{ Address, System, Username, Trust, Auth string }

// Patience is how long hardware is given that needs time.
type Patience struct {
	Busy  time.Duration // between requests to a BMC that is at something else: three more at most
	POST  wait.Pace     // for a server in its self test
	Media wait.Pace     // until an image is seen in its drive, and until a task has ended
	Off   wait.Pace     // for an operating system to shut down, where a soft reboot is a shutdown and a start
}

// StandardPatience is what hardware in the field needs.
func StandardPatience() Patience {
	return Patience{
		Busy:  3 * time.Second,
		POST:  wait.Pace{First: 3 * time.Second, Every: 10 * time.Second, Limit: 2 * time.Minute},
		Media: wait.Pace{First: 500 * time.Millisecond, Every: 3 * time.Second, Limit: 30 * time.Second},
		Off:   wait.Pace{First: time.Second, Every: 5 * time.Second, Limit: 10 * time.Minute},
	}
}

// Ways of [Access.Auth].
const (
	Auto    = "auto" // basic where the BMC offers it, else a session
	Basic   = "basic"
	Session = "session"
)

// What is remembered of a node.
const (
	authWord   = "redfish_auth"   // the way that worked, where it is not basic
	systemWord = "redfish_system" // address and path of the only system
)

// A bmc is a connection to a BMC, for one operation.
type bmc struct {
	access    Access
	node      *driver.Node
	client    *gofish.APIClient
	transport *transport
	session   *gofish.Session // nil: none
	system    *schemas.ComputerSystem
	manager   *schemas.Manager // nil: not asked for yet
}

// do connects, has act work, and disconnects. Its errors say which node, which address and what to check.
func (a Access) do(ctx context.Context, n *driver.Node, act func(context.Context, *bmc) error) error {
	b, err := a.connect(ctx, n)
	if err == nil {
		err = act(ctx, b)
		b.close(ctx)
	}
	if err != nil {
		return a.explain(ctx, n, err)
	}
	return nil
}

// connect finds the way in, where that is left to it, and the system.
//
// A session costs two requests more than basic authentication, each of them slow, and BMCs have few: so basic comes first.
// A BMC that has it switched off does not offer it in its 401; only then are the credentials sent a second time, lest an
// account with a wrong password is locked twice as fast.
func (a Access) connect(ctx context.Context, n *driver.Node) (*bmc, error) {
	way := a.Auth
	if way == Auto {
		way = Basic
		if n.State[authWord] == Session {
			way = Session
		}
	}
	b, err := a.open(ctx, n, way)
	var other string
	switch {
	case err == nil || a.Auth != Auto:
		return b, err
	case way == Basic && status(err) == http.StatusUnauthorized && !offersBasic(err):
		other = Session
	case way == Session && (errors.Is(err, errNoSessions) || status(err) == http.StatusNotFound):
		other = Basic
	default:
		return nil, err
	}
	b, err = a.open(ctx, n, other)
	if err == nil {
		n.Remember(authWord, strings.TrimPrefix(other, Basic))
	}
	return b, err
}

var (
	errNoSessions = errors.New("the BMC has no sessions")
	errNoRedfish  = errors.New("there is no Redfish at this address")
)

// basicOffered is a refusal by a BMC that takes basic authentication.
type basicOffered struct{ error }

func (e basicOffered) Unwrap() error { return e.error }

func offersBasic(err error) bool {
	_, ok := errors.AsType[basicOffered](err)
	return ok
}

// open connects one way, and reads the system.
func (a Access) open(ctx context.Context, n *driver.Node, way string) (*bmc, error) {
	t, err := newTransport(a)
	if err != nil {
		return nil, err
	}
	b := &bmc{access: a, node: n, transport: t}
	b.client, err = gofish.ConnectContext(ctx, gofish.ClientConfig{
		Endpoint: a.Address, HTTPClient: t.client(), ReuseConnections: true, NoModifyTransport: true,
	})
	if err == nil && a.Username != "" {
		err = b.login(ctx, way)
	} else if status(err) == http.StatusNotFound {
		if err = a.whatElse(ctx, t); err == nil {
			err = errNoRedfish
		}
	}
	if err == nil {
		b.system, err = b.findSystem()
		if err == nil {
			return b, nil
		}
	}
	if status(err) == http.StatusUnauthorized && t.offersBasic() {
		err = basicOffered{err}
	}
	b.close(ctx)
	return nil, err
}

func (b *bmc) login(ctx context.Context, way string) error {
	if way == Basic {
		b.transport.username, b.transport.password = b.access.Username, b.access.Password
		return nil
	}
	session, err := b.client.Service.CreateSession(b.access.Username, b.access.Password.Reveal())
	switch {
	case status(err) == 0 && err != nil && ctx.Err() == nil && !unreachable(err):
		return errNoSessions // the service root names no place for them
	case err != nil:
		return err
	}
	b.session = &gofish.Session{ID: session.Session, Token: session.Token}
	b.transport.token = secret.New(session.Token)
	return nil
}

// close ends the session, also when the operation was cancelled: BMCs have few, and keep them for half an hour.
func (b *bmc) close(ctx context.Context) {
	if b.session != nil && b.session.ID != "" {
		const limit = time.Second // BMCs that have fallen silent must not hold the caller
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		_ = b.client.WithContext(end).Service.DeleteSession(b.session.ID)
	}
	b.transport.base.CloseIdleConnections()
}

// findSystem reads the system that is the node: the one that is named, or the only one.
func (b *bmc) findSystem() (*schemas.ComputerSystem, error) {
	if id := b.access.SystemID; id != "" {
		return schemas.GetComputerSystem(b.client, id)
	}
	if path, known := strings.CutPrefix(b.node.State[systemWord], b.access.Address+" "); known {
		s, err := schemas.GetComputerSystem(b.client, path)
		if status(err) != http.StatusNotFound {
			return s, err
		}
		b.node.Remember(systemWord, "")
	}
	paths, err := b.members("/redfish/v1/Systems")
	if err != nil {
		return nil, err
	}
	if len(paths) != 1 {
		return nil, &driver.ParameterError{
			Key: b.access.Keys.System, Problem: fmt.Sprintf("must say which of %d systems: %s", len(paths), strings.Join(paths, ", ")),
		}
	}
	s, err := schemas.GetComputerSystem(b.client, paths[0])
	if err == nil {
		b.node.Remember(systemWord, b.access.Address+" "+paths[0])
	}
	return s, err
}

// get reads a resource that gofish has no form for.
func (b *bmc) get(path string, into any) error {
	resp, err := b.client.Get(path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

// members are the paths in a collection.
func (b *bmc) members(path string) ([]string, error) {
	var all []string
	for range 100 { // pages
		var page struct {
			Members schemas.Links
			Next    string `json:"Members@odata.nextLink"`
		}
		if err := b.get(path, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Members.ToStrings()...)
		if path = page.Next; path == "" {
			break
		}
	}
	return all, nil
}

// theManager is the first BMC of the system.
func (b *bmc) theManager() (*schemas.Manager, error) {
	if b.manager != nil {
		return b.manager, nil
	}
	managers, err := b.system.ManagedBy()
	if len(managers) == 0 {
		managers, err = b.client.Service.Managers()
	}
	switch {
	case len(managers) > 0:
		b.manager = managers[0]
	case err == nil:
		err = fmt.Errorf("%w: the BMC names no manager of its system", driver.ErrUnsupported)
	default:
		err = first(err)
	}
	return b.manager, err
}

// patiently asks again while the BMC is busy with something else: an iDRAC that still ejects, say, answers 500.
func (b *bmc) patiently(ctx context.Context, ask func() error) error {
	for try := 0; ; try++ {
		err := ask()
		if s := status(err); try == 3 || s < 500 || s == http.StatusNotImplemented {
			return err
		}
		if err := wait.Pause(ctx, b.access.Patience.Busy); err != nil {
			return err
		}
	}
}
