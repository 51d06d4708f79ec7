package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/wait"
)

// Power asks for a power state and returns when Ironic has taken the request; [Client.WaitPower] waits for its
// end. It is no error when the node is in that state. ErrWrongState while the node is cleaned.
//
// A request that was not answered is not sent again while the node shows that it is carried out; a reboot that
// is over by then comes twice.
func (c *Client) Power(ctx context.Context, uuid string, t baremetal.PowerTarget) error {
	return c.do(ctx, request{
		op: fmt.Sprintf("ask node %s for %s", uuid, t), method: http.MethodPut,
		path: nodePath(uuid) + "/states/power", body: map[string]baremetal.PowerTarget{"target": t},
		again: func(ctx context.Context, lost error) (bool, error) {
			if lost == nil {
				return false, nil
			}
			now, err := c.Node(ctx, uuid)
			return now.TargetPowerState != "", err
		},
	}, nil)
}

// WaitPower waits until the node has the power state and nothing is on the way, for at most limit (zero: as
// long as ctx), and returns it. ErrFailed, with Ironic's last_error, when the change was given up.
func (c *Client) WaitPower(
	ctx context.Context, uuid string, want baremetal.PowerState, limit time.Duration,
) (baremetal.Node, error) {
	goal := fmt.Sprintf("node %s to be in %s", uuid, want)
	pace := c.pace
	pace.Limit = limit
	var n baremetal.Node
	err := wait.Until(ctx, pace, goal, func(ctx context.Context) (bool, string, error) {
		now, err := c.Node(ctx, uuid)
		if err != nil {
			return false, "", err
		}
		n = now
		switch {
		case n.TargetPowerState != "":
		case n.PowerState == want:
			return true, "", nil
		case n.LastError != "": // a new request clears it
			return false, "", failed("wait for "+goal, n, "is in "+powerOf(n))
		}
		return false, powerOf(n), nil
	})
	return n, err
}

func powerOf(n baremetal.Node) string {
	if n.PowerState == "" {
		return "an unknown power state"
	}
	return string(n.PowerState)
}
