package ipmi

import (
	"context"
	"io"

	"bosh-ironic-cpi/src/driver"
)

// Console implements driver.Console, by serial over LAN. ctx is for the opening; closing ends the session with the BMC,
// which has room for one console.
func (d Driver) Console(ctx context.Context, n *driver.Node) (console io.ReadWriteCloser, err error) {
	err = d.open(ctx, n, func(b *bmc) error {
		c, err := b.session.Console(ctx)
		if err != nil {
			b.session.Close(ctx)
			return err
		}
		console = c
		return nil
	})
	return console, err
}
