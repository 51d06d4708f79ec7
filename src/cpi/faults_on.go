//go:build faults

package cpi

import (
	"os"
	"syscall"
)

// faultPoint ends the process as kill -9 does, where BOSH_IRONIC_KILL_AT says so.
func faultPoint(point string) {
	if os.Getenv("BOSH_IRONIC_KILL_AT") != point {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal arrives
}
