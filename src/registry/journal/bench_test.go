package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"bosh-ironic-cpi/src/registry/journal"
)

var settings = strings.Repeat("settings ", 5<<10/9)

func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			j := open(b, filepath.Join(b.TempDir(), "j"), journal.Options{})
			defer closed(b, j)
			var next atomic.Int64
			var all sync.WaitGroup
			for range writers {
				all.Go(func() {
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						if err := j.Update(b.Context(), fmt.Sprint(n%1000), set(settings)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// BenchmarkBareFsync is what one durable write costs at the least: append, and sync.
func BenchmarkBareFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		if _, err := f.WriteString(settings); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "j"), journal.Options{})
	defer closed(b, j)
	put(b, j, "a", settings)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := j.Get(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "j")
	j := open(b, path, journal.Options{})
	var all sync.WaitGroup
	for w := range 100 {
		all.Go(func() {
			for n := range 100 {
				put(b, j, fmt.Sprint(w, "-", n), settings)
			}
		})
	}
	all.Wait()
	closed(b, j)
	for b.Loop() {
		closed(b, open(b, path, journal.Options{}))
	}
}
