package main

import "testing"

func TestNodeSince(t *testing.T) {
	free := node{UUID: "u", Name: "node-1", ProvisionState: "available", PowerState: "power off"}
	vm := node{UUID: "u", Name: "db-0", ProvisionState: "active", PowerState: "power on", InstanceUUID: "i"}
	tests := []struct {
		name     string
		was, now node
		known    bool
		want     string
	}{
		{name: "never seen", now: free, want: "u: name node-1, available, power off, instance none"},
		{
			name: "all new", was: free, now: vm, known: true,
			want: "node-1: name node-1 → db-0, available → active, power off → power on, instance none → i",
		},
		{
			name: "one thing", was: vm, now: node{UUID: "u", Name: "db-0", ProvisionState: "active", PowerState: "rebooting", InstanceUUID: "i"},
			known: true, want: "db-0: power on → rebooting",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.now.since(tt.was, tt.known); got != tt.want {
				t.Errorf("%+v.since(%+v) = %q; want %q", tt.now, tt.was, got, tt.want)
			}
		})
	}
}
