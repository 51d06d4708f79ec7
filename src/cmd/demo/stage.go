package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A stage is what the story needs around the CPI.
type stage struct {
	bin, dir string
	out      *page

	ironic   string // base URL
	stemcell string // the archive that create_stemcell reads
	config   string // the CPI's configuration file
}

// services are started by bin/NAME-up DIR/NAME and ended by bin/NAME-down DIR/NAME.
var services = []string{"ironic", "webdav"}

// clear ends and removes what an earlier run left, so that each run starts the same.
func (s *stage) clear(ctx context.Context) error {
	if err := s.close(ctx); err != nil {
		return err
	}
	for _, name := range append([]string{"stemcell", "cpi.json"}, services...) {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// open starts the services and writes the stemcell and the configuration.
func (s *stage) open(ctx context.Context) error {
	began := time.Now()
	urls := map[string]string{}
	for _, name := range services {
		s.out.line(dim, "starting %s ...", name)
		url, err := s.script(ctx, name+"-up", name)
		if err != nil {
			return err
		}
		urls[name] = url
	}
	s.ironic = urls["ironic"]
	s.out.line(dim, "Ironic at %s, WebDAV at %s, after %.1f s", urls["ironic"], urls["webdav"], time.Since(began).Seconds())
	if err := s.makeStemcell(ctx); err != nil {
		return fmt.Errorf("make a stemcell: %w", err)
	}
	return s.writeConfig(urls["webdav"])
}

// close ends the services that have a folder.
func (s *stage) close(ctx context.Context) error {
	var errs []error
	for _, name := range services {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			_, err := s.script(ctx, name+"-down", name)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// script runs bin/NAME DIR/FOLDER and returns what it printed.
func (s *stage) script(ctx context.Context, name, folder string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(s.bin, name), filepath.Join(s.dir, folder))
	command.Env = append(os.Environ(), "NODES=2", "CLEAN=1")
	return output(command)
}

// output runs a command and returns what it printed, or an error that holds its complaint.
func output(command *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = 10 * time.Second // for a child in the background that holds the pipes open
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(command.Path), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// makeStemcell packs a disk image with one partition as a stemcell's archive: a gzipped tar of root.img.
func (s *stage) makeStemcell(ctx context.Context) error {
	dir := filepath.Join(s.dir, "stemcell")
	raw, image := filepath.Join(dir, "root.raw"), filepath.Join(dir, "root.img")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return err
	}
	if err := os.WriteFile(raw, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(raw, 64<<20); err != nil {
		return err
	}
	partition := exec.CommandContext(ctx, "/sbin/sfdisk", "--quiet", raw)
	partition.Stdin = strings.NewReader("label: dos\n2048,,L,*\n")
	if _, err := output(partition); err != nil {
		return err
	}
	convert := exec.CommandContext(ctx, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
	if _, err := output(convert); err != nil {
		return err
	}
	s.stemcell = filepath.Join(dir, "image")
	return pack(s.stemcell, image)
}

// pack writes a gzipped tar that holds one file.
func pack(archive, file string) (err error) {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	to, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	packed := gzip.NewWriter(to)
	files := tar.NewWriter(packed)
	if err := files.WriteHeader(&tar.Header{Name: info.Name(), Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	if _, err := io.Copy(files, content); err != nil {
		return err
	}
	return errors.Join(files.Close(), packed.Close())
}

// writeConfig writes the configuration that an operator would write for these services.
func (s *stage) writeConfig(webdav string) error {
	type object = map[string]any
	text, err := json.MarshalIndent(object{
		"ironic": object{"url": s.ironic},
		"repository": object{
			"stemcells": object{"type": "webdav", "url": webdav + "/images"},
			"metadata":  object{"type": "webdav", "url": webdav + "/metadata"},
		},
		"agent": object{"mbus": "nats://127.0.0.1:4222"},
	}, "", "  ")
	if err != nil {
		return err
	}
	s.out.line(bold, "\nThe CPI's configuration")
	s.out.line(plain, "%s", text)
	s.config, err = filepath.Abs(filepath.Join(s.dir, "cpi.json"))
	if err != nil {
		return err
	}
	return os.WriteFile(s.config, text, 0o600)
}
