package deploy

import "bosh-ironic-cpi/src/conductor"

// A Set is every deploy interface and every inspect interface that boots a ramdisk, by name.
type Set struct {
	Deployers  map[string]conductor.Deployer
	Inspectors map[string]conductor.Worker
	direct     *Direct
}

// All makes them.
func All(ramdisk Ramdisk) *Set {
	direct := NewDirect(ramdisk)
	return &Set{
		Deployers:  map[string]conductor.Deployer{"direct": direct, "fake": Fake{}},
		Inspectors: map[string]conductor.Worker{"agent": Inspection{Ramdisk: ramdisk}},
		direct:     direct,
	}
}

// Close closes connections that nobody uses.
func (s *Set) Close() { s.direct.Close() }
