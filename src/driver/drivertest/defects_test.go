package drivertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// An article is hardware in memory, good but for one defect.
type article struct{ defect string }

func (a *article) has(defect string) bool { return a.defect == defect }

func (a *article) reach(ctx context.Context, n *driver.Node) error {
	switch {
	case ctx.Err() != nil && !a.has("is deaf"):
		return ctx.Err()
	case n.Info["mood"] == "gone" && a.has("calls silence something else"):
		return errors.New("no route to host")
	case n.Info["mood"] == "gone":
		return fmt.Errorf("article of node %s: %w", n.Label(), driver.ErrUnreachable)
	case n.Info["article_password"] != "hunter2" && a.has("tells the password"):
		return fmt.Errorf("%v: %w", n.Info["article_password"], driver.ErrAuthentication)
	case n.Info["article_password"] != "hunter2" && !a.has("takes any password"):
		return fmt.Errorf("article of node %s: %w", n.Label(), driver.ErrAuthentication)
	}
	return nil
}

func (a *article) PowerState(ctx context.Context, n *driver.Node) (baremetal.PowerState, error) {
	if err := a.reach(ctx, n); err != nil {
		return "", err
	}
	if n.Info["mood"] == "stubborn" && a.has("sleeps on") && n.State["sent"] != "" {
		time.Sleep(atOnce + time.Second) //nolint:forbidigo // the defect
	}
	if n.Info["mood"] == "stubborn" && a.has("says that it followed") && n.State["sent"] != "" {
		return baremetal.PowerState(n.State["sent"]), nil
	}
	if n.State["power"] == "" {
		return baremetal.PowerOff, nil
	}
	return baremetal.PowerState(n.State["power"]), nil
}

func (a *article) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	if err := a.reach(ctx, n); err != nil {
		return err
	}
	if a.has("leaves a goroutine") {
		go func() { select {} }()
	}
	n.Remember("sent", string(target.End()))
	switch {
	case n.Info["mood"] == "stubborn":
	case target == baremetal.TargetOff && a.has("stays on"):
		return &driver.PowerError{Target: target}
	default:
		n.Remember("power", string(target.End()))
	}
	return nil
}

func (a *article) PowerTargets() []baremetal.PowerTarget {
	all := []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot}
	if a.has("can do what nobody can") {
		all = append(all, "hibernate")
	}
	return all
}

func (a *article) BootDevices() []string { return []string{"pxe", "disk"} }

func (a *article) BootDevice(_ context.Context, n *driver.Node) (string, bool, error) {
	return n.State["device"], n.State["lasting"] == "true", nil
}

func (a *article) SetBootDevice(_ context.Context, n *driver.Node, device string, persistent bool) error {
	if device == "gramophone" && !a.has("boots from anything") {
		return driver.ErrUnsupported
	}
	if !a.has("forgets its boot device") {
		n.Remember("device", device)
	}
	n.Remember("lasting", fmt.Sprint(persistent && !a.has("boots from it once")))
	return nil
}

// conform runs the suite on an article.
func conform(t *testing.T, defect string) {
	t.Helper()
	key := driver.Key{Name: "article_password", Meaning: "the password", Secret: true, Required: true}
	switch defect {
	case "shows its secret":
		key.Secret = false
	case "has a key that says nothing":
		key.Meaning = ""
	}
	a := &article{defect}
	Run(t, Rig{
		Spec: driver.Spec{Name: "article", Keys: []driver.Key{key}, New: func() any { return a }},
		Node: func(*testing.T) *driver.Node {
			return &driver.Node{UUID: "n1", Info: map[string]any{"article_password": "hunter2"}}
		},
		WrongPassword: func(n *driver.Node) { n.Info["article_password"] = "letmein" },
		Silent:        func(n *driver.Node) { n.Info["mood"] = "stubborn" },
		Unreachable:   func(n *driver.Node) { n.Info["mood"] = "gone" },
		Pace:          wait.Pace{Every: time.Millisecond, Limit: 10 * time.Second},
	})
}

const defectOf = "DRIVERTEST_DEFECT"

// TestArticle is TestDefectsAreFound's article.
func TestArticle(t *testing.T) { conform(t, os.Getenv(defectOf)) }

// A driver with any of these defects does not pass, and fails where it should.
func TestDefectsAreFound(t *testing.T) {
	for defect, where := range map[string]string{
		"has a key that says nothing":  "Spec",
		"shows its secret":             "Spec",
		"stays on":                     "PowerCycle",
		"can do what nobody can":       "UnsupportedTarget",
		"is deaf":                      "Cancelled",
		"sleeps on":                    "CancelledWhileWaiting",
		"takes any password":           "WrongPassword",
		"tells the password":           "WrongPassword",
		"calls silence something else": "Unreachable",
		"says that it followed":        "Silent",
		"forgets its boot device":      "BootDevice",
		"boots from it once":           "BootDevice",
		"boots from anything":          "BootDevice",
		"leaves a goroutine":           "found unexpected goroutines",
	} {
		t.Run(defect, func(t *testing.T) {
			if testing.Short() && defect == "sleeps on" {
				t.Skip("it sleeps on for seconds")
			}
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestArticle$")
			cmd.Env = append(os.Environ(), defectOf+"="+defect)
			out, err := cmd.CombinedOutput()
			want := where
			if !strings.Contains(where, " ") {
				want = "--- FAIL: TestArticle/" + where + " "
			}
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v; want %q in\n%s", err, want, out)
			}
		})
	}
}
