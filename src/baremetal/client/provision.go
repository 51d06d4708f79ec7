package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/wait"
)

// heard lists, for each verb, states that show that it was: none of them accepts the verb. A failed state that
// does is missing, so after an answer that never came the verb is sent again there.
var heard = map[baremetal.Verb][]baremetal.ProvisionState{
	baremetal.VerbManage:  {baremetal.Verifying, baremetal.Manageable},
	baremetal.VerbProvide: {baremetal.Cleaning, baremetal.CleanWait, baremetal.CleanFailed, baremetal.Available},
	baremetal.VerbInspect: {baremetal.Inspecting, baremetal.InspectWait},
	baremetal.VerbClean:   {baremetal.Cleaning, baremetal.CleanWait, baremetal.CleanFailed},
	baremetal.VerbActive:  {baremetal.Deploying, baremetal.WaitCallBack, baremetal.Active},
	baremetal.VerbRebuild: {baremetal.Deploying, baremetal.WaitCallBack},
	baremetal.VerbDeleted: {
		baremetal.Deleting, baremetal.Cleaning, baremetal.CleanWait, baremetal.CleanFailed,
		baremetal.Available, baremetal.Manageable, // manageable: a retired node
	},
	baremetal.VerbAbort: {baremetal.CleanFailed, baremetal.InspectFailed, baremetal.RescueFailed},
}

// Provision asks for a verb and returns when Ironic has taken it; [Client.Settle] waits for the end.
// ErrWrongState when the node's state does not accept it.
//
// While the node is locked or the service silent the verb is sent again. Before that the node is read: where
// an unanswered verb was heard, all is well. deleted and rebuild destroy what is on the disk, so they also
// remember whose instance the node held at first: deleted is content when it is gone, and either verb ends
// with ErrAssociated when another one is there.
func (c *Client) Provision(ctx context.Context, uuid string, p baremetal.Provision) error {
	op := fmt.Sprintf("ask node %s for %s", uuid, p.Target)
	destroys := p.Target == baremetal.VerbDeleted || p.Target == baremetal.VerbRebuild
	var before baremetal.Node
	if destroys {
		var err error
		if before, err = c.Node(ctx, uuid); err != nil {
			return err
		}
	}
	r := request{
		op: op, method: http.MethodPut, path: nodePath(uuid) + "/states/provision", body: p,
		again: func(ctx context.Context, lost error) (bool, error) {
			now, err := c.Node(ctx, uuid)
			switch {
			case err != nil:
				return false, err
			case destroys && now.InstanceUUID != "" && now.InstanceUUID != before.InstanceUUID:
				return false, associated(op, now)
			case p.Target == baremetal.VerbDeleted && before.InstanceUUID != "" && now.InstanceUUID == "":
				return true, nil
			}
			return lost != nil && slices.Contains(heard[p.Target], now.ProvisionState), nil
		},
	}
	if len(p.DeploySteps) > 0 {
		r.since = sinceDeploySteps
	}
	return c.do(ctx, r, nil)
}

// worked are the states in which a conductor holds the node's lock all the time, but for moments between two steps. One
// that loses its database there gives the lock up and leaves the state (Ironic 21.4: "Async execution of … failed").
var worked = map[baremetal.ProvisionState]bool{
	baremetal.Verifying: true, baremetal.Cleaning: true, baremetal.Deploying: true, baremetal.Deleting: true,
}

// abandonedAfter is far longer than such a moment, and far shorter than a deployment's limit.
const abandonedAfter = time.Minute

// Settle waits until the node is in one of the wanted states and unlocked, for at most limit (zero: as long as
// ctx), and returns it.
//
// ErrFailed, with Ironic's last_error, when it ends elsewhere: in a failed state, or at rest in one that is not
// wanted, such as enroll after manage, or left behind by a conductor whose own work broke. The node comes with that
// error, too. A service that does not answer for a while is waited for.
func (c *Client) Settle(
	ctx context.Context, uuid string, limit time.Duration, want ...baremetal.ProvisionState,
) (baremetal.Node, error) {
	goal := fmt.Sprintf("node %s to be %s", uuid, either(want))
	pace := c.pace
	pace.Limit = limit
	var n baremetal.Node
	var left time.Time // since when nobody is at work on it
	err := wait.Until(ctx, pace, goal, func(ctx context.Context) (bool, string, error) {
		now, err := c.Node(ctx, uuid)
		if err != nil {
			return false, "", err
		}
		n = now
		switch {
		case n.Reservation != "": // it outlives the last change of state by 10 to 50 ms
		case slices.Contains(want, n.ProvisionState):
			return true, "", nil
		case n.ProvisionState.Failed(), n.TargetProvisionState == "":
			return false, "", failed("wait for "+goal, n, "is "+string(n.ProvisionState))
		}
		switch {
		case n.Reservation != "" || n.LastError == "" || !worked[n.ProvisionState]:
			left = time.Time{}
		case left.IsZero():
			left = time.Now()
		case time.Since(left) > abandonedAfter:
			return false, "", failed("wait for "+goal, n, "was left "+string(n.ProvisionState)+"; a restart of its conductor fails it properly")
		}
		return false, string(n.ProvisionState), nil
	})
	return n, err
}

func either(want []baremetal.ProvisionState) string {
	words := make([]string, len(want))
	for i, w := range want {
		words[i] = string(w)
	}
	return strings.Join(words, " or ")
}

// failed says where the node stands instead, and why in Ironic's words.
func failed(op string, n baremetal.Node, where string) error {
	text := "node " + n.Label() + " " + where
	if n.LastError != "" {
		text += ": " + tidy(n.LastError)
	}
	return &baremetal.APIError{Op: op, Text: text, Kind: baremetal.ErrFailed}
}
