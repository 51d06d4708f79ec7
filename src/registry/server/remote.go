package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/wait"
)

// A Remote is a [Store] in a repository, as ID/settings: on a WebDAV server, say. Updates of one id wait for each
// other within this process; two daemons on one server do not see each other's.
type Remote struct {
	files repository.Store
	turns wait.Turns // of updates, by id
}

var _ Store = (*Remote)(nil)

// NewRemote keeps settings in files.
func NewRemote(files repository.Store) *Remote {
	return &Remote{files: files}
}

func settingsKey(id string) string { return id + "/settings" }

// maxRemote is the longest text that is read from a repository that others can write, in bytes.
const maxRemote = 64 << 20

// Get implements [Store].
func (m *Remote) Get(ctx context.Context, id string) (text []byte, exists bool, err error) {
	file, err := m.files.Open(ctx, settingsKey(id), 0, maxRemote)
	if errors.Is(err, repository.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	text, err = io.ReadAll(file)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w: %w", settingsKey(id), repository.ErrUnavailable, err)
	}
	return text, true, nil
}

// Update implements [Store].
func (m *Remote) Update(ctx context.Context, id string, change func(old []byte, exists bool) (text []byte, keep bool, err error)) error {
	leave, err := m.turns.Take(ctx, id)
	if err != nil {
		return err
	}
	defer leave()
	old, exists, err := m.Get(ctx, id)
	if err != nil {
		return err
	}
	text, keep, err := change(old, exists)
	switch {
	case err != nil:
		return err
	case !keep && !exists:
		return nil
	case !keep:
		return m.files.Delete(ctx, settingsKey(id)) // the folder may hold what is not ours
	}
	draft, err := m.files.Upload(ctx, bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	if err := draft.Commit(ctx, settingsKey(id)); err != nil {
		return errors.Join(err, draft.Discard(context.WithoutCancel(ctx)))
	}
	return nil
}

// Ready asks the repository for what cannot be there.
func (m *Remote) Ready(ctx context.Context) error {
	_, _, err := m.Get(ctx, "-")
	return err
}
