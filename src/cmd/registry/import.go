package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	settings "bosh-ironic-cpi/src/registry/server"
)

var errHere = errors.New("we have settings of that id")

// importSettings takes over what the nginx job of 2016 has kept: each DIR/ID/settings becomes the settings of ID,
// unless we have some. The files stay where they are. No daemon may run on the same data.
func importSettings(ctx context.Context, p *parts, dir string, out io.Writer) (err error) {
	var open closers
	defer func() { err = errors.Join(err, open.Close()) }()
	store, err := openSettings(p, &open, nil)
	if err != nil {
		return err
	}
	folders, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	taken, kept := 0, 0
	for _, folder := range folders {
		path := filepath.Join(dir, folder.Name(), "settings")
		text, err := os.ReadFile(path)
		if err != nil {
			continue // no instance, or one without settings
		}
		switch err := take(ctx, store, folder.Name(), text); {
		case err == nil:
			taken++
		case errors.Is(err, errHere):
			kept++
		default:
			fmt.Fprintf(out, "%s: left out: %v\n", path, err)
		}
	}
	fmt.Fprintf(out, "%d settings taken over, %d were here already\n", taken, kept)
	return nil
}

func take(ctx context.Context, store settings.Store, id string, text []byte) error {
	if err := settings.Check(id, text); err != nil {
		return err
	}
	return store.Update(ctx, id, func(old []byte, exists bool) ([]byte, bool, error) {
		if exists && len(old) > 0 {
			return nil, false, errHere
		}
		return text, true, nil
	})
}
