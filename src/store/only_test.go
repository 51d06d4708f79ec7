package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/conductor"
)

// A query that names what it wants gets that and no more, for each node anew.
func TestNodesInPart(t *testing.T) {
	tests := []struct {
		name  string
		query conductor.NodeQuery
		want  func(whole *conductor.Node) conductor.Node
	}{
		{
			"columns",
			conductor.NodeQuery{Only: []string{"uuid", "name"}, Brief: true},
			func(n *conductor.Node) conductor.Node { return conductor.Node{ID: n.ID, UUID: n.UUID, Name: n.Name} },
		},
		{
			"columns and all details",
			conductor.NodeQuery{Only: []string{"uuid"}},
			func(n *conductor.Node) conductor.Node {
				return conductor.Node{ID: n.ID, UUID: n.UUID, Details: n.Details}
			},
		},
		{
			"some details",
			conductor.NodeQuery{Only: []string{"uuid"}, OnlyDetails: []string{"properties", "work"}},
			func(n *conductor.Node) conductor.Node {
				return conductor.Node{ID: n.ID, UUID: n.UUID, Details: conductor.Details{Properties: n.Details.Properties, Work: n.Details.Work}}
			},
		},
	}
	on(t, func(t *testing.T, address string) {
		s := open(t, address, Options{Key: []byte("0123456789abcdef0123456789abcdef")})
		whole := []*conductor.Node{full(1), {UUID: uuidOf(2)}, full(3)}
		put(t, s, whole...)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var got, want []conductor.Node
				for _, n := range whole {
					want = append(want, tt.want(n))
				}
				err := s.View(t.Context(), func(tx conductor.Tx) error {
					return tx.EachNode(tt.query, func(n *conductor.Node) error {
						got = append(got, *n)
						return nil
					})
				})
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("error %v, (-want +read):\n%s", err, diff)
				}
			})
		}
		err := s.View(t.Context(), func(tx conductor.Tx) error {
			_, err := tx.Nodes(conductor.NodeQuery{Only: []string{"1; --"}})
			return err
		})
		if err == nil {
			t.Error("a column that there is not is read")
		}
	})
}
