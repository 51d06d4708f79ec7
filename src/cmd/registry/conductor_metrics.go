package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bosh-ironic-cpi/src/conductor"
)

// A fleet tells Prometheus how the nodes are, as the store has them when it asks.
type fleet struct {
	engine *conductor.Conductor
	log    *slog.Logger

	nodes, maintenance, workers, conductors *prometheus.Desc
}

func newFleet(engine *conductor.Conductor, log *slog.Logger) *fleet {
	about := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("bosh_ironic_conductor_"+name, help, labels, nil)
	}
	return &fleet{
		engine: engine, log: log,
		nodes:       about("nodes", "Nodes, by provision state.", "provision_state"),
		maintenance: about("maintenance_nodes", "Nodes in maintenance."),
		workers:     about("busy_workers", "Nodes that this conductor works on."),
		conductors:  about("conductors", "Conductors on the same store, by whether their lease runs.", "alive"),
	}
}

// Describe implements prometheus.Collector.
func (f *fleet) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.nodes, f.maintenance, f.workers, f.conductors} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (f *fleet) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	gauge(f.workers, f.engine.Busy())
	states, maintained, alive := map[string]int{}, 0, map[bool]int{}
	err := f.engine.Store().View(ctx, func(tx conductor.Tx) error {
		q := conductor.NodeQuery{Only: []string{"provision_state", "maintenance"}, Brief: true}
		err := tx.EachNode(q, func(n *conductor.Node) error {
			states[string(n.ProvisionState)]++
			if n.Maintenance {
				maintained++
			}
			return nil
		})
		if err != nil {
			return err
		}
		all, err := conductor.All[conductor.Registration](tx, conductor.RowQuery{})
		for _, r := range all {
			alive[r.Alive()]++
		}
		return err
	})
	if err != nil {
		f.log.WarnContext(ctx, "counting nodes", "err", err)
		return
	}
	for state, n := range states {
		gauge(f.nodes, n, state)
	}
	gauge(f.maintenance, maintained)
	gauge(f.conductors, alive[true], "true")
	gauge(f.conductors, alive[false], "false")
}
