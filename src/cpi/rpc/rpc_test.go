package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/cpi/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder stands for the actions: it writes down what it is asked, and answers with what it is given.
type recorder struct {
	asked []string
	err   error
	panic any
	open  error
	log   string
}

func (r *recorder) ask(format string, args ...any) error {
	r.asked = append(r.asked, fmt.Sprintf(format, args...))
	if r.panic != nil {
		panic(r.panic)
	}
	return r.err
}

func (r *recorder) CreateStemcell(_ context.Context, path string, props json.RawMessage, tags map[string]string) (string, error) {
	return "stemcell-1", r.ask("create_stemcell %s %s %v", path, props, tags)
}

func (r *recorder) DeleteStemcell(_ context.Context, cid string) error {
	return r.ask("delete_stemcell %s", cid)
}

func (r *recorder) CreateVM(_ context.Context, vm cpi.VMRequest) (string, json.RawMessage, error) {
	err := r.ask("create_vm %s %s %s %s %q %s v%d", vm.AgentID, vm.StemcellCID, vm.CloudProperties, vm.Networks, vm.DiskCIDs, vm.Env, vm.StemcellAPIVersion)
	return "vm-1", vm.Networks, err
}

func (r *recorder) DeleteVM(_ context.Context, cid string) error { return r.ask("delete_vm %s", cid) }

func (r *recorder) HasVM(_ context.Context, cid string) (bool, error) {
	return true, r.ask("has_vm %s", cid)
}

func (r *recorder) RebootVM(_ context.Context, cid string) error { return r.ask("reboot_vm %s", cid) }

func (r *recorder) SetVMMetadata(_ context.Context, cid string, m map[string]any) error {
	return r.ask("set_vm_metadata %s %v", cid, m)
}

func (r *recorder) CalculateVMCloudProperties(_ context.Context, want cpi.VMResources) (map[string]any, error) {
	return map[string]any{"memory_mb": want.RAM}, r.ask("calculate_vm_cloud_properties %+v", want)
}

func (r *recorder) CreateDisk(_ context.Context, size int, props json.RawMessage, vm string) (string, error) {
	return "disk-1", r.ask("create_disk %d %s %q", size, props, vm)
}

func (r *recorder) DeleteDisk(_ context.Context, cid string) error {
	return r.ask("delete_disk %s", cid)
}

func (r *recorder) HasDisk(_ context.Context, cid string) (bool, error) {
	return false, r.ask("has_disk %s", cid)
}

func (r *recorder) AttachDisk(_ context.Context, vm, disk string) (any, error) {
	return map[string]any{"path": "/dev/disk/by-id/x"}, r.ask("attach_disk %s %s", vm, disk)
}

func (r *recorder) DetachDisk(_ context.Context, vm, disk string) error {
	return r.ask("detach_disk %s %s", vm, disk)
}

func (r *recorder) GetDisks(_ context.Context, vm string) ([]string, error) {
	return nil, r.ask("get_disks %s", vm)
}

func (r *recorder) SetDiskMetadata(_ context.Context, cid string, m map[string]any) error {
	return r.ask("set_disk_metadata %s %v", cid, m)
}

// answer is what a client reads.
type answer struct {
	Result json.RawMessage
	Error  *struct {
		Type, Message string
		OKToRetry     *bool `json:"ok_to_retry"`
	}
	Log *string
}

// serve gives one request to a server over r, and checks what every answer must be.
func serve(t *testing.T, r *recorder, request string) (a answer, stderr string) {
	t.Helper()
	s := rpc.Server{Open: func(ctx context.Context, call *rpc.Call) (rpc.Actions, error) {
		if r.log != "" {
			call.Log.InfoContext(ctx, "from an action", "text", r.log)
		}
		return r, r.open
	}}
	var out, logs bytes.Buffer
	if err := s.Serve(t.Context(), strings.NewReader(request), &out, &logs); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Errorf("the answer is not one line: %q", text)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &keys); err != nil {
		t.Fatalf("the answer is not JSON: %v: %q", err, text)
	}
	if len(keys) != 3 || keys["result"] == nil || keys["error"] == nil || len(keys["log"]) < 2 || keys["log"][0] != '"' {
		t.Errorf("want exactly result, error and a string log: %s", text)
	}
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	if a.Error != nil && (a.Error.OKToRetry == nil || a.Error.Type == "" || a.Error.Message == "" || string(a.Result) != "null") {
		t.Errorf("want type, message, ok_to_retry and no result: %s", text)
	}
	if *a.Log != logs.String() {
		t.Errorf("log %q differs from stderr %q", *a.Log, logs.String())
	}
	return a, logs.String()
}

