package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Daemon is our own companion daemon: one process, one data directory, addresses of its own on loopback.
type Daemon struct {
	Registry   string // http://ADDRESS: the standard dialect, and below /registry the founding one
	Repository string // http://ADDRESS, with /images, /metadata and /deploy
	Data       string // its directory
	Config     string // its configuration file
	Log        string // where its log goes
	process    *exec.Cmd
	ended      chan struct{} // closed at the process' end
	err        error         // how it ended
}

// StartDaemon runs the daemon until the test ends. changes are laid over a configuration that has data and two
// addresses, key by key.
func StartDaemon(t testing.TB, changes map[string]any) *Daemon {
	t.Helper()
	skipShort(t)
	d, err := startDaemon(t.Context(), t.TempDir(), changes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.end(syscall.SIGTERM)
		if log, err := os.ReadFile(d.Log); err == nil && t.Failed() {
			t.Logf("registry: %s", log[max(0, len(log)-3000):])
		}
	})
	return d
}

// Stop asks the daemon to end, waits for it, and returns how it ended.
func (d *Daemon) Stop() error { return d.end(syscall.SIGTERM) }

// Kill ends the daemon as a power cut would, but for the kernel's caches.
func (d *Daemon) Kill() { _ = d.end(syscall.SIGKILL) }

// Restart starts a daemon that has ended, on the same data and addresses.
func (d *Daemon) Restart(t testing.TB) {
	t.Helper()
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// PID is the process.
func (d *Daemon) PID() int { return d.process.Process.Pid }

func (d *Daemon) end(signal os.Signal) error {
	if d.ended == nil {
		return nil
	}
	_ = d.process.Process.Signal(signal) // it may have ended
	<-d.ended
	return d.err
}

// startDaemon configures a daemon in dir and waits until it is ready.
func startDaemon(ctx context.Context, dir string, changes map[string]any) (*Daemon, error) {
	var err error
	for range 5 { // another process may take an address between our question and the daemon
		registry, repository := FreeAddress(), FreeAddress()
		d := &Daemon{
			Registry: "http://" + registry, Repository: "http://" + repository,
			Data: filepath.Join(dir, "data"), Config: filepath.Join(dir, "registry.yml"), Log: filepath.Join(dir, "registry.log"),
		}
		configuration := map[string]any{
			"data":       d.Data,
			"registry":   map[string]any{"listen": []any{d.Registry}},
			"repository": map[string]any{"listen": []any{d.Repository}, "min_free": "0"},
			"conductor":  map[string]any{"enabled": false},
		}
		Overlay(configuration, changes)
		d.Registry, d.Repository = listens(configuration["registry"]), listens(configuration["repository"])
		text, bad := json.MarshalIndent(configuration, "", "  ") // JSON is YAML
		if bad != nil {
			return nil, bad
		}
		if err := os.WriteFile(d.Config, text, 0o600); err != nil {
			return nil, err
		}
		if err = d.run(ctx); err == nil {
			return d, nil
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, err
}

// run starts the process and waits until it answers.
func (d *Daemon) run(ctx context.Context) error {
	program, err := registryProgram()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(d.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	d.process = exec.Command(program, "-config", d.Config) //nolint:noctx // it ends by end
	d.process.Stdout, d.process.Stderr = log, log
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the kernel watches the thread that started it, not the process
		defer runtime.UnlockOSThread()
		err := d.process.Start()
		started <- err
		if err == nil {
			d.err = d.process.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	d.ended = ended
	up, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		answered <- errors.Join(answers(up, d.Registry+"/readyz"), answers(up, d.Repository+"/readyz"))
	}()
	select {
	case err = <-answered:
	case <-ended:
		err = errors.Join(errors.New("registry ended at its start"), d.err)
	}
	if err == nil {
		return nil
	}
	_ = d.end(syscall.SIGKILL)
	said, _ := os.ReadFile(d.Log)
	return fmt.Errorf("%w\n%s", err, said)
}

// registryProgram is built once for all tests of this process.
var registryProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "registry-program-")
	if err != nil {
		return "", err
	}
	shared.ends(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "registry")
	build := exec.Command("go", "build", "-o", program, "bosh-ironic-cpi/src/cmd/registry")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build registry: %w\n%s", err, out)
	}
	return program, nil
})

// listens is the first address of a part.
func listens(part any) string {
	group, _ := part.(map[string]any)
	all, _ := group["listen"].([]any)
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprint(all[0])
}

// DaemonProgram is the daemon itself, for a test that starts it in its own way.
func DaemonProgram(t testing.TB) string {
	t.Helper()
	program, err := registryProgram()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// FreeAddress is one on loopback that nobody listens on, most likely: HOST:PORT.
func FreeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // for a moment
	if err != nil {
		return "127.0.0.1:0" // the daemon will say what is wrong
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Overlay lays over upon base, key by key; what is no object in both replaces.
func Overlay(base, over map[string]any) {
	for key, value := range over {
		if group, ok := value.(map[string]any); ok {
			if below, ok := base[key].(map[string]any); ok {
				Overlay(below, group)
				continue
			}
		}
		base[key] = value
	}
}
