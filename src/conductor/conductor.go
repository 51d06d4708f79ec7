package conductor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// A Config is what a conductor works with. Zero values mean what is said.
type Config struct {
	Hostname  string // unique among the conductors of a store; it is what stands in a node's reservation
	Group     string // conductor_group of the nodes that it may work on; empty: the default group
	Store     Store
	Drivers   driver.Table
	Deployers map[string]Deployer // by name of the deploy interface

	Inspectors map[string]Worker // by name of the inspect interface, besides those of drivers

	// VendorArguments checks those of a vendor method: see package driver/vendorargs. nil: vendor methods are refused.
	VendorArguments func(driver.VendorMethod, map[string]any) error

	Types          []string            // enabled hardware types; empty: all of them
	Enabled        map[string][]string // enabled interfaces by kind; a kind that is not there: all of them
	Defaults       map[string]string   // interface by kind, for nodes that name none and whose hardware type can do it
	AutomatedClean bool                // clean between two instances, where a node does not say otherwise
	Workers        int                 // how many nodes at once; 0: 100
	Lease          time.Duration       // how long this conductor is believed alive without a sign; 0: 15 s
	LockWait       time.Duration       // how long a request waits for a lock; 0: 2 s, as Ironic does
	PowerPace      wait.Pace           // how hardware is asked while it switches; zero: 50 ms to 1 s, for 30 s
	WaitLimit      time.Duration       // how long a wait state lasts; 0: 30 min
	Log            *slog.Logger        // nil: none
}

// A Conductor works on the nodes of a store. Its methods may be called at once; they return an [Error] for what the
// API refuses.
type Conductor struct {
	cfg   Config
	store Store
	log   *slog.Logger
	base  context.Context //nolint:containedctx // the time from Start to Close, which workers outlast calls in
	stop  context.CancelFunc
	work  sync.WaitGroup
	room  chan struct{}

	incarnation string // tells this process from one before it of the same name

	queued  atomic.Int64 // workers that wait for a place
	mu      sync.Mutex
	dropped map[string]Time // by node's UUID: locks of ours that nobody works under, and when they were taken
}

// ErrBusy is the kind of a refusal for lack of workers.
var ErrBusy = errors.New("no free workers")

// ErrForbidden is the kind of a refusal for a protected node.
var ErrForbidden = errors.New("forbidden")

// New makes a conductor; it touches nothing. Call [Conductor.Start] before the first verb.
func New(cfg Config) (*Conductor, error) {
	if cfg.Hostname == "" || cfg.Store == nil {
		return nil, errors.New("a conductor needs a hostname and a store")
	}
	if err := cfg.Drivers.Check(); err != nil {
		return nil, err
	}
	if err := cfg.enable(); err != nil {
		return nil, err
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 100
	}
	if cfg.Lease <= 0 {
		cfg.Lease = 15 * time.Second
	}
	if cfg.LockWait <= 0 {
		cfg.LockWait = 2 * time.Second
	}
	if cfg.PowerPace.Every <= 0 {
		cfg.PowerPace = wait.Pace{First: 50 * time.Millisecond, Every: time.Second, Limit: 30 * time.Second}
	}
	if cfg.WaitLimit <= 0 {
		cfg.WaitLimit = 30 * time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Conductor{cfg: cfg, store: cfg.Store, log: cfg.Log, room: make(chan struct{}, cfg.Workers), dropped: map[string]Time{}, incarnation: newUUID()}, nil
}

// Start registers the conductor, renews its lease until ctx ends, and takes up what it, or a conductor that is gone,
// left behind. Workers run until ctx ends; then they stop between two steps, and [Conductor.Close] waits for them.
func (c *Conductor) Start(ctx context.Context) error {
	c.base, c.stop = context.WithCancel(ctx)
	err := c.register(c.base, true)
	if err == nil {
		err = c.restarted(c.base)
	}
	if err == nil {
		err = c.Recover(c.base)
	}
	if err != nil {
		c.stop()
		c.work.Wait()
		return err
	}
	c.work.Go(func() {
		tick := time.NewTicker(c.cfg.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-c.base.Done():
				return
			case <-tick.C:
			}
			switch err := c.register(c.base, false); {
			case errors.Is(err, errSuperseded):
				c.log.ErrorContext(c.base, "this conductor stops: another one has started under its name", "hostname", c.cfg.Hostname)
				c.stop()
				return
			case err != nil && c.base.Err() == nil:
				c.log.ErrorContext(c.base, "renewing the lease", "err", err)
			}
		}
	})
	return nil
}

// Close stops the workers, waits for them, and takes the registration back: what they were at is taken up by another
// conductor without waiting for the lease to end.
func (c *Conductor) Close() error {
	if c.stop == nil {
		return nil
	}
	c.stop()
	c.work.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.base), 5*time.Second)
	defer cancel()
	return c.store.Update(ctx, func(tx Tx) error {
		r, err := Get[Registration](tx, c.cfg.Hostname)
		if errors.Is(err, baremetal.ErrNotFound) || (err == nil && r.Incarnation != c.incarnation) {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.DeleteRow(KindConductor, c.cfg.Hostname)
	})
}

