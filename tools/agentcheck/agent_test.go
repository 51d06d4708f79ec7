package agentcheck

import (
	"bosh-ironic-cpi/src/agentenv"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloudfoundry/bosh-agent/v2/infrastructure"
	"github.com/cloudfoundry/bosh-agent/v2/platform/platformfakes"
	"github.com/cloudfoundry/bosh-agent/v2/settings"
	"github.com/cloudfoundry/bosh-utils/logger"
	"github.com/cloudfoundry/bosh-utils/system"
	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

func quiet() logger.Logger { return logger.NewLogger(logger.LevelNone) }

// fromFile reads settings as an agent with an injected file does.
func fromFile(t *testing.T, content []byte) (settings.Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent-bootstrap-env.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return infrastructure.NewFileSettingsSource(path, system.NewOsFileSystem(quiet()), quiet()).Settings()
}

// driveSource is the agent's source for config drives, with the paths of the OpenStack stemcells' agent.json. The
// drive is the text that Ironic would get, unpacked again.
func driveSource(t *testing.T, text string) settings.Source {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	image, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	drive, err := iso9660.Read(memory{bytes.NewReader(image)}, int64(len(image)), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	platform := &platformfakes.FakePlatform{}
	platform.GetFilesContentsFromDiskStub = func(disk string, names []string) ([][]byte, error) {
		if disk != "/dev/disk/by-label/config-2" {
			return nil, fs.ErrNotExist
		}
		var contents [][]byte
		for _, name := range names {
			f, err := drive.OpenFile("/"+name, os.O_RDONLY)
			if err != nil {
				return nil, err
			}
			content, err := io.ReadAll(f)
			if err != nil {
				return nil, err
			}
			contents = append(contents, content)
		}
		return contents, nil
	}
	return infrastructure.NewConfigDriveSettingsSource(
		[]string{"/dev/disk/by-label/CONFIG-2", "/dev/disk/by-label/config-2"},
		"ec2/latest/meta-data.json", "ec2/latest/user-data", platform, quiet())
}

// A memory is an image that go-diskfs can read.
type memory struct{ *bytes.Reader }

func (memory) Stat() (fs.FileInfo, error)              { return nil, errors.ErrUnsupported }
func (memory) Close() error                            { return nil }
func (memory) Sys() (*os.File, error)                  { return nil, errors.ErrUnsupported }
func (memory) Writable() (backend.WritableFile, error) { return nil, errors.ErrUnsupported }
func (memory) Path() string                            { return "" }

// request is the recorded create_vm, as far as settings are made of it.
func request(t *testing.T) (agentID string, networks agentenv.Networks, env map[string]any) {
	t.Helper()
	text, err := os.ReadFile("testdata/create_vm.json")
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Arguments []json.RawMessage }
	err = json.Unmarshal(text, &r)
	for i, to := range map[int]any{0: &agentID, 3: &networks, 5: &env} {
		err = errors.Join(err, json.Unmarshal(r.Arguments[i], to))
	}
	if err != nil {
		t.Fatal(err)
	}
	return agentID, networks, env
}

func mac(i int) string { return fmt.Sprintf("52:54:00:00:00:%02x", i) }

// nics are n ports as Ironic lists them, and what the agent finds in /sys/class/net.
func nics(n int) (ports []agentenv.NIC, found map[string]string) {
	found = map[string]string{}
	for i := range n {
		ports = append(ports, agentenv.NIC{MAC: mac(i), PXE: i == 0})
		found[mac(i)] = fmt.Sprintf("eth%d", i)
	}
	return ports, found
}
