package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
)

func TestFleet(t *testing.T) {
	kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	engine, err := conductor.New(conductor.Config{Hostname: "c1", Store: kept, Drivers: all.Table()})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	err = kept.Update(t.Context(), func(tx conductor.Tx) error {
		for i, state := range []baremetal.ProvisionState{baremetal.Available, baremetal.Active, baremetal.Active} {
			if err := tx.PutNode(&conductor.Node{UUID: string(rune('a' + i)), ProvisionState: state, Maintenance: i == 0}); err != nil {
				return err
			}
		}
		return conductor.Put(tx, &conductor.Registration{Hostname: "gone", Until: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newFleet(engine, slog.New(slog.DiscardHandler)))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "bosh_ironic_conductor_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"nodes active": 2, "nodes available": 1, "maintenance_nodes": 1, "busy_workers": 0, "conductors true": 1, "conductors false": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