// errSuperseded means that another process has started under our name: it has taken up what was ours.
var errSuperseded = errors.New("another conductor has started under this name")

// Busy is how many nodes this conductor works on, or is about to.
func (c *Conductor) Busy() int { return int(c.queued.Load()) + len(c.room) }

// Wait returns when no worker is busy. A short process calls it before it ends.
func (c *Conductor) Wait(ctx context.Context) error {
	pace := wait.Pace{First: time.Millisecond, Every: 50 * time.Millisecond}
	return wait.Until(ctx, pace, "the conductor's workers", func(context.Context) (bool, string, error) {
		n := c.Busy()
		return n == 0, fmt.Sprintf("%d at work", n), nil
	})
}

// register writes the row with the lease. At the start it takes a row of this name over: after a kill nobody else has it.
func (c *Conductor) register(ctx context.Context, starts bool) error {
	drivers := make([]string, len(c.cfg.Drivers.Types))
	for i, h := range c.cfg.Drivers.Types {
		drivers[i] = h.Name
	}
	return c.store.Update(ctx, func(tx Tx) error {
		r, err := Get[Registration](tx, c.cfg.Hostname)
		if errors.Is(err, baremetal.ErrNotFound) {
			r, err = &Registration{Hostname: c.cfg.Hostname, CreatedAt: Now()}, nil
		}
		if err != nil {
			return err
		}
		if !starts && r.Incarnation != "" && r.Incarnation != c.incarnation {
			return errSuperseded
		}
		r.Group, r.Drivers, r.Incarnation = c.cfg.Group, drivers, c.incarnation
		r.UpdatedAt = Now()
		r.Until = r.UpdatedAt + Time(c.cfg.Lease.Microseconds())
		return Put(tx, r)
	})
}

// Hostname is the name in reservations.
func (c *Conductor) Hostname() string { return c.cfg.Hostname }

// Store is where everything is kept.
func (c *Conductor) Store() Store { return c.store }

// Drivers is the table of drivers.
func (c *Conductor) Drivers() driver.Table { return c.cfg.Drivers }

// begin takes a worker's place. It refuses when all are taken.
func (c *Conductor) begin() error {
	if c.base == nil || c.base.Err() != nil {
		return refuse(ErrBusy, "Requested action cannot be performed: the conductor is stopping.")
	}
	select {
	case c.room <- struct{}{}:
		return nil
	default:
		return refuse(ErrBusy, "Requested action cannot be performed due to lack of free conductor workers.")
	}
}

func (c *Conductor) end() { <-c.room }

// run has a worker carry on with a node that this conductor has locked.
func (c *Conductor) run(n *Node, act func(context.Context, *Task)) {
	c.work.Go(func() {
		defer c.end()
		(&Task{c: c, Node: n}).survive(c.base, act)
	})
}

