package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"bosh-ironic-cpi/src/registry/journal"
)

// FuzzOpen: whatever a file holds, it is opened or refused; what was opened can be written.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "settings.journal")
	j := open(f, path, journal.Options{})
	put(f, j, "a", "first")
	put(f, j, "b", "second")
	if err := j.Update(f.Context(), "a", remove); err != nil {
		f.Fatal(err)
	}
	closed(f, j)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(whole[:32])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(path, journal.Options{Reserve: 1})
		if err != nil {
			return
		}
		put(t, j, "c", "third")
		closed(t, j)
		j = open(t, path, journal.Options{Reserve: 1})
		defer closed(t, j)
		if got := get(t, j, "c"); got != "third" {
			t.Errorf("c is %q", got)
		}
	})
}
