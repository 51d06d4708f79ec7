package conductor

import (
	"context"
	"crypto/rand"
	"errors"

	"bosh-ironic-cpi/src/baremetal"
)

// Shared is a random text of 52 characters that all conductors of the store are told by this name, and nobody else. The first
// who asks makes it.
func (c *Conductor) Shared(ctx context.Context, name string) (text string, err error) {
	get := func(tx Tx) error {
		s, err := Get[Shared](tx, name)
		if err == nil {
			text = s.Text
		}
		return err
	}
	if err = c.store.View(ctx, get); !errors.Is(err, baremetal.ErrNotFound) {
		return text, err
	}
	made := Shared{Name: name, Text: rand.Text() + rand.Text()}
	err = c.store.Update(ctx, func(tx Tx) error { return Add(tx, &made) })
	if errors.Is(err, baremetal.ErrTaken) { // somebody was faster
		err = c.store.View(ctx, get)
		return text, err
	}
	return made.Text, err
}
