package fakeramdisk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// injectArgs are the arguments of inject_files (ironic-python-agent, inject_files.py).
type injectArgs struct {
	Files []injectedFile `json:"files"`
}

type injectedFile struct {
	Path      string `json:"path"`
	Content   string `json:"content"` // base64, or an URL
	Mode      any    `json:"mode"`    // a number, or octal digits
	DirMode   any    `json:"dirmode"`
	Owner     any    `json:"owner"` // a name or a number
	Group     any    `json:"group"`
	Partition any    `json:"partition"`
	Deleted   bool   `json:"deleted"`
}

// An Injected is what files.json tells of one file below root/, by its absolute path.
type Injected struct {
	Mode      string `json:"mode,omitempty"`    // octal, "0600"; empty: as the file system makes it
	DirMode   string `json:"dirmode,omitempty"` // of folders that had to be made
	Owner     string `json:"owner,omitempty"`
	Group     string `json:"group,omitempty"`
	Partition string `json:"partition,omitempty"`
	FromURL   bool   `json:"from_url,omitempty"` // the content was fetched
	Deleted   bool   `json:"deleted,omitempty"`
}

// injectFiles writes the files below root/, which stands for the root file system, and notes modes and owners
// in files.json. Without a deployed image there is no file system to write to.
func (m *machine) injectFiles(ctx context.Context, a injectArgs) error {
	root, err := os.OpenRoot(filepath.Join(m.dir, "root"))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no partition found to inject files into: write_image comes first")
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if a.Files == nil {
		// Without arguments the agent takes the operator's own list.
		if text, err := json.Marshal(m.node.Properties["inject_files"]); err == nil {
			_ = json.Unmarshal(text, &a.Files)
		}
	}
	notes := map[string]Injected{}
	if text, err := os.ReadFile(filepath.Join(m.dir, "files.json")); err == nil {
		if err := json.Unmarshal(text, &notes); err != nil {
			return err
		}
	}
	for _, f := range a.Files {
		note, err := inject(ctx, root, f)
		if err != nil {
			return fmt.Errorf("inject %s: %w", f.Path, err)
		}
		notes[path.Clean(f.Path)] = note
	}
	text, err := json.MarshalIndent(notes, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, "files.json"), text, 0o600)
}

func inject(ctx context.Context, root *os.Root, f injectedFile) (Injected, error) {
	if !path.IsAbs(f.Path) {
		return Injected{}, errors.New("path: want an absolute one")
	}
	mode, err := modeOf(f.Mode)
	if err != nil {
		return Injected{}, err
	}
	dirMode, err := modeOf(f.DirMode)
	if err != nil {
		return Injected{}, err
	}
	note := Injected{
		Mode: mode, DirMode: dirMode, Owner: nameOf(f.Owner), Group: nameOf(f.Group), Partition: nameOf(f.Partition),
		FromURL: strings.Contains(f.Content, "://"), Deleted: f.Deleted,
	}
	local := strings.TrimPrefix(path.Clean(f.Path), "/")
	if f.Deleted {
		if err := root.Remove(local); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return note, err
		}
		return note, nil
	}
	content, err := contentOf(ctx, f.Content)
	if err != nil {
		return note, err
	}
	if err := root.MkdirAll(path.Dir(local), 0o700); err != nil {
		return note, err
	}
	return note, root.WriteFile(local, content, 0o600)
}

func contentOf(ctx context.Context, text string) ([]byte, error) {
	if !strings.Contains(text, "://") {
		content, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("content is not base64: %w", err)
		}
		return content, nil
	}
	body, err := get(ctx, text)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// modeOf reads a mode: JSON has no octal numbers, so a number is the value itself and a text octal digits.
func modeOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case float64:
		return fmt.Sprintf("%04o", int64(v)), nil
	case string:
		n, err := strconv.ParseUint(v, 8, 12)
		if err != nil {
			return "", fmt.Errorf("mode %q: want octal digits", v)
		}
		return fmt.Sprintf("%04o", n), nil
	}
	return "", fmt.Errorf("mode %v: want octal digits", v)
}

func nameOf(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
