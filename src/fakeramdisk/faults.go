package fakeramdisk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A Fault is something that shall go wrong. POST /faults adds one, GET lists them, DELETE /faults?node=U (or
// without node: all) removes them.
type Fault struct {
	Node    string `json:"node,omitempty"`     // a node's UUID; empty: every node
	Step    string `json:"step,omitempty"`     // a step's name; empty: every step
	Text    string `json:"text,omitempty"`     // the step fails with it; empty: it does not fail
	DelayMS int    `json:"delay_ms,omitempty"` // the step takes that much longer, before it works or fails
	Mute    bool   `json:"mute,omitempty"`     // the ramdisk never calls: a server that does not boot
	Times   int    `json:"times,omitempty"`    // how many steps are hit; zero: all
	Hits    int    `json:"hits"`               // how many were
}

// A faults is the list in force.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

func (f *faults) mutes(node string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.list, func(x *Fault) bool { return x.Mute && (x.Node == "" || x.Node == node) })
}

// strike delays the step and returns the error that it shall fail with.
func (f *faults) strike(ctx context.Context, node, step string) error {
	for _, x := range f.take(node, step) {
		if err := wait.Pause(ctx, time.Duration(x.DelayMS)*time.Millisecond); err != nil {
			return err
		}
		if x.Text != "" {
			return errors.New(x.Text)
		}
	}
	return nil
}

// take counts a hit on every fault meant for the step.
func (f *faults) take(node, step string) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var hit []Fault
	for _, x := range f.list {
		meant := !x.Mute && (x.Node == "" || x.Node == node) && (x.Step == "" || x.Step == step)
		if meant && (x.Times == 0 || x.Hits < x.Times) {
			x.Hits++
			hit = append(hit, *x)
		}
	}
	return hit
}

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	answer(w, http.StatusOK, s.faults.list)
}

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) {
	var x Fault
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&x); err != nil {
		fault(w, http.StatusBadRequest, err.Error())
		return
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &x)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) removeFaults(w http.ResponseWriter, r *http.Request) {
	node := r.URL.Query().Get("node")
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = slices.DeleteFunc(s.faults.list, func(x *Fault) bool { return node == "" || x.Node == node })
	w.WriteHeader(http.StatusNoContent)
}
