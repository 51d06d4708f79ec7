package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"bosh-ironic-cpi/src/driver/all"
)

// Drivers remember things from one command to the next: the cipher suite that a BMC speaks, the boot device that Intel
// AMT is told at the next power-on, whether a server was woken. The conductor keeps that with the node; nodectl, in a
// file of the user's. It holds no secret.

// key names the server in the file: by its UUID, or by what it is and where. A server of the same name in another file of
// nodes is another one.
func (s *server) key() string {
	if s.UUID != "" {
		return s.UUID
	}
	info := map[string]any{}
	for key, value := range s.Info {
		if !all.Table().Secret(key) {
			info[key] = value
		}
	}
	sum := sha256.Sum256([]byte(compact([]any{s.typ.Name, s.Name, info, s.MACs})))
	return s.name + " " + hex.EncodeToString(sum[:6])
}

// statePath is the file.
func (f *hardwareFlags) statePath() (string, error) {
	if f.StateFile != "" {
		return f.StateFile, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "nodectl", "hardware.json"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("where to keep what drivers remember: %w; give --state-file", err)
	}
	return filepath.Join(home, ".local", "state", "nodectl", "hardware.json"), nil
}

type hardwareStates map[string]map[string]string // by server, then the driver's key

func readStates(path string) (hardwareStates, error) {
	states := hardwareStates{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return states, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &states)
	}
	if err != nil {
		return nil, wrong(fmt.Errorf("what drivers remember, %s: %w; remove it, and they find out anew", path, err))
	}
	return states, nil
}

// recall gives servers what their drivers remembered.
func (f *hardwareFlags) recall(list []*server) error {
	path, err := f.statePath()
	if err != nil {
		return err
	}
	states, err := readStates(path)
	if err != nil {
		return err
	}
	for _, s := range list {
		s.recalled = states[s.key()]
		s.State = maps.Clone(s.recalled)
	}
	return nil
}

// remember writes what this process has changed, and leaves what others wrote meanwhile. Where nothing changed, no file is
// touched.
func (f *hardwareFlags) remember(list []*server) error {
	list = slices.DeleteFunc(slices.Clone(list), func(s *server) bool { return maps.Equal(s.recalled, s.State) })
	if len(list) == 0 {
		return nil
	}
	path, err := f.statePath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // and with it the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	states, err := readStates(path)
	if err != nil {
		return err
	}
	for _, s := range list {
		states.merge(s)
	}
	text, err := toJSON(states)
	if err != nil {
		return err
	}
	return writeWhole(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// merge takes over what has changed since the server was recalled.
func (h hardwareStates) merge(s *server) {
	key := s.key()
	state := maps.Clone(h[key])
	if state == nil {
		state = map[string]string{}
	}
	for name := range s.recalled {
		if _, there := s.State[name]; !there {
			delete(state, name)
		}
	}
	for name, value := range s.State {
		if before, there := s.recalled[name]; !there || before != value {
			state[name] = value
		}
	}
	if h[key] = state; len(state) == 0 {
		delete(h, key)
	}
}
