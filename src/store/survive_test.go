package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/wait"
)

// TestChildWrites is what TestWhatWasAnsweredSurvivesAKill kills: it changes nodes and ports without end, and says on
// standard output what it was told to be stored.
func TestChildWrites(t *testing.T) {
	address, given := os.LookupEnv(childAddress)
	if !given {
		t.Skip("a part of TestWhatWasAnsweredSurvivesAKill")
	}
	s, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for writer := range childWriters {
		all.Go(func() {
			for {
				number := 0
				err := s.Update(t.Context(), func(tx conductor.Tx) error {
					n, err := tx.Node(uuidOf(writer))
					if err != nil {
						return err
					}
					number, _ = strconv.Atoi(n.Description)
					number++
					n.Description = fmt.Sprint(number)
					n.Details.Extra = conductor.NewObject(map[string]any{"number": number, "padding": strings.Repeat("x", number%5000)})
					if err := tx.PutNode(n); err != nil {
						return err
					}
					port := &conductor.Port{UUID: uuidOf(10000*(writer+1) + number), NodeUUID: n.UUID, Address: fmt.Sprintf("%d-%d", writer, number)}
					return conductor.Put(tx, port)
				})
				mu.Lock()
				fmt.Fprintln(os.Stdout, writer, number, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

const childWriters = 8

// A process is killed in the midst of its changes, again and again. Each one that was answered is there, whole, and of
// those that were not, each is there whole or not at all.
func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	const rounds, each = 5, 300
	on(t, func(t *testing.T, address string) {
		s, err := Open(t.Context(), address, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for writer := range childWriters {
			put(t, s, &conductor.Node{UUID: uuidOf(writer), Description: "0"})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var answered [childWriters]int
		for round := range rounds {
			cmd := child(t, "TestChildWrites", address)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for count := 0; lines.Scan(); count++ {
				writer, number := 0, 0
				fault := ""
				if n, _ := fmt.Sscan(lines.Text(), &writer, &number, &fault); n < 3 {
					continue // cut off: that one was not answered
				}
				if fault != "<nil>" {
					t.Errorf("the child: %s", lines.Text())
				}
				answered[writer] = number
				if count == each {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = cmd.Wait() // killed
			checkSurvivors(t, address, round, &answered)
		}
	})
}

func checkSurvivors(t *testing.T, address string, round int, answered *[childWriters]int) {
	t.Helper()
	s, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// Update and not View: PostgreSQL may still be at a change whose process is gone, and holds its locks so long.
	err = s.Update(t.Context(), func(tx conductor.Tx) error {
		for writer, number := range answered {
			n, err := tx.Node(uuidOf(writer))
			if err != nil {
				return err
			}
			got, _ := strconv.Atoi(n.Description)
			if got != number && got != number+1 { // the last one was stored, and killed before it could tell
				t.Errorf("round %d: node %d holds %d; %d was answered", round, writer, got, number)
			}
			answered[writer] = got
			if inside := n.Details.Extra.Map()["number"]; got > 0 && inside != float64(got) {
				t.Errorf("round %d: node %d holds %d, and its extra %v", round, writer, got, inside)
			}
			ports, err := conductor.All[conductor.Port](tx, conductor.RowQuery{NodeUUID: n.UUID})
			if err != nil {
				return err
			}
			if len(ports) != got {
				t.Errorf("round %d: node %d has %d ports; want %d", round, writer, len(ports), got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// smallDisk is a file system of so many KiB.
func smallDisk(t *testing.T, kib int) string {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	return disk
}

// A disk that is full refuses what is new, keeps what is old, and goes on once there is room. Nothing that was refused is
// there afterwards, whoever wrote at the same time.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, 900)
	path := filepath.Join(disk, "state.sqlite")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 400<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, full(1))
	padding := conductor.NewObject(map[string]any{"x": strings.Repeat("x", 3000)})
	huge := conductor.NewObject(map[string]any{"x": strings.Repeat("x", 4<<20)}) // more than SQLite keeps in memory until the commit

	const writers, most = 8, 200
	var mu sync.Mutex
	var all sync.WaitGroup
	stored, refused := map[string]bool{}, map[string]error{}
	for writer := range writers {
		all.Go(func() {
			after := 0 // some go on after the first refusal: they meet the transaction that broke
			for i := 0; i < most && after < 5; i++ {
				uuid := uuidOf(1000*(writer+2) + i)
				extra := padding
				if i%5 == 4 {
					extra = huge
				}
				err := s.Update(t.Context(), func(tx conductor.Tx) error {
					err := tx.PutNode(&conductor.Node{UUID: uuid, Details: conductor.Details{Extra: extra}})
					if err != nil {
						return err
					}
					return conductor.Put(tx, &conductor.Port{UUID: uuid, NodeUUID: uuid, Address: uuid, Extra: padding})
				})
				mu.Lock()
				if err == nil {
					stored[uuid] = true
				} else {
					refused[uuid] = err
					after++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(stored) == 0 || len(refused) < writers {
		t.Fatalf("%d stored and %d refused: the disk was to become full", len(stored), len(refused))
	}
	for _, err := range refused {
		if !strings.Contains(err.Error(), "full") {
			t.Errorf("refused with: %v", err)
			break
		}
	}
	check := func(when string, s *Store) {
		t.Helper()
		nodes, rows := everything(t, s)
		for _, n := range nodes {
			if n.UUID != uuidOf(1) && !stored[n.UUID] {
				t.Errorf("%s: node %s is there, and was refused: %v", when, n.UUID, refused[n.UUID])
			}
		}
		if len(nodes) != len(stored)+1 || len(rows) != len(stored) {
			t.Errorf("%s: %d nodes and %d ports; want %d and %d", when, len(nodes), len(rows), len(stored)+1, len(stored))
		}
		if nodes[0].Name != "n1" || string(nodes[0].Details.DriverInfo) != `{"ipmi_password":"hunter2"}` {
			t.Errorf("%s: the first node is %+v", when, nodes[0])
		}
	}
	check("full", s)
	check("full, to another process", openNow(t, path))
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	again := 0
	for uuid := range refused {
		if again++; again > 3 { // each takes some dozen pages of the write-ahead log
			break
		}
		put(t, s, &conductor.Node{UUID: uuid})
		if err := s.Update(t.Context(), func(tx conductor.Tx) error {
			return conductor.Put(tx, &conductor.Port{UUID: uuid, NodeUUID: uuid, Address: uuid})
		}); err != nil {
			t.Fatalf("after there was room: %v", err)
		}
		stored[uuid] = true
	}
	check("room again", s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("opened again", openNow(t, path))
}

// openNow opens a store that a test may close early.
func openNow(t *testing.T, path string) *Store {
	t.Helper()
	s := open(t, path, Options{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// An import for which there is no room leaves nothing, and works once there is.
func TestImportOntoAFullDisk(t *testing.T) {
	source := open(t, filepath.Join(t.TempDir(), "s"), Options{})
	padding := conductor.NewObject(map[string]any{"x": strings.Repeat("x", 3000)})
	for i := range 100 {
		put(t, source, &conductor.Node{UUID: uuidOf(i), Details: conductor.Details{Extra: padding}})
	}
	file := exported(t, source, ExportOptions{})
	disk := smallDisk(t, 1200)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 900<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), filepath.Join(disk, "state.sqlite"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Import(t.Context(), strings.NewReader(file), ImportOptions{}); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("import: %v", err)
	}
	if nodes, _ := everything(t, s); len(nodes) != 0 {
		t.Errorf("%d nodes arrived", len(nodes))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if done := imported(t, s, file, ImportOptions{}); len(done.Nodes) != 100 {
		t.Errorf("%d nodes imported; want 100", len(done.Nodes))
	}
}

// A change for which there is no room breaks the transaction that it shares. Its neighbours are told the truth.
func TestNeighboursOnAFullDisk(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(smallDisk(t, 900), "state.sqlite"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	huge := conductor.NewObject(map[string]any{"x": strings.Repeat("x", 4<<20)})
	entered, gate := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	var results [3]error
	for i := range results {
		all.Go(func() {
			results[i] = s.Update(t.Context(), func(tx conductor.Tx) error {
				n := &conductor.Node{UUID: uuidOf(i)}
				switch i {
				case 0:
					close(entered)
					<-gate // until the others wait behind
				case 1:
					n.Details.Extra = huge
				}
				return tx.PutNode(n)
			})
		})
		<-entered
		err := wait.Until(t.Context(), wait.Pace{Every: time.Millisecond, Limit: 10 * time.Second}, "a place in the queue", func(context.Context) (bool, string, error) {
			return len(s.queue) == i, "elsewhere", nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	all.Wait()
	if results[1] == nil {
		t.Error("4 MiB were stored on 900 KiB")
	}
	err = s.View(t.Context(), func(tx conductor.Tx) error {
		for i, result := range results {
			if _, err := tx.Node(uuidOf(i)); (err == nil) != (result == nil) {
				t.Errorf("node %d: to its caller %v, to its reader %v", i, result, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	put(t, s, full(7))
}
