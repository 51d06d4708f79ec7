package store

import (
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// later are migrations as they may come: a column, a table with rows made of old ones, an index.
var later = []string{
	"ALTER TABLE nodes ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';\n",
	"CREATE TABLE paints (\n  id $IDENTITY,\n  node TEXT NOT NULL UNIQUE\n);\nINSERT INTO paints (node) SELECT uuid FROM nodes ORDER BY id;\n",
	"UPDATE nodes SET colour = 'red';\nCREATE INDEX nodes_colour ON nodes (colour);\n",
}

// ladder is the migrations of today, and later ones.
func ladder(t *testing.T, later ...string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	add := func(v int, text []byte) { files[fmt.Sprintf("migrations/%04d.sql", v)] = &fstest.MapFile{Data: text} }
	for v := 1; v <= newest; v++ {
		text, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", v))
		if err != nil {
			t.Fatal(err)
		}
		add(v, text)
	}
	for i, text := range later {
		add(newest+1+i, []byte(text))
	}
	return files
}

// painted is each node's colour, and how many are in the table made of them.
func painted(t *testing.T, db *sql.DB) (colours map[string]string, paints int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT uuid, colour FROM nodes")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	colours = map[string]string{}
	for rows.Next() {
		var uuid, colour string
		if err := rows.Scan(&uuid, &colour); err != nil {
			t.Fatal(err)
		}
		colours[uuid] = colour
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM paints").Scan(&paints); err != nil {
		t.Fatal(err)
	}
	return colours, paints
}

// From each version there is a way to the newest, whichever version the database was left at, and each step is taken once,
// however many processes take it at the same moment.
func TestClimb(t *testing.T) {
	top := newest + len(later)
	for from := 0; from <= top; from++ {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			on(t, func(t *testing.T, address string) {
				db, d := rawOf(t, address)
				files := ladder(t, later...)
				if err := migrate(t.Context(), db, d, files, from); err != nil {
					t.Fatal(err)
				}
				if from == 0 { // nothing to keep
					if err := migrate(t.Context(), db, d, files, newest); err != nil {
						t.Fatal(err)
					}
				}
				want := map[string]string{uuidOf(1): "red", uuidOf(2): "red"}
				switch {
				case from <= newest:
					put(t, open(t, address, Options{}), full(1), full(2))
				default: // the rows that were there before are those of later versions
					want = map[string]string{}
				}
				others := []*sql.DB{db}
				for range 3 {
					other, _ := rawOf(t, address)
					others = append(others, other)
				}
				var all sync.WaitGroup
				for _, db := range others {
					all.Go(func() {
						if err := migrate(t.Context(), db, d, files, top); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				var steps int
				if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM schema_version").Scan(&steps); err != nil || steps != top || versionOf(t, db) != top {
					t.Errorf("version %d after %d steps, %v; want %d after as many", versionOf(t, db), steps, err, top)
				}
				if colours, paints := painted(t, db); !maps.Equal(colours, want) || paints != len(want) {
					t.Errorf("nodes %v, %d of them copied; want %v", colours, paints, want)
				}
			})
		})
	}
}

// A later step that breaks leaves the steps before it, with all rows, and is taken once it is mended.
func TestClimbBreaks(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		put(t, open(t, address, Options{}), full(1), full(2))
		db, d := rawOf(t, address)
		broken := ladder(t, later[0], later[1]+"INSERT INTO paints (node) SELECT node FROM paints;\n", later[2])
		err := migrate(t.Context(), db, d, broken, newest+len(later))
		if want := fmt.Sprintf("version %d: ", newest+2); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%v; want an error that says %q", err, want)
		}
		if got := versionOf(t, db); got != newest+1 {
			t.Errorf("left at version %d; want %d", got, newest+1)
		}
		if err := migrate(t.Context(), db, d, ladder(t, later...), newest+len(later)); err != nil {
			t.Fatal(err)
		}
		if colours, paints := painted(t, db); paints != 2 || colours[uuidOf(1)] != "red" || colours[uuidOf(2)] != "red" {
			t.Errorf("nodes %v, %d of them copied", colours, paints)
		}
	})
}
