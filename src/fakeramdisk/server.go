package fakeramdisk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bosh-ironic-cpi/src/wait"
)

const (
	poll      = 50 * time.Millisecond  // how soon a node that waits is seen
	idlePoll  = time.Second            // the same while no boot file lies about
	beatAgain = 200 * time.Millisecond // Ironic drops a heartbeat while it holds the node's lock
	silence   = 5 * time.Second        // after that the node is asked whether it still needs its agent
)

// A Config says where a Server works.
type Config struct {
	Ironic      Ironic
	CallbackURL string // where the conductor reaches Handler; must stay the same while nodes wait
	Dir         string // the nodes' disks, a folder per node
	BootFiles   string // Ironic's http_root: a node is about to boot when its iPXE script lies there; empty: ask every time
	Layout      []Disk // disks of nodes that declare none
	Log         *slog.Logger
}

// A Server is the deploy ramdisk of all waiting nodes.
type Server struct {
	cfg    Config
	faults faults

	mu     sync.Mutex
	agents map[string]*agent // by node UUID
	steps  sync.WaitGroup    // running steps
}

// New returns a server that does nothing before Run.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, agents: map[string]*agent{}}
}

// Run serves listener and Ironic's nodes until ctx ends. It returns nil then, else what broke the listener.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	web := &http.Server{Handler: s.handler(), BaseContext: func(net.Listener) context.Context { return ctx }}
	broken := make(chan error, 1)
	go func() {
		broken <- web.Serve(listener)
		cancel()
	}()
	var listed time.Time
	for wait.Pause(ctx, poll) == nil {
		// Asking Ironic costs it 10 ms of its only core: look into its folder first.
		if !s.booting() && time.Since(listed) < idlePoll {
			continue
		}
		listed = time.Now()
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "asking ironic", "err", err)
		}
	}
	_ = web.Close()
	s.steps.Wait()
	if err := <-broken; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve agents: %w", err)
	}
	return nil
}

// booting reports whether the conductor has laid out an iPXE script for some node. It does before it switches
// the node on, and takes it away afterwards.
func (s *Server) booting() bool {
	if s.cfg.BootFiles == "" {
		return true
	}
	found, err := filepath.Glob(filepath.Join(s.cfg.BootFiles, "*", "config"))
	return err == nil && len(found) > 0
}

// round gives every waiting node its agent and its heartbeat, and drops agents whose node needs none any more.
func (s *Server) round(ctx context.Context) error {
	waiting, err := s.cfg.Ironic.waiting(ctx)
	if err != nil {
		return err
	}
	for _, n := range waiting {
		if n.DeployInterface == "fake" || s.faults.mutes(n.UUID) {
			continue
		}
		if err := s.attend(ctx, n); err != nil && ctx.Err() == nil {
			s.cfg.Log.InfoContext(ctx, "node refused", "node", n.UUID, "state", n.ProvisionState, "err", err)
		}
	}
	for _, a := range s.silent(waiting) {
		state, err := s.cfg.Ironic.state(ctx, a.node)
		if errors.Is(err, errRefused) || err == nil && !slices.Contains(workingStates, state) {
			s.drop(a)
		} else {
			a.touch()
		}
	}
	return nil
}

// attend boots the node's agent if it has none, and lets it call home if it has nothing to do.
func (s *Server) attend(ctx context.Context, n waitingNode) error {
	s.mu.Lock()
	a := s.agents[n.UUID]
	s.mu.Unlock()
	if a != nil && a.bootedFor != n.ProvisionState { // it was switched off and on again
		s.drop(a)
		a = nil
	}
	if a == nil {
		token, found, err := s.cfg.Ironic.lookup(ctx, n.UUID)
		if err != nil {
			return err
		}
		if _, err := openMachine(s.cfg.Dir, found, s.cfg.Layout); err != nil {
			return err
		}
		a = s.boot(ctx, n, token)
	}
	if !a.idleFor(beatAgain) {
		return nil
	}
	return s.heartbeat(ctx, a)
}

// heartbeat calls home. An agent whose token is not taken any more belongs to an earlier boot.
func (s *Server) heartbeat(ctx context.Context, a *agent) error {
	a.touch()
	err := s.cfg.Ironic.heartbeat(ctx, a.node, s.cfg.CallbackURL+"/"+a.node, a.token)
	if errors.Is(err, errRefused) {
		s.drop(a)
	}
	return err
}

func (s *Server) boot(ctx context.Context, n waitingNode, token string) *agent {
	ctx, off := context.WithCancel(ctx)
	a := &agent{server: s, node: n.UUID, token: token, bootedFor: n.ProvisionState, on: ctx, off: off}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agents[n.UUID] = a
	a.record(entry{Event: "boot", Name: n.ProvisionState})
	return a
}

// drop switches the agent's server off: steps that still run end.
func (s *Server) drop(a *agent) {
	a.off()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agents[a.node] == a {
		delete(s.agents, a.node)
	}
	a.record(entry{Event: "off"})
}

// silent lists the agents that nobody talked to for a while and whose nodes are not among those that wait.
func (s *Server) silent(waiting []waitingNode) []*agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*agent
	for _, a := range s.agents {
		waits := slices.ContainsFunc(waiting, func(n waitingNode) bool { return n.UUID == a.node })
		if !waits && a.idleFor(silence) {
			list = append(list, a)
		}
	}
	return list
}

func (s *Server) agent(uuid string) (*agent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.agents[uuid]
	return a, ok
}

// handler is the agents' API, a folder per node, beside the faults to inject and something to boot.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{node}/v1/commands/{$}", s.listCommands)
	mux.HandleFunc("POST /{node}/v1/commands/{$}", s.runCommand)
	mux.HandleFunc("GET /faults", s.listFaults)
	mux.HandleFunc("POST /faults", s.addFault)
	mux.HandleFunc("DELETE /faults", s.removeFaults)
	mux.HandleFunc("GET /boot/{file}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "stands for the deploy ramdisk's %s\n", r.PathValue("file"))
	})
	return mux
}

func (s *Server) listCommands(w http.ResponseWriter, r *http.Request) {
	a, ok := s.agent(r.PathValue("node"))
	if !ok {
		fault(w, http.StatusNotFound, "no agent runs on this node")
		return
	}
	a.touch()
	answer(w, http.StatusOK, map[string]any{"commands": a.list()})
}

func (s *Server) runCommand(w http.ResponseWriter, r *http.Request) {
	a, ok := s.agent(r.PathValue("node"))
	if !ok {
		fault(w, http.StatusNotFound, "no agent runs on this node")
		return
	}
	if r.URL.Query().Get("agent_token") != a.token {
		fault(w, http.StatusUnauthorized, "Token invalid.")
		return
	}
	var req struct {
		Name   string
		Params json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fault(w, http.StatusBadRequest, err.Error())
		return
	}
	a.touch()
	c, err := a.command(req.Name, req.Params)
	switch {
	case errors.Is(err, errBusy):
		fault(w, http.StatusConflict, "Agent is busy: "+err.Error())
	case err != nil:
		fault(w, http.StatusBadRequest, err.Error())
	default:
		answer(w, http.StatusOK, c)
	}
}

// answer writes headers and body in one go, so that no delayed acknowledgement holds the body up.
func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// fault answers as the agent does: the conductor reads faultstring.
func fault(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]any{"faultcode": status, "faultstring": text})
}

// folder is where a node's files lie; it is made if missing.
func folder(dir, uuid string) (string, error) {
	path := filepath.Join(dir, uuid)
	return path, os.MkdirAll(path, 0o700)
}
