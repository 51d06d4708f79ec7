package journal

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one journal; nil counts nothing.
type metrics struct {
	registerer prometheus.Registerer
	all        []prometheus.Collector
	seconds    prometheus.Histogram
	records    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, j *Journal) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		registerer: r,
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bosh_ironic_registry_commit_seconds", Help: "Time to put one frame of settings on disk.",
			Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .1, 1},
		}),
		records: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bosh_ironic_registry_commit_records", Help: "Writers that shared one sync of the disk.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128},
		}),
	}
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value)
	}
	m.all = []prometheus.Collector{
		m.seconds, m.records,
		gauge("bosh_ironic_registry_instances", "Instances that have settings.", nil, func() float64 { return float64(j.Len()) }),
		gauge("bosh_ironic_registry_journal_bytes", "Size of the journal.", prometheus.Labels{"kind": "live"}, func() float64 {
			live, _ := j.sizes()
			return float64(live)
		}),
		gauge("bosh_ironic_registry_journal_bytes", "Size of the journal.", prometheus.Labels{"kind": "dead"}, func() float64 {
			_, dead := j.sizes()
			return float64(dead)
		}),
	}
	r.MustRegister(m.all...)
	return m
}

// sizes are the bytes of current texts, and those of all else.
func (j *Journal) sizes() (live, dead int64) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.live, j.end - headerSize - j.live
}

func (m *metrics) commit(records int, took time.Duration) {
	if m == nil {
		return
	}
	m.seconds.Observe(took.Seconds())
	m.records.Observe(float64(records))
}

// unregister leaves the registry as it was: a closed journal has nothing to tell.
func (m *metrics) unregister() {
	if m == nil {
		return
	}
	for _, c := range m.all {
		m.registerer.Unregister(c)
	}
}
