package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// A stage is what the story needs around the CPI: a folder with servers that do not exist.
type stage struct {
	dir string // absolute
	out *page

	store    *store.Store
	operator operator
	stemcell string // the archive that create_stemcell reads
	config   string // the CPI's configuration file
}

// open makes the folder anew, so that each run starts the same, and enrols the servers.
func (s *stage) open(ctx context.Context) (err error) {
	for _, name := range []string{"conductor.sqlite", "conductor.sqlite-wal", "conductor.sqlite-shm", "files", "stemcell", "cpi.json"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	if s.store, err = store.Open(ctx, s.database(), store.Options{}); err != nil {
		return err
	}
	engine, err := conductor.New(conductor.Config{
		Hostname: "operator", Store: s.store, Drivers: all.Table(), Deployers: map[string]conductor.Deployer{"fake": deploy.Fake{}},
	})
	if err != nil {
		return err
	}
	if err := engine.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	s.operator = operator{&http.Client{Transport: api.Transport{Handler: api.New(api.Config{Conductor: engine}).Operators()}}}
	for _, name := range []string{"rack-1", "rack-2"} {
		if err := s.operator.enrol(ctx, name); err != nil {
			return err
		}
	}
	if err := s.makeStemcell(); err != nil {
		return fmt.Errorf("make a stemcell: %w", err)
	}
	return s.writeConfig()
}

func (s *stage) database() string { return filepath.Join(s.dir, "conductor.sqlite") }

func (s *stage) close() error {
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// An operator asks the Bare Metal API, as the baremetal command does.
type operator struct{ client *http.Client }

// do sends a request to the handler in this process, and decodes the answer into out.
func (o operator) do(ctx context.Context, method, path string, body, out any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://conductor"+path, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	request.Header.Set("X-Openstack-Ironic-Api-Version", "latest")
	response, err := o.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		var failure map[string]any
		_ = json.NewDecoder(response.Body).Decode(&failure)
		return fmt.Errorf("%s %s: %s: %v", method, path, response.Status, failure)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// enrol adds a server and makes it available. Its steps take a moment, to be seen.
func (o operator) enrol(ctx context.Context, name string) error {
	var n node
	err := o.do(ctx, http.MethodPost, "/v1/nodes", object{
		"name": name, "driver": "fake-hardware", "resource_class": "baremetal",
		"driver_info": object{"fake_step_delay": "300ms", "fake_delay": "40ms"},
		"properties":  object{"cpus": 4, "memory_mb": 8192, "local_gb": 10, "cpu_arch": "x86_64", "capabilities": "boot_mode:bios"},
	}, &n)
	if err != nil {
		return err
	}
	port := object{"node_uuid": n.UUID, "address": "52:54:00:00:00:0" + name[len(name)-1:]}
	if err := o.do(ctx, http.MethodPost, "/v1/ports", port, nil); err != nil {
		return err
	}
	if err := o.provision(ctx, name, "manage", "manageable"); err != nil {
		return err
	}
	return o.provision(ctx, name, "provide", "available")
}

func (o operator) provision(ctx context.Context, name, verb, state string) error {
	if err := o.do(ctx, http.MethodPut, "/v1/nodes/"+name+"/states/provision", object{"target": verb}, nil); err != nil {
		return err
	}
	pace := wait.Pace{First: 5 * time.Millisecond, Every: 50 * time.Millisecond, Limit: 10 * time.Second}
	return wait.Until(ctx, pace, name+" to be "+state, func(ctx context.Context) (bool, string, error) {
		var n struct {
			State       string `json:"provision_state"`
			Reservation string `json:"reservation"`
		}
		err := o.do(ctx, http.MethodGet, "/v1/nodes/"+name, nil, &n)
		return n.State == state && n.Reservation == "", n.State, err
	})
}

// makeStemcell packs a disk image with one partition as a stemcell's archive: a gzipped tar of root.img.
func (s *stage) makeStemcell() (err error) {
	const size = 1 << 20
	image := make([]byte, size)
	// One bootable Linux partition from sector 2048 on, though there is nothing in it.
	copy(image[446:], []byte{0x80, 0, 0, 0, 0x83, 0, 0, 0, 0x00, 0x08, 0, 0, 0x00, 0x08, 0, 0})
	image[510], image[511] = 0x55, 0xaa
	dir := filepath.Join(s.dir, "stemcell")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s.stemcell = filepath.Join(dir, "image")
	to, err := os.Create(s.stemcell)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	packed := gzip.NewWriter(to)
	files := tar.NewWriter(packed)
	if err := files.WriteHeader(&tar.Header{Name: "root.img", Mode: 0o644, Size: size}); err != nil {
		return err
	}
	if _, err := files.Write(image); err != nil {
		return err
	}
	return errors.Join(files.Close(), packed.Close())
}

// writeConfig writes the configuration that an operator would write for one machine.
func (s *stage) writeConfig() error {
	files := func(name string) object { return object{"type": "dir", "path": filepath.Join(s.dir, "files", name)} }
	text, err := json.MarshalIndent(object{
		"ironic":     object{"url": "embedded"},
		"conductor":  object{"database": s.database(), "automated_clean": true},
		"repository": object{"stemcells": files("images"), "metadata": files("metadata")},
		"agent":      object{"mbus": "nats://127.0.0.1:4222", "settings_delivery": "config_drive"},
	}, "", "  ")
	if err != nil {
		return err
	}
	s.out.line(bold, "The CPI's configuration")
	s.out.line(plain, "%s", text)
	s.config = filepath.Join(s.dir, "cpi.json")
	return os.WriteFile(s.config, text, 0o600)
}
