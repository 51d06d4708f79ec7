package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	operators "bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
)

const (
	stateNode = "00000000-0000-4000-8000-000000000001"
	stateMAC  = "52:54:00:00:00:01"
)

// laptop is the database that create-env leaves: the Director's server, and one that is free.
func laptop(t *testing.T, key []byte, more ...*conductor.Node) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.sqlite")
	change(t, path, key, func(tx conductor.Tx) error {
		document := vm(cid1, "ready")
		nodes := append([]*conductor.Node{
			{
				UUID: stateNode, Name: "director", InstanceUUID: cid1, Driver: "fake-hardware", ProvisionState: baremetal.Active, PowerState: baremetal.PowerOn,
				ResourceClass: "large", Reservation: "laptop", Details: conductor.Details{
					DriverInfo: conductor.NewObject(map[string]any{"ipmi_password": "hunter2"}), Extra: conductor.NewObject(map[string]any{"bosh_cpi": document}),
				},
			},
			{UUID: "00000000-0000-4000-8000-000000000002", Name: "free", Driver: "fake-hardware", ProvisionState: baremetal.Available, PowerState: baremetal.PowerOff, ResourceClass: "large"},
		}, more...)
		for _, n := range nodes {
			if err := tx.PutNode(n); err != nil {
				return err
			}
		}
		return conductor.Put(tx, &conductor.Port{UUID: "00000000-0000-4000-8000-000000000101", NodeUUID: stateNode, Address: stateMAC, PXEEnabled: true})
	})
	return path
}