const info = `{"api_version":3,"stemcell_formats":["openstack-qcow2","openstack-raw","openstack-light"]}`

func TestRequests(t *testing.T) {
	const vm = `"agent-1","stemcell-1",{"macs":["a"]},{"n":{"type":"manual","prefix":"32","nic_group":"1","odd":1.50}},["disk-1"],{"bosh":{"x":null}}`
	const vmAsked = `create_vm agent-1 stemcell-1 {"macs":["a"]} {"n":{"type":"manual","prefix":"32","nic_group":"1","odd":1.50}} ["disk-1"] {"bosh":{"x":null}} `
	const networks = `{"n":{"type":"manual","prefix":"32","nic_group":"1","odd":1.50}}`
	tests := []struct {
		name, request string
		asked         string
		result        string
	}{
		{"info, Director's first", `{"method":"info","arguments":[],"context":{"director_uuid":"d","request_id":"r"}}`, "", info},
		{"info, CLI", `{"method":"info","arguments":[],"context":{"vm":{"stemcell":{}}},"api_version":1}`, "", info},
		{"info, all garbled but the method", `{"method":"info","arguments":7,"context":[],"api_version":"x"}`, "", info},
		{"ping", `{"method":"ping"}`, "", `"pong"`},

		{"create_stemcell", `{"method":"create_stemcell","arguments":["/i",{"a":1}],"context":{},"api_version":2}`, `create_stemcell /i {"a":1} map[]`, `"stemcell-1"`},
		{"create_stemcell v3", `{"method":"create_stemcell","arguments":["/i",{"a":1},{"tags":{"x":"y","n":2}}],"context":{},"api_version":3}`, `create_stemcell /i {"a":1} map[n:2 x:y]`, `"stemcell-1"`},
		{"create_stemcell, null", `{"method":"create_stemcell","arguments":["/i",null,null],"context":{},"api_version":3}`, `create_stemcell /i {} map[]`, `"stemcell-1"`},
		{"create_stemcell, null tags", `{"method":"create_stemcell","arguments":["/i",null,{"tags":null}],"context":{},"api_version":3}`, `create_stemcell /i {} map[]`, `"stemcell-1"`},
		{"delete_stemcell", `{"method":"delete_stemcell","arguments":["s"],"context":{},"api_version":2}`, `delete_stemcell s`, `null`},

		{"create_vm v1", `{"method":"create_vm","arguments":[` + vm + `],"context":{},"api_version":1}`, vmAsked + "v0", `"vm-1"`},
		{"create_vm, no version", `{"method":"create_vm","arguments":[` + vm + `],"context":{}}`, vmAsked + "v0", `"vm-1"`},
		{"create_vm, null version", `{"method":"create_vm","arguments":[` + vm + `],"context":{},"api_version":null}`, vmAsked + "v0", `"vm-1"`},
		{"create_vm v2", `{"method":"create_vm","arguments":[` + vm + `],"context":{"vm":{"stemcell":{"api_version":3}}},"api_version":2}`, vmAsked + "v3", `["vm-1",` + networks + `]`},
		{"create_vm v3", `{"method":"create_vm","arguments":[` + vm + `,"more",7],"context":{"vm":{"stemcell":{"api_version":1}}},"api_version":3}`, vmAsked + "v1", `["vm-1",` + networks + `]`},
		{"create_vm, nulls", `{"method":"create_vm","arguments":["a","s",null,null,null,null],"context":{"vm":null},"api_version":2}`, `create_vm a s {} {} [] {} v0`, `["vm-1",{}]`},
		{"create_vm, short", `{"method":"create_vm","arguments":["a","s"],"api_version":2}`, `create_vm a s {} {} [] {} v0`, `["vm-1",{}]`},
		{"delete_vm", `{"method":"delete_vm","arguments":["vm-1"],"context":null,"api_version":2}`, `delete_vm vm-1`, `null`},
		{"has_vm", `{"method":"has_vm","arguments":["vm-1","more"],"api_version":2}`, `has_vm vm-1`, `true`},
		{"reboot_vm", `{"method":"reboot_vm","arguments":["vm-1"],"api_version":2}`, `reboot_vm vm-1`, `null`},
		{"set_vm_metadata", `{"method":"set_vm_metadata","arguments":["vm-1",{"job":"j","index":"0"}],"api_version":2}`, `set_vm_metadata vm-1 map[index:0 job:j]`, `null`},
		{"set_vm_metadata, null", `{"method":"set_vm_metadata","arguments":["vm-1",null],"api_version":2}`, `set_vm_metadata vm-1 map[]`, `null`},
		{"calculate", `{"method":"calculate_vm_cloud_properties","arguments":[{"ram":1024,"cpu":2,"ephemeral_disk_size":10240}],"api_version":2}`, `calculate_vm_cloud_properties {RAM:1024 CPU:2 EphemeralDiskSize:10240}`, `{"memory_mb":1024}`},

		{"create_disk", `{"method":"create_disk","arguments":[65536,{"type":"ssd"},"vm-1"],"api_version":2}`, `create_disk 65536 {"type":"ssd"} "vm-1"`, `"disk-1"`},
		{"create_disk, null VM", `{"method":"create_disk","arguments":[1024.0,null,null],"api_version":2}`, `create_disk 1024 {} ""`, `"disk-1"`},
		{"create_disk, short", `{"method":"create_disk","arguments":[1024],"api_version":2}`, `create_disk 1024 {} ""`, `"disk-1"`},
		{"delete_disk", `{"method":"delete_disk","arguments":["d"],"api_version":2}`, `delete_disk d`, `null`},
		{"has_disk", `{"method":"has_disk","arguments":["d"],"api_version":2}`, `has_disk d`, `false`},
		{"attach_disk v2", `{"method":"attach_disk","arguments":["vm-1","d"],"api_version":2}`, `attach_disk vm-1 d`, `{"path":"/dev/disk/by-id/x"}`},
		{"attach_disk v1", `{"method":"attach_disk","arguments":["vm-1","d"],"api_version":1}`, `attach_disk vm-1 d`, `null`},
		{"detach_disk", `{"method":"detach_disk","arguments":["vm-1","d"],"api_version":2}`, `detach_disk vm-1 d`, `null`},
		{"get_disks, none", `{"method":"get_disks","arguments":["vm-1"],"api_version":2}`, `get_disks vm-1`, `[]`},
		{"set_disk_metadata", `{"method":"set_disk_metadata","arguments":["d",{"a":"b"}],"api_version":2}`, `set_disk_metadata d map[a:b]`, `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			a, _ := serve(t, r, tt.request)
			if a.Error != nil {
				t.Fatalf("error: %+v", *a.Error)
			}
			if string(a.Result) != tt.result {
				t.Errorf("result %s; want %s", a.Result, tt.result)
			}
			if got := strings.Join(r.asked, "\n"); got != tt.asked {
				t.Errorf("asked\n %s; want\n %s", got, tt.asked)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct{ name, request, kind, message string }{
		{"empty", ``, "CpiError", "no request on standard input"},
		{"blank", " \n", "CpiError", "no request on standard input"},
		{"garbled", `{"method":`, "CpiError", "the request is not a JSON object"},
		{"not an object", `[1]`, "CpiError", "the request is not a JSON object"},
		{"two documents", `{"method":"ping"}{}`, "CpiError", "the request is not a JSON object"},
		{"no method", `{"arguments":[]}`, "CpiError", "no method"},
		{"null method", `{"method":null}`, "CpiError", "no method"},
		{"method of a wrong type", `{"method":5}`, "CpiError", "no method"},
		{"B21, unknown method", `{"method":"dummy_call","arguments":[],"context":{}}`, "NotImplemented", `no method "dummy_call"`},
		{"B21, unknown method, nothing else", `{"method":"x"}`, "NotImplemented", `no method "x"`},

		{"arguments of a wrong type", `{"method":"has_vm","arguments":{}}`, "CpiError", "arguments: want a list"},
		{"context of a wrong type", `{"method":"has_vm","arguments":["v"],"context":"x"}`, "CpiError", "context: want an object"},
		{"request_id of a wrong type", `{"method":"has_vm","arguments":["v"],"context":{"request_id":5}}`, "CpiError", "context: want an object"},
		{"stemcell version of a wrong type", `{"method":"has_vm","arguments":["v"],"context":{"vm":{"stemcell":{"api_version":"2"}}}}`, "CpiError", "context.vm.stemcell.api_version"},
		{"version too new", `{"method":"has_vm","arguments":["v"],"api_version":4}`, "CpiError", "api_version: want a number from 1 to 3"},
		{"version of a wrong type", `{"method":"has_vm","arguments":["v"],"api_version":"2"}`, "CpiError", "api_version: want a number from 1 to 3"},

		{"no CID", `{"method":"has_vm","arguments":[]}`, "CpiError", "argument 1, vm_cid: want a string that is not empty, got none"},
		{"no arguments", `{"method":"has_vm"}`, "CpiError", "argument 1, vm_cid: want a string that is not empty, got none"},
		{"null CID", `{"method":"delete_vm","arguments":[null]}`, "CpiError", "argument 1, vm_cid: want a string that is not empty, got none"},
		{"empty CID", `{"method":"delete_vm","arguments":[""]}`, "CpiError", "argument 1, vm_cid: want a string that is not empty, got an empty string"},
		{"number for a CID", `{"method":"attach_disk","arguments":["v",7]}`, "CpiError", "argument 2, disk_cid: want a string that is not empty, got a number"},
		{"no image", `{"method":"create_stemcell","arguments":[]}`, "CpiError", "argument 1, image_path"},
		{"text for properties", `{"method":"create_stemcell","arguments":["/i","x"]}`, "CpiError", "argument 2, cloud_properties: want an object, got a string"},
		{"tags of a wrong type", `{"method":"create_stemcell","arguments":["/i",{},{"tags":[]}]}`, "CpiError", "argument 3, env"},
		{"list for networks", `{"method":"create_vm","arguments":["a","s",{},[]]}`, "CpiError", "argument 4, networks: want an object, got a list"},
		{"text for disks", `{"method":"create_vm","arguments":["a","s",{},{},"d"]}`, "CpiError", "argument 5, disk_cids: want a list of strings"},
		{"null disk", `{"method":"create_vm","arguments":["a","s",{},{},[null]]}`, "CpiError", "argument 5, disk_cids: want a list of strings"},
		{"true for env", `{"method":"create_vm","arguments":["a","s",{},{},[],true]}`, "CpiError", "argument 6, env: want an object, got true or false"},
		{"no size", `{"method":"create_disk","arguments":[]}`, "CpiError", "argument 1, size: want a whole number of MiB"},
		{"size zero", `{"method":"create_disk","arguments":[0]}`, "CpiError", "argument 1, size"},
		{"half a MiB", `{"method":"create_disk","arguments":[0.5]}`, "CpiError", "argument 1, size"},
		{"text for size", `{"method":"create_disk","arguments":["5"]}`, "CpiError", "argument 1, size: want a whole number of MiB above zero, got a string"},
		{"list for metadata", `{"method":"set_vm_metadata","arguments":["v",["a"]]}`, "CpiError", "argument 2, metadata: want an object, got a list"},
		{"resources", `{"method":"calculate_vm_cloud_properties","arguments":[{"ram":"1"}]}`, "CpiError", "argument 1, desired_instance_size"},

		{"resize_disk", `{"method":"resize_disk","arguments":["d",1]}`, "NotSupported", "does not grow"},
		{"update_disk", `{"method":"update_disk","arguments":["d",1,{}]}`, "NotSupported", "does not change"},
		{"configure_networks", `{"method":"configure_networks","arguments":["v",{}]}`, "NotSupported", "recreate the VM"},
		{"snapshot_disk", `{"method":"snapshot_disk","arguments":["d",{}]}`, "NotImplemented", "no snapshots"},
		{"delete_snapshot", `{"method":"delete_snapshot","arguments":["s"]}`, "NotImplemented", "no snapshots"},
		{"create_network", `{"method":"create_network","arguments":[{}]}`, "NotSupported", "cloud-config"},
		{"delete_network", `{"method":"delete_network","arguments":["n"]}`, "NotSupported", "makes no networks"},
		{"current_vm_id", `{"method":"current_vm_id","arguments":[]}`, "NotImplemented", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			a, _ := serve(t, r, tt.request)
			if a.Error == nil {
				t.Fatalf("result %s; want an error", a.Result)
			}
			if a.Error.Type != "Bosh::Clouds::"+tt.kind || !strings.Contains(a.Error.Message, tt.message) || *a.Error.OKToRetry {
				t.Errorf("error %+v; want %s, %q, no retry", *a.Error, tt.kind, tt.message)
			}
			if len(r.asked) > 0 {
				t.Errorf("asked all the same: %v", r.asked)
			}
		})
	}
}

const hasVM = `{"method":"has_vm","arguments":["vm-1"],"context":{"request_id":"cpi-42"},"api_version":2}`

func TestErrorsKeepTheirKindWhenWrapped(t *testing.T) {
	tests := []struct {
		name          string
		err           error
		kind, message string
		retry         bool
	}{
		{"known", cpi.ErrVMNotFound, "VMNotFound", "no such VM", false},
		{"wrapped twice", fmt.Errorf("node n: %w", fmt.Errorf("look: %w", cpi.ErrDiskNotFound)), "DiskNotFound", "node n: look: no such disk", false},
		{"retry", fmt.Errorf("wait: %w", context.DeadlineExceeded), "CloudError", "wait: context deadline exceeded (raise the limit", true},
		{"unknown", errors.New("odd"), "CloudError", "odd", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := serve(t, &recorder{err: tt.err}, hasVM)
			if a.Error == nil || a.Error.Type != "Bosh::Clouds::"+tt.kind || !strings.HasPrefix(a.Error.Message, tt.message) || *a.Error.OKToRetry != tt.retry {
				t.Errorf("error %+v; want %+v", a.Error, tt)
			}
		})
	}
}

// A Director passes over NotImplemented in has_vm and set_vm_metadata: a broken configuration must not be that.
func TestBrokenConfigurationIsACpiError(t *testing.T) {
	for _, err := range []error{errors.New("ironic.url: missing"), fmt.Errorf("x: %w", cpi.ErrNotImplemented), fmt.Errorf("y: %w", context.DeadlineExceeded)} {
		for _, method := range []string{"has_vm", "set_vm_metadata", "create_stemcell"} {
			r := &recorder{open: err}
			a, _ := serve(t, r, strings.Replace(hasVM, "has_vm", method, 1))
			if a.Error == nil || a.Error.Type != "Bosh::Clouds::CpiError" || *a.Error.OKToRetry || len(r.asked) > 0 {
				t.Errorf("%s: error %+v, asked %v; want CpiError", method, a.Error, r.asked)
			}
		}
		if a, _ := serve(t, &recorder{open: err}, `{"method":"info"}`); string(a.Result) != info {
			t.Errorf("info: %+v", a)
		}
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	for _, value := range []any{"boom", errors.New("boom"), fmt.Errorf("boom: %w", cpi.ErrNotImplemented)} {
		a, stderr := serve(t, &recorder{panic: value}, hasVM)
		if a.Error == nil || a.Error.Type != "Bosh::Clouds::CpiError" || !strings.Contains(a.Error.Message, "panic: boom") {
			t.Errorf("error %+v; want a CpiError that says panic", a.Error)
		}
		if !strings.Contains(stderr, "rpc_test.go") {
			t.Errorf("no stack in the log: %s", stderr)
		}
	}
}

func TestEveryLineNamesTheRequest(t *testing.T) {
	_, stderr := serve(t, &recorder{log: "hello"}, hasVM)
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if len(lines) != 3 {
		t.Errorf("want request, the action's own line, answer: %q", lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, "request_id=cpi-42") || !strings.Contains(line, "method=has_vm") {
			t.Errorf("line without request_id and method: %s", line)
		}
	}
	_, stderr = serve(t, &recorder{}, strings.Replace(hasVM, `"request_id":"cpi-42"`, "", 1))
	if !strings.Contains(stderr, "request_id=cpi-") {
		t.Errorf("no request_id was made up: %s", stderr)
	}
}

const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAn4o5\nq0OQUSM83CTfWPgp4PFa\n-----END RSA PRIVATE KEY-----\n"

// Secrets of the request appear nowhere, in whatever way an action prints them.
func TestSecretsAreMasked(t *testing.T) {
	request := func(path ...any) string {
		raw, err := json.Marshal(map[string]any{
			"method": "create_vm",
			"arguments": []any{
				"a", "s",
				map[string]any{"ironic_params": map[string]any{"driver_info": map[string]any{"ipmi_password": `calvin"1`, "snmp_auth_key": "snmpkey", "ipmi_username": "root"}}},
				map[string]any{"private": map[string]any{"ip": "10.0.0.10"}},
				nil,
				map[string]any{"bosh": map[string]any{
					"password": "$6$salt/hash", "mbus": map[string]any{"urls": []string{"https://mbus:m%40bus-pw@0.0.0.0:6868"}, "cert": map[string]any{"private_key": key, "ca": "CACACA"}},
					"blobstores": []any{map[string]any{"options": map[string]any{"secret_access_key": "s3secret", "pin": 7, "token": 998877}}},
				}},
			},
			"context": map[string]any{"request_id": "cpi-7", "ironic": map[string]any{"auth": map[string]any{"password": "keystone-pw", "type": "keystone"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}()
	secrets := []string{
		`calvin"1`, `calvin\"1`, "snmpkey", "$6$salt/hash", "m%40bus-pw", "m@bus-pw", "MIIEpAIBAAKCAQEAn4o5", "q0OQUSM83CTfWPgp4PFa",
		"CACACA", "s3secret", "998877", "keystone-pw", `calvin%221`,
	}
	all := strings.Join(secrets, " ") + " " + key
	inJSON, err := json.Marshal(map[string]string{"all": all})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{all, string(inJSON), fmt.Sprintf("%q", all), fmt.Sprintf("%q", inJSON)} {
		r := &recorder{log: text + " 10.0.0.10 root keystone", err: errors.New(text)}
		a, stderr := serve(t, r, request)
		// "calvin" stands for all ways of escaping what follows it.
		for _, s := range append(secrets, "calvin") {
			if strings.Contains(stderr, s) || strings.Contains(*a.Log, s) || strings.Contains(a.Error.Message, s) {
				t.Errorf("%q is in the log or the message: %s %s", s, stderr, a.Error.Message)
			}
		}
		if !strings.Contains(stderr, "10.0.0.10 root keystone") {
			t.Errorf("more than secrets was masked: %s", stderr)
		}
		r = &recorder{panic: text}
		if a, _ := serve(t, r, request); strings.Contains(*a.Log+a.Error.Message, "s3secret") {
			t.Errorf("a panic shows a secret: %s", *a.Log)
		}
	}
}

func TestHiddenByTheOpener(t *testing.T) {
	var out, logs bytes.Buffer
	s := rpc.Server{Open: func(ctx context.Context, call *rpc.Call) (rpc.Actions, error) {
		call.Hide("from", "from-the-file", "abc") // the last is too short to mask
		call.HideIn(json.RawMessage(`{"token": "tokentoken", "client_key": {"file": "/etc/key"}}`))
		call.Log.InfoContext(ctx, "x", "a", "from-the-file tokentoken /etc/key abc")
		return nil, fmt.Errorf("from-the-file")
	}}
	if err := s.Serve(t.Context(), strings.NewReader(hasVM), &out, &logs); err != nil {
		t.Fatal(err)
	}
	if text := out.String() + logs.String(); strings.Contains(text, "the-file") || strings.Contains(text, "tokentoken") {
		t.Errorf("not masked: %s", text)
	}
	if !strings.Contains(logs.String(), "*** *** /etc/key abc") {
		t.Errorf("log: %s", logs.String())
	}
}

func TestLargeRequest(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	r := &recorder{}
	a, stderr := serve(t, r, `{"method":"set_vm_metadata","arguments":["vm-1",{"tag":"`+long+`"}],"context":{}}`)
	if a.Error != nil || len(r.asked) != 1 || len(r.asked[0]) < len(long) {
		t.Errorf("10 MB: %+v", a.Error)
	}
	if len(stderr) > 10_000 {
		t.Errorf("the log holds %d bytes: arguments?", len(stderr))
	}
	a, _ = serve(t, r, strings.Repeat(" ", 64<<20)+"{}")
	if a.Error == nil || !strings.Contains(a.Error.Message, "longer than") {
		t.Errorf("64 MiB: %+v", a.Error)
	}
}

func TestLongLogIsCut(t *testing.T) {
	var out, logs bytes.Buffer
	s := rpc.Server{Open: func(ctx context.Context, call *rpc.Call) (rpc.Actions, error) {
		for range 3 {
			call.Log.InfoContext(ctx, "much", "text", strings.Repeat("y", 1<<19))
		}
		return &recorder{}, nil
	}}
	if err := s.Serve(t.Context(), strings.NewReader(hasVM), &out, &logs); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 1<<20+10_000 || logs.Len() < 3<<19 || !strings.Contains(out.String(), "log cut here") {
		t.Errorf("answer %d bytes, stderr %d bytes", out.Len(), logs.Len())
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (brokenPipe) Read([]byte) (int, error)  { return 0, io.ErrUnexpectedEOF }

func TestClosedStreams(t *testing.T) {
	s := rpc.Server{}
	var out, logs bytes.Buffer
	if err := s.Serve(t.Context(), strings.NewReader(`{"method":"info"}`), brokenPipe{}, &logs); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("closed stdout: %v", err)
	}
	if err := s.Serve(t.Context(), strings.NewReader(`{"method":"info"}`), &out, brokenPipe{}); err != nil || !strings.Contains(out.String(), info) {
		t.Errorf("closed stderr: %v, %s", err, out.String())
	}
	out.Reset()
	if err := s.Serve(t.Context(), brokenPipe{}, &out, &logs); err != nil || !strings.Contains(out.String(), "Bosh::Clouds::CpiError") {
		t.Errorf("broken stdin: %v, %s", err, out.String())
	}
}

// The Director that a node is marked with, and the cpi-config's properties, reach the opener as they came.
func TestOpenSeesTheContext(t *testing.T) {
	var got rpc.Call
	s := rpc.Server{Open: func(_ context.Context, call *rpc.Call) (rpc.Actions, error) {
		got = *call
		return &recorder{}, nil
	}}
	const given = `{"director_uuid":"d-1","request_id":"cpi-1","ironic":{"url":"http://az2"}}`
	if err := s.Serve(t.Context(), strings.NewReader(`{"method":"has_vm","arguments":["v"],"context":`+given+`}`), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	want := []string{"has_vm", "cpi-1", "d-1", given}
	if diff := cmp.Diff(want, []string{got.Method, got.RequestID, got.Director, string(got.Context)}); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
}

// Whatever stands on stdin, one JSON document with three keys stands on stdout.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{``, `{`, `null`, `[]`, hasVM, `{"method":"create_vm","arguments":["a","s",{},{"n":{}},["d"],{}],"api_version":2}`, `{"method":"info","api_version":-1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		serve(t, &recorder{}, string(request))
	})
}
