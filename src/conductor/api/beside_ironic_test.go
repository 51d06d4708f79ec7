//go:build integration

package api_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/conductor"
)

func TestMain(m *testing.M) { os.Exit(backend.Main(m)) }

// Each request goes to OpenStack Ironic and to the conductor; status and JSON of the answers are the same, but for what
// intended says, and that is different.
func TestBesideIronic(t *testing.T) {
	ironic := backend.Start(t, backend.WithLockRetries(1))
	ironic.FailRamdisk(t, backend.RamdiskFault{Node: worked.node, Mute: true})
	images := newImages(t)
	theirs := &side{url: ironic.Direct, images: images}
	ours := &side{url: start(t, func(c *conductor.Config) { c.LockWait = time.Millisecond }).url, images: images}
	for _, x := range exchanges() {
		begun := time.Now()
		want, got := theirs.play(t, x), ours.play(t, x)
		if took := time.Since(begun); took > time.Second {
			t.Logf("%s %s: took %s", x.name(), x.settle, took)
		}
		diff := cmp.Diff(want, got)
		switch {
		case x.intended == "" && diff != "":
			t.Errorf("%s (-Ironic +ours):\n%s", x.name(), diff)
		case x.intended != "" && diff == "":
			t.Errorf("%s is the same as Ironic's; the list says: %s", x.name(), x.intended)
		case !kept(x.intended, want.Status, got.Status):
			t.Errorf("%s: status %d, Ironic's is %d; the list says: %s", x.name(), got.Status, want.Status, x.intended)
		}
	}
}

// kept reports whether the statuses are those that a reason speaks of.
func kept(reason string, ironic, ours int) bool {
	switch reason {
	case ourWords:
		return ours == ironic
	case clientsFault:
		return ironic == http.StatusInternalServerError && ours/100 == 4
	case noJSON:
		return ours == http.StatusBadRequest
	}
	return true
}
