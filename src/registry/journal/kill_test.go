package journal_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bosh-ironic-cpi/src/registry/journal"
)

const killedWriters = 32

func numbered(n int) string { return fmt.Sprintf("%d %s", n, strings.Repeat("x", n%6000)) }

// TestWriteForEver is the process that gets killed. It prints what was taken: writer and number.
func TestWriteForEver(t *testing.T) {
	path := os.Getenv("JOURNAL_WRITE")
	if path == "" {
		return // it is TestKilledAmidWrites that starts it
	}
	j := open(t, path, journal.Options{MinDead: 256 << 10, Reserve: 256 << 10})
	var all sync.WaitGroup
	for w := range killedWriters {
		all.Go(func() {
			from := 0
			_, _ = fmt.Sscan(get(t, j, fmt.Sprint(w)), &from) // none at first
			for n := from + 1; ; n++ {
				put(t, j, fmt.Sprint(w), numbered(n))
				fmt.Fprintln(os.Stdout, w, n) // one write: lines do not mix
			}
		})
	}
	all.Wait()
}

// The process is killed amid thousands of writes, again and again: what was taken is there, whole.
func TestKilledAmidWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.journal")
	taken := make([]int, killedWriters)
	for round := range 6 {
		writing := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWriteForEver$")
		writing.Env = append(os.Environ(), "JOURNAL_WRITE="+path)
		out, err := writing.StdoutPipe()
		if err == nil {
			err = writing.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		seen := 0
		for lines.Scan() {
			var w, n int
			if _, err := fmt.Sscan(lines.Text(), &w, &n); err != nil {
				t.Fatalf("the writer says %s", lines.Text())
			}
			taken[w] = n
			if seen++; seen == 3000+137*round { // with compactions under way
				if err := writing.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = writing.Wait() // killed
		j := open(t, path, journal.Options{})
		for w, n := range taken {
			var got int
			text := get(t, j, fmt.Sprint(w))
			if _, err := fmt.Sscan(text, &got); err != nil || got != n && got != n+1 || text != numbered(got) {
				t.Errorf("round %d, writer %d: %.20q is there, %d bytes; %d was taken", round, w, text, len(text), n)
			}
			taken[w] = got
		}
		closed(t, j)
	}
}
