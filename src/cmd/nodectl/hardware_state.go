package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"bosh-ironic-cpi/src/driver/all"
)

// Drivers remember things from one command to the next: the cipher suite that a BMC speaks, the boot device that Intel
// AMT is told at the next power-on, whether a server was woken. The conductor keeps that with the node; nodectl, in a
// file of the user's. It holds no secret.

// fingerprint names a server that has no name, by where it is.
func (s *server) fingerprint() string {
	info := map[string]any{}
	for key, value := range s.Info {
		if !all.Table().Secret(key) {
			info[key] = value
		}
	}
	text, err := json.Marshal([]any{s.typ.Name, info, s.MACs})
	if err != nil {
		return s.typ.Name
	}
	sum := sha256.Sum256(text)
	return s.typ.Name + "-" + hex.EncodeToString(sum[:6])
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
		s.State = states[s.key]
	}
	return nil
}

// remember writes what has changed, and leaves what other processes wrote meanwhile.
func (f *hardwareFlags) remember(list []*server) error {
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
	changed := false
	for _, s := range list {
		if maps.Equal(states[s.key], s.State) {
			continue
		}
		changed = true
		if states[s.key] = s.State; len(s.State) == 0 {
			delete(states, s.key)
		}
	}
	if !changed {
		return nil
	}
	text, err := toJSON(states)
	if err != nil {
		return err
	}
	return replaceFile(path, text)
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".hardware-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already where all is well
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