// change does something to a database.
func change(t *testing.T, path string, key []byte, act func(conductor.Tx) error) {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func keyFile(t *testing.T, letter string) (path string, key []byte) {
	t.Helper()
	key = []byte(strings.Repeat(letter, 32))
	path = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, key
}

// From the laptop to the Director: there its own server is active, held by its VM, and not to be had.
func TestStateHandOver(t *testing.T) {
	from, folder := laptop(t, nil), t.TempDir()
	file, to := filepath.Join(folder, "state.jsonl"), filepath.Join(folder, "conductor.sqlite")
	key, _ := keyFile(t, "k")
	r := tell(t, "", "state", "export", "--database", from, "-f", file).want(t, exitDone,
		file+": 2 nodes and 1 other records", "driver_info of 1 nodes, with its passwords, is in the clear there")
	if r.out != "" {
		t.Errorf("stdout: %s", r.out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v; want mode 0600", info, err)
	}
	tell(t, "", "state", "import", "--database", to, "--key-file", key, "-f", file).
		want(t, exitDone, "2 nodes; 1 other records imported, 0 were here already").
		shows(t, "director  active           imported", "free      available        imported")
	tell(t, "", "state", "import", "--database", to, "--key-file", key, "-f", file, "-o", "json").
		want(t, exitDone).shows(t, `"result": "exists"`, `"records": 0`, `"records_exist": 1`)
	database, err := os.ReadFile(to)
	if err != nil || strings.Contains(string(database), "hunter2") {
		t.Errorf("%v: the Director's database has the password in the clear", err)
	}

	url := serve(t, to, key)
	tell(t, "", "--url", url, "claims").want(t, exitDone).shows(t, "director", cid1)
	tell(t, "", "--url", url, "node", "show", "director", "-o", "json").want(t, exitDone).
		shows(t, `"provision_state": "active"`, `"instance_uuid": "`+cid1+`"`, `"reservation": ""`, stateMAC, stateNode)
	patch := `[{"op": "replace", "path": "/instance_uuid", "value": "` + cid2 + `"}]`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url+"/v1/nodes/director", strings.NewReader(patch))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusConflict {
		t.Errorf("somebody else's claim on the Director's server: %s; want 409", answer.Status)
	}
	tell(t, "", "--url", url, "node", "delete", "director").want(t, exitFailed)
	tell(t, "", "--url", url, "node", "list", "--provision-state", "available", "-o", "name").want(t, exitDone).shows(t, "free")
}

// serve runs a conductor's API on a database.
func serve(t *testing.T, path, keyFile string) string {
	t.Helper()
	for _, name := range []string{"IRONIC_URL", "OS_ENDPOINT", "IRONIC_USERNAME", "IRONIC_PASSWORD", "IRONIC_TOKEN", "OS_TOKEN", "OS_CACERT"} {
		t.Setenv(name, "")
	}
	key, err := store.KeyFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.Open(t.Context(), path, store.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	engine, err := conductor.New(conductor.Config{Hostname: "director", Store: kept, Drivers: all.Table()})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	server := httptest.NewServer(operators.New(operators.Config{Conductor: engine}).Operators())
	t.Cleanup(server.Close)
	return server.URL
}

// From one database right into another, by a pipe.
func TestStateThroughAPipe(t *testing.T) {
	t.Setenv(databaseVariable, laptop(t, nil))
	r := tell(t, "", "state", "export").want(t, exitDone, "standard output: 2 nodes")
	if !strings.Contains(r.out, "hunter2") {
		t.Errorf("stdout: %s", r.out)
	}
	to := filepath.Join(t.TempDir(), "to")
	tell(t, r.out, "state", "import", "--database", to, "-f", "-", "-o", "name").
		want(t, exitDone, "warning: without --key-file").shows(t, "director\nfree\n")
}

func TestStateSealed(t *testing.T) {
	key, bytes := keyFile(t, "k")
	other, _ := keyFile(t, "o")
	from, folder := laptop(t, bytes), t.TempDir()
	file := filepath.Join(folder, "sealed")
	r := tell(t, "", "state", "export", "--database", from, "--sealed", "-f", file).want(t, exitDone)
	if strings.Contains(r.err, "clear") {
		t.Errorf("nothing is in the clear: %s", r.err)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("%v: the sealed file says the password:\n%s", err, text)
	}
	tell(t, "", "state", "export", "--database", from, "-f", filepath.Join(folder, "clear")).want(t, exitFailed, "is sealed: give the key file")
	if _, err := os.Stat(filepath.Join(folder, "clear")); !os.IsNotExist(err) {
		t.Errorf("a failed export leaves a file: %v", err)
	}
	to := filepath.Join(folder, "to")
	tell(t, "", "state", "import", "--database", to, "-f", file).want(t, exitFailed, "nothing was imported", "give the key file")
	tell(t, "", "state", "import", "--database", to, "-f", file, "--key-file", other).want(t, exitFailed, "was sealed with another key")
	tell(t, "", "state", "import", "--database", to, "-f", file, "--key-file", key).want(t, exitDone)
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v; want the file and the database", left, err)
	}
}

func TestStateUnderWay(t *testing.T) {
	busy := &conductor.Node{UUID: "00000000-0000-4000-8000-000000000003", Name: "busy", ProvisionState: baremetal.Cleaning, TargetProvisionState: baremetal.Available}
	from := laptop(t, nil, busy)
	to := filepath.Join(t.TempDir(), "to")
	file := tell(t, "", "state", "export", "--database", from).want(t, exitDone, "node busy ("+busy.UUID+") is on its way to another state").out
	tell(t, file, "state", "import", "--database", to).want(t, exitFailed, "node busy ("+busy.UUID+") is in state cleaning", "hint: ", "--force")
	r := tell(t, file, "state", "import", "--database", to, "--force", "-o", "json").want(t, exitDone)
	var got importAnswer
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if last := got.Nodes[len(got.Nodes)-1]; last.Result != store.Failed || last.ProvisionState != baremetal.CleanFailed {
		t.Errorf("busy: %+v", last)
	}
	change(t, to, nil, func(tx conductor.Tx) error {
		n, err := tx.Node("free")
		if err != nil {
			return err
		}
		n.Owner = "somebody"
		return tx.PutNode(n)
	})
	tell(t, file, "state", "import", "--database", to, "--force").want(t, exitFailed, "node free (", "conflicts with what is here: owner", "hint: decide")
}

func TestStateMistakes(t *testing.T) {
	t.Setenv(databaseVariable, "")
	folder := t.TempDir()
	there := laptop(t, nil)
	short := filepath.Join(folder, "short")
	if err := os.WriteFile(short, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args string
		want string
	}{
		{"export", "which database?"},
		{"import", "which database?"},
		{"export --database " + folder + "/none", "no such file"},
		{"export --database postgres://u:hunter2@host/db", "everybody on this machine can read a password on the command line"},
		{"export --database postgres://host/db?password=hunter2", "everybody on this machine can read a password on the command line"},
		{"export --database postgres://%zz:hunter2@host", "the URL makes no sense"},
		{"export --database " + there + " --key-file " + short, "short has 1 bytes, and 32 are needed"},
		{"export --database " + there + " -f " + folder, "is not a plain file"},
		{"export --database " + there + " -f " + folder + "/no/folder", "no such file"},
		{"import --database " + folder + "/to -f " + folder + "/none", "no such file"},
		{"import --database " + folder + "/to", "its end is missing"},
	}
	for _, tt := range tests {
		r := tell(t, "", append([]string{"state"}, strings.Fields(tt.args)...)...).want(t, exitWrong, tt.want)
		if strings.Contains(r.err, "hunter2") {
			t.Errorf("%s: the password is told: %s", tt.args, r.err)
		}
	}
	if _, err := os.Stat(folder + "/none"); !os.IsNotExist(err) {
		t.Errorf("export made a database: %v", err)
	}
}
