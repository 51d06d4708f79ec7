package placement

import (
	"fmt"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// A Zone is how an availability zone shows on a node: the operator chose the field, the AZ's cloud property
// gives the value. Without a value it asks for nothing.
type Zone struct {
	Field string // conductor_group, chassis, owner, or properties/<key>
	Value string
}

// Check reports whether Field is one that can be used; the error wraps [ErrBadAsk].
func (z Zone) Check() error {
	switch key, isProperty := strings.CutPrefix(z.Field, "properties/"); {
	case z.Field == "conductor_group", z.Field == "chassis", z.Field == "owner", isProperty && key != "":
		return nil
	}
	return fmt.Errorf("%w: zone field %q is none of conductor_group, chassis, owner, properties/<key>", ErrBadAsk, z.Field)
}

func (z Zone) requirement() requirement {
	met := func(c *Candidate) bool { return z.of(&c.Node) == z.Value }
	if z.Field == "conductor_group" { // Ironic keeps it in lower case
		met = func(c *Candidate) bool { return strings.EqualFold(c.Node.ConductorGroup, z.Value) }
	}
	return requirement{met: met, why: func(c *Candidate) string { return is(z.Field, z.of(&c.Node), z.Value) }}
}

func (z Zone) of(n *baremetal.Node) string {
	switch z.Field {
	case "conductor_group":
		return n.ConductorGroup
	case "chassis":
		return n.ChassisUUID
	case "owner":
		return n.Owner
	}
	return text(n.Properties[strings.TrimPrefix(z.Field, "properties/")])
}
