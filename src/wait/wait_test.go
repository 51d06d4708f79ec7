package wait_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bosh-ironic-cpi/src/wait"
)

func TestUntilAsksAtOnceAndBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, asked := time.Now(), []time.Duration{}
		err := wait.Until(t.Context(), wait.Pace{First: time.Second, Every: 10 * time.Second}, "active",
			func(context.Context) (bool, string, error) {
				asked = append(asked, time.Since(start))
				return time.Since(start) > time.Minute, "deploying", nil
			})
		if err != nil {
			t.Fatal(err)
		}
		if asked[0] != 0 {
			t.Errorf("first question after %v; want at once", asked[0])
		}
		if len(asked) < 9 || len(asked) > 16 {
			t.Errorf("%d questions in a minute; want about 11", len(asked))
		}
	})
}

func TestUntilSaysWhatItSawLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := wait.Until(t.Context(), wait.Pace{Every: time.Second, Limit: time.Hour}, "active",
			func(context.Context) (bool, string, error) { return false, "wait call-back", nil })
		const want = "waiting for active (now: wait call-back): context deadline exceeded"
		if err == nil || err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Until() = %v; want %s", err, want)
		}
	})
}

func TestUntilStopsOnAnError(t *testing.T) {
	broken := errors.New("deploy failed")
	err := wait.Until(t.Context(), wait.Pace{Every: time.Hour}, "active",
		func(context.Context) (bool, string, error) { return false, "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("Until() = %v; want %v", err, broken)
	}
}

func TestUntilEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := wait.Until(ctx, wait.Pace{Every: time.Hour}, "active", func(context.Context) (bool, string, error) {
		cancel()
		return false, "enroll", nil
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "enroll") {
		t.Errorf("Until() = %v; want context.Canceled and the last state", err)
	}
}
