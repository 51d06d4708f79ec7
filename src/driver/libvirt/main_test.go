package libvirt

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a goroutine: neither go-libvirt's readers nor SSH's.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
