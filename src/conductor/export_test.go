package conductor

import (
	"maps"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
)

// StatesOnTheWay are all in which something goes on, or is waited for.
func StatesOnTheWay() []baremetal.ProvisionState { return slices.Sorted(maps.Keys(failsTo)) }
