//go:build integration

package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
)

// A director calls the CPI with one configuration.
type director struct {
	t       testing.TB
	backend *backend.Backend
	webdav  *backend.WebDAV
	uuid    string
	class   string // resource class of the test's nodes
	config  map[string]any
	context map[string]any // besides director_uuid and vm: what a cpi-config says
	env     []string
}

// newDirector configures the CPI for a test. Each of changes is laid over the configuration, key by key.
func newDirector(t testing.TB, b *backend.Backend, changes ...map[string]any) *director {
	t.Helper()
	w := backend.StartWebDAV(t)
	d := &director{
		t: t, backend: b, webdav: w, uuid: uuid.NewString(), class: "class-" + uuid.NewString()[:8],
		config: map[string]any{
			"ironic": map[string]any{"url": b.URL, "poll_first": "50ms", "poll_every": "500ms", "retry_limit": "20s"},
			"repository": map[string]any{
				"stemcells": map[string]any{"url": w.Images}, "metadata": map[string]any{"url": w.Metadata},
			},
			"agent":     map[string]any{"mbus": "nats://10.0.0.6:4222"},
			"log_level": "debug",
		},
	}
	for _, c := range append(changes, b.Embedded()) {
		backend.Overlay(d.config, c)
	}
	return d
}

// with is the same Director with something else configured.
func (d *director) with(changes map[string]any) *director {
	other := *d
	text, err := json.Marshal(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	other.config = nil
	if err := json.Unmarshal(text, &other.config); err != nil {
		d.t.Fatal(err)
	}
	backend.Overlay(other.config, changes)
	return &other
}

// node enrols a node of the test's resource class.
func (d *director) node(spec backend.NodeSpec) string {
	d.t.Helper()
	spec.ResourceClass = d.class
	return d.backend.AddNode(d.t, spec)
}

// An answer is what the program wrote and how it ended.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Type      string `json:"type"`
		Message   string `json:"message"`
		OKToRetry bool   `json:"ok_to_retry"`
	} `json:"error"`
	Log string `json:"log"`

	stderr string
	killed bool // by a signal: there is no answer
}

// call runs the program with one request.
func (d *director) call(method string, arguments ...any) answer {
	d.t.Helper()
	if arguments == nil {
		arguments = []any{}
	}
	about := map[string]any{
		"director_uuid": d.uuid, "request_id": "cpi-123456", "vm": map[string]any{"stemcell": map[string]any{"api_version": 3}},
	}
	maps.Copy(about, d.context)
	request, err := json.Marshal(map[string]any{"method": method, "arguments": arguments, "context": about, "api_version": 2})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.send(request)
}

// send runs the program with a request as it stands.
func (d *director) send(request []byte) answer {
	d.t.Helper()
	file := d.writeConfig()
	cmd := exec.CommandContext(context.WithoutCancel(d.t.Context()), program, "-configPath", file)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=" + d.t.TempDir()}, d.env...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &out, &log
	err := cmd.Run()
	a := answer{stderr: log.String(), killed: cmd.ProcessState != nil && !cmd.ProcessState.Exited()}
	if a.killed {
		return a
	}
	if err != nil {
		d.t.Fatalf("%s\nended with %v\n%s", request, err, log.String())
	}
	if strings.Count(out.String(), "\n") != 1 || json.Unmarshal(out.Bytes(), &a) != nil {
		d.t.Fatalf("%s\nanswer is not one line of JSON: %q", request, out.String())
	}
	return a
}

// writeConfig writes the configuration into a file of its own.
func (d *director) writeConfig() string {
	d.t.Helper()
	text, err := json.Marshal(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	file := filepath.Join(d.t.TempDir(), "cpi.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return file
}

// must calls the CPI and fails the test if it answers with an error.
func (d *director) must(method string, arguments ...any) json.RawMessage {
	d.t.Helper()
	a := d.call(method, arguments...)
	if a.Error != nil {
		d.t.Fatalf("%s: %s: %s\n%s", method, a.Error.Type, a.Error.Message, a.stderr)
	}
	return a.Result
}

// fails calls the CPI and fails the test unless it answers with this kind of error, which it returns.
func (d *director) fails(kind string, retry bool, method string, arguments ...any) string {
	d.t.Helper()
	a := d.call(method, arguments...)
	if a.Error == nil {
		d.t.Fatalf("%s succeeded with %s; want %s", method, a.Result, kind)
	}
	if a.Error.Type != "Bosh::Clouds::"+kind || a.Error.OKToRetry != retry {
		d.t.Errorf("%s: %s, ok_to_retry %v: %s; want %s, %v\n%s", method, a.Error.Type, a.Error.OKToRetry, a.Error.Message, kind, retry, a.stderr)
	}
	return a.Error.Message
}

// decode reads a result.
func decode[T any](t testing.TB, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// A vmSpec is what create_vm is asked for; the zero value is a VM with one network on any of the test's nodes.
type vmSpec struct {
	stemcell string
	agent    string
	disks    []string
	cloud    map[string]any // laid over resource_class
	networks map[string]any
	env      map[string]any
}

// arguments are create_vm's.
func (d *director) arguments(s vmSpec) []any {
	if s.stemcell == "" {
		s.stemcell = d.stemcell()
	}
	if s.agent == "" {
		s.agent = uuid.NewString()
	}
	if s.networks == nil {
		s.networks = map[string]any{"default": map[string]any{
			"type": "manual", "ip": "10.0.0.10", "netmask": "255.255.255.0", "gateway": "10.0.0.1",
			"dns": []string{"10.0.0.2"}, "default": []string{"dns", "gateway"}, "cloud_properties": map[string]any{},
		}}
	}
	if s.disks == nil {
		s.disks = []string{}
	}
	if s.env == nil {
		s.env = map[string]any{"bosh": map[string]any{"password": "*"}}
	}
	cloud := map[string]any{"resource_class": d.class}
	maps.Copy(cloud, s.cloud)
	return []any{s.agent, s.stemcell, cloud, s.networks, s.disks, s.env}
}

// createVM returns the CID and the networks.
func (d *director) createVM(s vmSpec) (string, map[string]map[string]any) {
	d.t.Helper()
	result := decode[[]json.RawMessage](d.t, d.must("create_vm", d.arguments(s)...))
	if len(result) != 2 {
		d.t.Fatalf("create_vm: %s; want [cid, networks]", result)
	}
	return decode[string](d.t, result[0]), decode[map[string]map[string]any](d.t, result[1])
}

// nodeOf gives the node that a VM is on, as the engine has it.
func (d *director) nodeOf(cid string) map[string]any {
	d.t.Helper()
	list, _ := d.backend.Get(d.t, "/v1/nodes?instance_uuid="+cid)["nodes"].([]any)
	if len(list) != 1 {
		d.t.Fatalf("%d nodes have instance_uuid %s", len(list), cid)
	}
	node, _ := list[0].(map[string]any)
	id, _ := node["uuid"].(string)
	return d.backend.Node(d.t, id)
}
