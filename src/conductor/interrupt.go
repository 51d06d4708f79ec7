package conductor

import "bosh-ironic-cpi/src/baremetal"

// Underway reports whether the node is on its way to another state, or waits for its ramdisk on that way.
func (n *Node) Underway() bool { return failsTo[n.ProvisionState] != "" }

// Interrupt ends what is under way on a node that nobody will go on with: it enters the failed state that belongs to its
// own, unlocked, with the reason as last_error. Nothing is stored, and no hardware is asked.
func (n *Node) Interrupt(reason string) {
	to := failsTo[n.ProvisionState]
	if to == "" {
		return
	}
	target := n.TargetProvisionState
	if to == baremetal.Enroll || to == baremetal.AdoptFailed {
		target = ""
	}
	n.enter(to, target)
	n.LastError = reason
	n.Details.Work, n.Details.Agent = nil, nil
	n.Reservation, n.TargetPowerState = "", ""
}
