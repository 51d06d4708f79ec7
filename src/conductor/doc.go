// Package conductor keeps nodes and ports, walks nodes through Ironic's provision states and controls them through the
// driver layer. It is what stands behind the Bare Metal API where no OpenStack is.
//
// A [Conductor] is one process at work on a [Store] that several may share. It registers itself there with a lease
// ([Conductor.Start]), and a node's lock is the name of the conductor that holds it. Verbs and power changes are
// accepted in one transaction, that takes the lock and enters the first state, and carried on by a worker. Whatever a
// worker does between two writes can be repeated: when its process dies, the lease runs out and another conductor, or
// the same one after its restart, fails or resumes the node ([Conductor.Recover]).
//
// Deployment, cleaning and inspection are lists of steps. A step ends with [Done], or with [Wait] for an event: the
// node is then unlocked, and the event continues it, in whatever process it arrives.
//
// States, verbs and texts are those of Ironic 21.4 (ironic/common/states.py). Start at [New].
package conductor