// survive has a driver's or deploy interface's panic fail its node, and nothing else.
func (t *Task) survive(ctx context.Context, act func(context.Context, *Task)) {
	defer func() {
		if p := recover(); p != nil {
			t.c.log.ErrorContext(ctx, "panic", "node", t.Node.UUID, "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			t.fail(ctx, errors.New("a fault of the conductor, whose log has the stack"))
		}
	}()
	act(ctx, t)
}

// queue is run for work that nobody has asked for just now: where all places are taken it waits for one.
func (c *Conductor) queue(n *Node, act func(context.Context, *Task)) {
	c.queued.Add(1)
	c.work.Go(func() {
		select {
		case c.room <- struct{}{}:
			c.queued.Add(-1)
		case <-c.base.Done():
			c.queued.Add(-1)
			return // the node stays locked, for whoever comes next
		}
		defer c.end()
		(&Task{c: c, Node: n}).survive(c.base, act)
	})
}

// hold writes this conductor's lock into a node.
func (c *Conductor) hold(n *Node) {
	n.Reservation, n.Details.LockedAt, n.Details.LockedIn = c.cfg.Hostname, Now(), c.incarnation
}

// lock changes a node under its lock: nobody holds it when change is called, and afterwards whoever change wrote into
// its reservation. It waits a while for the lock.
func (c *Conductor) lock(ctx context.Context, ident string, change func(Tx, *Node) error) (changed *Node, err error) {
	err = c.locked(ctx, ident, func(tx Tx, n *Node) error {
		if err := change(tx, n); err != nil {
			return err
		}
		n.UpdatedAt = Now()
		changed = n
		return tx.PutNode(n)
	})
	return changed, err
}

// locked calls act in a transaction in which nobody holds the node's lock. It waits a while for that.
func (c *Conductor) locked(ctx context.Context, ident string, act func(Tx, *Node) error) error {
	var held, result error
	pace := wait.Pace{First: 5 * time.Millisecond, Every: 100 * time.Millisecond, Limit: c.cfg.LockWait}
	err := wait.Until(ctx, pace, "the lock of node "+ident, func(context.Context) (bool, string, error) {
		held = nil
		result = c.store.Update(ctx, func(tx Tx) error { // a slow store is not cut off: the limit is for the lock
			n, err := tx.Node(ident)
			if err != nil {
				return err
			}
			if n.Reservation != "" {
				held = locked(n)
				return nil
			}
			return act(tx, n)
		})
		return result != nil || held == nil, "locked", nil //nolint:nilerr // result is returned below
	})
	switch {
	case held != nil && ctx.Err() == nil:
		return held
	case err != nil:
		return err
	}
	return result
}

// Change edits a node that nobody works on, as PATCH does. change may refuse.
func (c *Conductor) Change(ctx context.Context, ident string, change func(Tx, *Node) error) (*Node, error) {
	return c.lock(ctx, ident, change)
}

// Task is a worker's view of the node that it works on.
type Task struct {
	Node  *Node  // as stored; only Save changes it
	Event string // what continued the step; empty at its first run
	c     *Conductor
	dirty map[string]string // the driver's state, where a call changed it
}

// errLost means that the lock is somebody else's now: this process was thought dead.
var errLost = errors.New("the node's lock was taken over by another conductor")

// holds reports errLost unless the lock in n, as stored, is the one that the task works under.
func (t *Task) holds(n *Node) error {
	if n.Reservation != t.c.cfg.Hostname || n.Details.LockedAt != t.Node.Details.LockedAt {
		return errLost
	}
	return nil
}

// drop is for a lock that could not be given back, because the store takes no changes: Recover sees to it.
func (t *Task) drop(ctx context.Context, err error) {
	if errors.Is(err, errLost) || errors.Is(err, baremetal.ErrNotFound) {
		t.c.log.WarnContext(ctx, "left a node", "node", t.Node.UUID, "state", t.Node.ProvisionState, "err", err)
		return
	}
	t.c.log.ErrorContext(ctx, "a node stays locked until the store takes changes", "node", t.Node.UUID, "err", err)
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.dropped[t.Node.UUID] = t.Node.Details.LockedAt
}

// patience is how long a worker waits for the store. The conductor's end does not cut it off: what is done gets stored.
const patience = 30 * time.Second

// Save changes the node and stores it, together with what drivers wanted to remember.
func (t *Task) Save(ctx context.Context, change func(*Node)) error {
	return t.save(ctx, func(_ Tx, n *Node) error { change(n); return nil })
}

func (t *Task) save(ctx context.Context, change func(Tx, *Node) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return t.c.store.Update(ctx, func(tx Tx) error {
		n, err := tx.Node(t.Node.UUID)
		if err != nil {
			return err
		}
		if err := t.holds(n); err != nil {
			return err
		}
		if t.dirty != nil {
			n.Details.DriverState = t.dirty
		}
		if err := change(tx, n); err != nil {
			return err
		}
		n.UpdatedAt = Now()
		if err := tx.PutNode(n); err != nil {
			return err
		}
		t.Node = n
		return nil
	})
}

// Ports lists the node's ports.
func (t *Task) Ports(ctx context.Context) (ports []*Port, err error) {
	err = t.c.store.View(ctx, func(tx Tx) error {
		ports, err = All[Port](tx, RowQuery{NodeUUID: t.Node.UUID})
		return err
	})
	return ports, err
}

// onHardware calls a driver with the node as drivers see it, and keeps what it wants to remember for the next Save.
func (t *Task) onHardware(ctx context.Context, call func(*driver.Node) error) error {
	ports, err := t.Ports(ctx)
	if err != nil {
		return err
	}
	state := t.Node.Details.DriverState
	if t.dirty != nil {
		state = t.dirty
	}
	n := t.c.seenByDriver(t.Node, ports)
	n.State = maps.Clone(state)
	err = call(n)
	if !maps.Equal(n.State, state) {
		t.dirty = n.State
	}
	return err
}

// hardware is the driver behind the node's interface of a kind; nil: nobody, as with noop.
func (c *Conductor) hardware(n *Node, kind string) any {
	spec, ok := c.cfg.Drivers.Spec(n.Interface(kind))
	if !ok {
		return nil
	}
	return spec.New()
}

// Conductors lists registrations, the dead ones too.
func (c *Conductor) Conductors(ctx context.Context) (all []*Registration, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		all, err = All[Registration](tx, RowQuery{})
		return err
	})
	return all, err
}

// alive is the set of conductors whose lease runs.
func alive(tx Tx) (map[string]bool, error) {
	all, err := All[Registration](tx, RowQuery{})
	names := map[string]bool{}
	for _, r := range all {
		if r.Alive() {
			names[r.Hostname] = true
		}
	}
	return names, err
}

// deployer is the node's deploy interface.
func (c *Conductor) deployer(n *Node) (Deployer, error) {
	d, ok := c.cfg.Deployers[n.Interface("deploy")]
	if !ok {
		return nil, invalid("deploy interface %s of node %s is not one of %v here", n.Interface("deploy"), n.UUID, slices.Sorted(maps.Keys(c.cfg.Deployers)))
	}
	return d, nil
}
