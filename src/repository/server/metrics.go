package server

import "github.com/prometheus/client_golang/prometheus"

// register makes the tree's gauges known.
func (t *Tree) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	of := prometheus.Labels{"tree": t.Name}
	for _, g := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bosh_ironic_repository_used_bytes", Help: "Size of the files of a tree.", ConstLabels: of,
		}, func() float64 { return float64(t.space.used()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bosh_ironic_repository_free_bytes", Help: "Room on the disk of a tree.", ConstLabels: of,
		}, func() float64 {
			free, err := t.space.free()
			if err != nil {
				return -1
			}
			return float64(free)
		}),
	} {
		if err := r.Register(g); err != nil {
			return err
		}
	}
	return nil
}
