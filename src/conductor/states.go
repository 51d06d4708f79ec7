package conductor

import (
	"slices"

	"bosh-ironic-cpi/src/baremetal"
)

// A move is a line of the state machine: where a verb leads, at once and in the end.
type move struct {
	from   baremetal.ProvisionState
	verb   baremetal.Verb
	enters baremetal.ProvisionState
	target baremetal.ProvisionState // empty: enters is where it rests
}

// transitions is the whole machine (ironic/common/states.py, Ironic 21.4). docs/conductor.md draws it.
var transitions = func() []move {
	var all []move
	add := func(verb baremetal.Verb, enters, target baremetal.ProvisionState, from ...baremetal.ProvisionState) {
		for _, f := range from {
			all = append(all, move{f, verb, enters, target})
		}
	}
	add(baremetal.VerbManage, baremetal.Verifying, baremetal.Manageable, baremetal.Enroll)
	add(baremetal.VerbManage, baremetal.Manageable, "",
		baremetal.Available, baremetal.CleanFailed, baremetal.InspectFailed, baremetal.AdoptFailed)
	add(baremetal.VerbProvide, baremetal.Cleaning, baremetal.Available, baremetal.Manageable)
	add(baremetal.VerbInspect, baremetal.Inspecting, baremetal.Manageable, baremetal.Manageable, baremetal.InspectFailed)
	add(baremetal.VerbClean, baremetal.Cleaning, baremetal.Manageable, baremetal.Manageable)
	add(baremetal.VerbAdopt, baremetal.Adopting, baremetal.Active, baremetal.Manageable, baremetal.AdoptFailed)
	add(baremetal.VerbActive, baremetal.Deploying, baremetal.Active, baremetal.Available, baremetal.DeployFailed)
	add(baremetal.VerbRebuild, baremetal.Deploying, baremetal.Active, baremetal.Active, baremetal.DeployFailed, baremetal.ErrorState)
	add(baremetal.VerbDeleted, baremetal.Deleting, baremetal.Available,
		baremetal.Active, baremetal.DeployFailed, baremetal.WaitCallBack, baremetal.ErrorState,
		baremetal.Rescue, baremetal.RescueWait, baremetal.RescueFailed, baremetal.UnrescueFailed)
	add(baremetal.VerbAbort, baremetal.CleanFailed, "", baremetal.CleanWait)
	add(baremetal.VerbAbort, baremetal.InspectFailed, "", baremetal.InspectWait)
	add(baremetal.VerbAbort, baremetal.RescueFailed, "", baremetal.RescueWait)
	add(baremetal.VerbRescue, baremetal.Rescuing, baremetal.Rescue,
		baremetal.Active, baremetal.Rescue, baremetal.RescueFailed, baremetal.UnrescueFailed)
	add(baremetal.VerbUnrescue, baremetal.Unrescuing, baremetal.Active,
		baremetal.Rescue, baremetal.RescueFailed, baremetal.UnrescueFailed)
	return all
}()

// transition finds the line for a verb.
func transition(from baremetal.ProvisionState, verb baremetal.Verb) (move, bool) {
	i := slices.IndexFunc(transitions, func(t move) bool { return t.from == from && t.verb == verb })
	if i < 0 {
		return move{}, false
	}
	return transitions[i], true
}

// failsTo is where a node goes when what it was doing breaks.
var failsTo = map[baremetal.ProvisionState]baremetal.ProvisionState{
	baremetal.Verifying:    baremetal.Enroll,
	baremetal.Cleaning:     baremetal.CleanFailed,
	baremetal.CleanWait:    baremetal.CleanFailed,
	baremetal.Deploying:    baremetal.DeployFailed,
	baremetal.WaitCallBack: baremetal.DeployFailed,
	baremetal.Deleting:     baremetal.ErrorState,
	baremetal.Inspecting:   baremetal.InspectFailed,
	baremetal.InspectWait:  baremetal.InspectFailed,
	baremetal.Adopting:     baremetal.AdoptFailed,
	baremetal.Rescuing:     baremetal.RescueFailed,
	baremetal.RescueWait:   baremetal.RescueFailed,
	baremetal.Unrescuing:   baremetal.UnrescueFailed,
}

// Working reports whether a conductor holds the node's lock in this state.
func Working(s baremetal.ProvisionState) bool {
	switch s {
	case baremetal.Verifying, baremetal.Cleaning, baremetal.Deploying, baremetal.Deleting, baremetal.Inspecting,
		baremetal.Adopting, baremetal.Rescuing, baremetal.Unrescuing:
		return true
	}
	return false
}

// Moving reports whether the node is on its way, so that most of it must not be changed.
func Moving(s baremetal.ProvisionState) bool {
	switch s {
	case baremetal.Verifying, baremetal.InspectWait:
		return false
	case baremetal.WaitCallBack, baremetal.CleanWait, baremetal.RescueWait:
		return true
	}
	return Working(s)
}

// Deletable reports whether a node may be deleted in this state without maintenance.
func Deletable(s baremetal.ProvisionState) bool {
	switch s {
	case baremetal.Enroll, baremetal.Manageable, baremetal.Available, baremetal.AdoptFailed:
		return true
	}
	return false
}

// known reports whether s is a state at all.
func known(s baremetal.ProvisionState) bool {
	if _, ok := failsTo[s]; ok {
		return true
	}
	return slices.ContainsFunc(transitions, func(t move) bool { return t.from == s || t.enters == s || t.target == s })
}

// KnownState reports whether the text names a provision state.
func KnownState(text string) bool { return known(baremetal.ProvisionState(text)) }

// KnownVerb reports whether the text is a verb, or one of its newer names.
func KnownVerb(text string) (baremetal.Verb, bool) {
	switch text {
	case "deploy":
		text = string(baremetal.VerbActive)
	case "undeploy":
		text = string(baremetal.VerbDeleted)
	}
	v := baremetal.Verb(text)
	return v, slices.ContainsFunc(transitions, func(t move) bool { return t.verb == v })
}
