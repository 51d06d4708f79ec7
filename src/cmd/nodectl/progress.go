package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/wait"
)

// lookEvery is the pause between two looks of the progress line.
const lookEvery = 2 * time.Second

// follow runs await, which waits for n to change, and shows meanwhile where the node stands: on a terminal in one line
// that is written over, else a line for each change.
func (c *console) follow(
	ctx context.Context, service *api, n baremetal.Node, await func(context.Context) (baremetal.Node, error),
) (baremetal.Node, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	p := progress{console: c, begun: time.Now(), terminal: c.messages.isTerminal()}
	var watcher sync.WaitGroup
	watcher.Go(func() {
		// It ends with watching alone: await says what came of it. A look under way is not broken off, for the client
		// would warn of that.
		_ = wait.Until(watching, wait.Pace{Every: lookEvery}, "the end", func(context.Context) (bool, string, error) {
			if now, err := service.Node(ctx, n.UUID); err == nil {
				p.show(now)
			}
			return false, "", nil
		})
	})
	last, err := await(ctx)
	stop()
	watcher.Wait()
	p.end(last, err)
	return last, err
}

// A progress is the line, or lines, that tell how a node gets on.
type progress struct {
	*console
	begun    time.Time
	terminal bool
	last     string
}

// show tells where the node stands.
func (p *progress) show(n baremetal.Node) {
	where := provisionState(n)
	if n.TargetPowerState != "" {
		where = powerOf(n) + " -> " + string(n.TargetPowerState)
	}
	switch {
	case p.terminal:
		p.messages.show(fmt.Sprintf("node %s: %s (%v)", n.Label(), where, since(p.begun)))
	case where != p.last:
		p.note("node %s: %s", n.Label(), where)
	}
	p.last = where
}

// end closes the line, with where the node stands in the end.
func (p *progress) end(n baremetal.Node, err error) {
	p.messages.show("")
	if err == nil {
		p.note("node %s: %s, %s after %v", n.Label(), n.ProvisionState, powerOf(n), since(p.begun))
	}
}

func powerOf(n baremetal.Node) string {
	if n.PowerState == "" {
		return "power unknown"
	}
	return string(n.PowerState)
}
