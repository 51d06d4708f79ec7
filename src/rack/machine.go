// Package rack has machines with BMCs: QEMU without KVM, switched by IPMI and Redfish as servers are. It is for tests and,
// later, for a virtual rack to try things out on.
//
// A machine's firmware reads its boot order when it starts, so a boot device takes effect at power-on and at a restart
// from outside, not when the guest restarts itself.
//
// Start at [New].
package rack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A Config is a machine's hardware.
type Config struct {
	Dir      string // where its files are kept; must be there
	MemoryMB int    // 0: 128
	Disk     string // path of a raw image; empty: no disk
	Program  string // empty: qemu-system-x86_64
}

// A Boot is what a machine starts from: pxe, disk, cdrom, floppy; empty: disk, then cdrom, then the network.
type Boot struct{ Device string }

// A Machine is a server. Its methods may be called at once.
type Machine struct {
	cfg Config

	mu      sync.Mutex
	media   map[string]string // paths of images, by drive
	process *exec.Cmd         // nil: off
	ended   chan struct{}     // closed when process has ended
}

// New makes a machine that is off.
func New(cfg Config) *Machine {
	if cfg.MemoryMB == 0 {
		cfg.MemoryMB = 128
	}
	if cfg.Program == "" {
		cfg.Program = "qemu-system-x86_64"
	}
	return &Machine{cfg: cfg, media: map[string]string{}}
}

// Close switches the machine off.
func (m *Machine) Close() error { return m.Stop(false) }

// Serial is what the machine has written to its serial port since it was last switched on.
func (m *Machine) Serial() string {
	text, err := os.ReadFile(m.serial())
	if err != nil {
		return ""
	}
	return string(text)
}

func (m *Machine) serial() string  { return filepath.Join(m.cfg.Dir, "serial.log") }
func (m *Machine) control() string { return filepath.Join(m.cfg.Dir, "qmp.sock") }

// PoweredOn reports whether the machine runs.
func (m *Machine) PoweredOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running()
}

func (m *Machine) running() bool {
	if m.process == nil {
		return false
	}
	select {
	case <-m.ended:
		m.process = nil
		return false
	default:
		return true
	}
}

// Start switches on; a machine that runs is left alone.
func (m *Machine) Start(boot Boot) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running() {
		return nil
	}
	return m.start(boot)
}

// Stop switches off: at once, or by pressing the button, which the guest may follow or not.
func (m *Machine) Stop(graceful bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running() {
		return nil
	}
	if graceful {
		return m.tell("system_powerdown")
	}
	return m.stop()
}

// Restart starts a machine that runs anew.
func (m *Machine) Restart(boot Boot) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running() {
		return nil
	}
	if err := m.stop(); err != nil {
		return err
	}
	return m.start(boot)
}

func (m *Machine) stop() error {
	err := m.process.Process.Signal(syscall.SIGKILL)
	<-m.ended
	m.process = nil
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return err
}

func (m *Machine) start(boot Boot) error {
	for _, old := range []string{m.serial(), m.control()} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	log, err := os.Create(filepath.Join(m.cfg.Dir, "qemu.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(m.cfg.Program, m.arguments(boot)...) //nolint:noctx,gosec // it ends by stop; the arguments are ours
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("switch on: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	m.process, m.ended = cmd, ended
	return nil
}

// arguments are QEMU's. Never KVM: where it is there, it may hang.
func (m *Machine) arguments(boot Boot) []string {
	args := []string{
		"-accel", "tcg", "-M", "pc", "-m", fmt.Sprint(m.cfg.MemoryMB), "-nodefaults", "-display", "none", "-vga", "none",
		"-serial", "file:" + m.serial(), "-qmp", "unix:" + m.control() + ",server=on,wait=off",
	}
	order := map[string]int{"disk": 1, "cdrom": 2, "pxe": 3}
	if _, known := order[boot.Device]; known {
		order = map[string]int{boot.Device: 1}
	}
	first := func(device string) string {
		if place := order[device]; place > 0 {
			return fmt.Sprintf(",bootindex=%d", place)
		}
		return ""
	}
	if m.cfg.Disk != "" {
		args = append(args, "-drive", "if=none,id=hd,format=raw,file="+m.cfg.Disk, "-device", "ide-hd,bus=ide.0,drive=hd"+first("disk"))
	}
	if image := m.media["cdrom"]; image != "" {
		args = append(args, "-drive", "if=none,id=cd,format=raw,media=cdrom,readonly=on,file="+image, "-device", "ide-cd,bus=ide.1,drive=cd"+first("cdrom"))
	}
	if image := m.media["floppy"]; image != "" {
		args = append(args, "-drive", "if=none,id=fd,format=raw,readonly=on,file="+image, "-device", "floppy,drive=fd")
	}
	return args
}

// SetMedia puts an image, by its address, into a drive: cdrom or floppy. An empty address takes it out. A machine that
// runs sees the change when it is next switched on.
func (m *Machine) SetMedia(device, address string) error {
	if device != "cdrom" && device != "floppy" {
		return fmt.Errorf("the machine has no drive %q", device)
	}
	path := ""
	if address != "" {
		path = filepath.Join(m.cfg.Dir, device+".img")
		if err := download(address, path); err != nil {
			return fmt.Errorf("image for %s: %w", device, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.media[device] = path
	return nil
}

// download fetches an image whole, as slow BMCs do.
func download(address, path string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) //nolint:forbidigo // a BMC fetches images on its own
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("no address of an image")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	partial := path + ".part"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(partial, path) // a machine that runs keeps the image that it has
}

// tell gives QEMU a command (QMP).
func (m *Machine) tell(command string) error {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("unix", m.control())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	answers := json.NewDecoder(conn)
	for _, execute := range []string{"", "qmp_capabilities", command} { // QEMU greets first
		if execute != "" {
			if err := json.NewEncoder(conn).Encode(map[string]string{"execute": execute}); err != nil {
				return err
			}
		}
		var answer struct {
			Error *struct{ Desc string }
		}
		if err := answers.Decode(&answer); err != nil {
			return fmt.Errorf("QEMU does not answer %s: %w", execute, err)
		}
		if answer.Error != nil {
			return fmt.Errorf("QEMU refuses %s: %s", execute, answer.Error.Desc)
		}
	}
	return nil
}
