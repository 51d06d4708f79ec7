//go:build integration

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/wait"
)

// The same requests to our conductor and to OpenStack Ironic, in one run. Ours is the whole daemon, on a SQLite file
// that is flushed to disk at every change; Ironic is one process, with a MariaDB beside it that never flushes and whose
// memory is not counted. The last list is of 10,000 nodes here, and of 1,000 there: that is what it has time for.

// An engine is one of the two.
type engine struct {
	name    string
	host    string           // HOST:PORT
	pid     func() int       // of the process that answers
	restart func() *exec.Cmd // ends the process if it runs, and makes another
	most    int              // nodes in its longest list
}

func BenchmarkConductor(b *testing.B) {
	engines := []*engine{ours(b), ironic(b)}
	each := func(name string, run func(*testing.B, *engine)) {
		for _, e := range engines {
			b.Run(name+"/"+e.name, func(b *testing.B) { run(b, e) })
		}
	}
	each("memory=idle", benchMemory)
	nodes := map[*engine][]string{}
	for _, e := range engines {
		nodes[e] = e.enrol(b, 1000)
	}
	benchReads(nodes, each)
	benchWrites(nodes, each)
	benchLives(nodes, each)
	for _, e := range engines {
		e.enrol(b, e.most-len(nodes[e]))
	}
	each("memory=nodes", benchMemory)
	each("list=all/default", func(b *testing.B, e *engine) { e.list(b, "/v1/nodes", e.most) })
	each("list=all/fields=8", func(b *testing.B, e *engine) { e.list(b, "/v1/nodes"+eight, e.most) })
	each("list=all/detail", func(b *testing.B, e *engine) { e.list(b, "/v1/nodes/detail", e.most) })
	each("memory=lists", benchMemory)
	each("create/clients=1", func(b *testing.B, e *engine) { hammer(b, e.host, 1, e.creations(), http.StatusCreated) })
	each("create/clients=4", func(b *testing.B, e *engine) { hammer(b, e.host, 4, e.creations(), http.StatusCreated) })
	b.Run("fsync", func(b *testing.B) { bareFsync(b, b.TempDir(), []byte(nodeText())) })
	each("start", benchStart) // last, because it ends what runs
}

// benchMemory reports the memory of the process, and the most that it was since it was last asked for.
func benchMemory(b *testing.B, e *engine) {
	var now, peak float64
	for b.Loop() {
		now, peak = memory(b, e.pid(), "VmRSS"), max(peak, memory(b, e.pid(), "VmHWM"))
	}
	b.ReportMetric(now, "MiB")
	b.ReportMetric(peak, "MiB-peak")
	const forgetPeak = "5" // proc_pid_clear_refs(5)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", e.pid()), []byte(forgetPeak), 0); err != nil {
		b.Fatal(err)
	}
}

// eight are the fields that a CPI asks for, or so.
const eight = "?fields=uuid,name,instance_uuid,provision_state,power_state,maintenance,resource_class,properties"

// benchReads has 1,000 nodes in each engine.
func benchReads(nodes map[*engine][]string, each func(string, func(*testing.B, *engine))) {
	for _, clients := range []int{1, 8} {
		each(fmt.Sprintf("show/clients=%d", clients), func(b *testing.B, e *engine) {
			hammer(b, e.host, clients, e.gets("/v1/nodes/%s", nodes[e]), http.StatusOK)
		})
	}
	each("states/clients=1", func(b *testing.B, e *engine) {
		hammer(b, e.host, 1, e.gets("/v1/nodes/%s/states", nodes[e]), http.StatusOK)
	})
	for _, l := range []struct{ name, path string }{
		{"default", "/v1/nodes"}, {"fields=8", "/v1/nodes" + eight}, {"detail", "/v1/nodes/detail"},
	} {
		each("list=1000/"+l.name, func(b *testing.B, e *engine) { e.list(b, l.path, 1000) })
	}
}

func benchWrites(nodes map[*engine][]string, each func(string, func(*testing.B, *engine))) {
	for _, clients := range []int{1, 4} {
		each(fmt.Sprintf("patch/clients=%d", clients), func(b *testing.B, e *engine) {
			hammer(b, e.host, clients, e.patches(nodes[e], `[{"op": "add", "path": "/extra/note", "value": "a node that was changed"}]`), http.StatusOK)
		})
	}
	const vm = "3f2c1a0b-5d6e-4f70-8a9b-0c1d2e3f4a5b"
	each("claim+unclaim/clients=1", func(b *testing.B, e *engine) {
		claim := e.patches(nodes[e], `[{"op": "add", "path": "/instance_uuid", "value": "`+vm+`"}]`)
		unclaim := e.patches(nodes[e], `[{"op": "remove", "path": "/instance_uuid"}]`)
		crowd(b, e.host, 1, func(c *caller, n int) error {
			if err := c.do(claim[n%len(claim)], io.Discard, http.StatusOK); err != nil {
				return err
			}
			return c.do(unclaim[n%len(unclaim)], io.Discard, http.StatusOK)
		})
	})
}

// benchLives deploys and undeploys fake hardware, one node and 20 at once.
func benchLives(nodes map[*engine][]string, each func(string, func(*testing.B, *engine))) {
	ready := map[*engine]bool{}
	for _, abreast := range []int{1, 20} {
		each(fmt.Sprintf("deploy/nodes=%d", abreast), func(b *testing.B, e *engine) {
			if !ready[e] {
				e.all(b, nodes[e][:20], "manage", "manageable")
				e.all(b, nodes[e][:20], "provide", "available")
				ready[e] = true
			}
			var up, down time.Duration
			rounds := 0
			for b.Loop() {
				up += e.all(b, nodes[e][:abreast], "active", "active")
				down += e.all(b, nodes[e][:abreast], "deleted", "available")
				rounds += abreast
			}
			b.ReportMetric(float64(rounds)/up.Seconds(), "deploys/s")
			b.ReportMetric(float64(rounds)/down.Seconds(), "undeploys/s")
		})
	}
}

// benchStart begins and ends the engine over and over.
func benchStart(b *testing.B, e *engine) {
	runtime.LockOSThread() // the kernel watches the thread that starts a process, not us
	defer runtime.UnlockOSThread()
	request := e.request(http.MethodGet, "/v1/nodes?limit=1", "")
	for b.Loop() {
		b.StopTimer()
		process := e.restart()
		process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		b.StartTimer()
		if err := process.Start(); err != nil {
			b.Fatal(err)
		}
		err := wait.Until(b.Context(), wait.Pace{Every: time.Millisecond, Limit: time.Minute}, e.name, func(context.Context) (bool, string, error) {
			conn, err := net.Dial("tcp", e.host)
			if err != nil {
				return false, err.Error(), nil
			}
			defer conn.Close()
			err = newCaller(conn).do(request, io.Discard, http.StatusOK)
			return err == nil, fmt.Sprint(err), nil
		})
		b.StopTimer()
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// ours starts the daemon with all its parts.
func ours(b *testing.B) *engine {
	host := backend.FreeAddress()
	d := backend.StartDaemon(b, map[string]any{"conductor": map[string]any{"enabled": true, "listen": []any{"http://" + host}}})
	program := backend.DaemonProgram(b)
	return &engine{name: "conductor", host: host, pid: d.PID, most: 10000, restart: func() *exec.Cmd {
		_ = d.Stop()
		return exec.Command(program, "-config", d.Config)
	}}
}

// ironic starts OpenStack Ironic. Its process is known from the file that bin/ironic-up writes.
func ironic(b *testing.B) *engine {
	if backend.Kind() != "ironic" {
		b.Skip("compares with Ironic itself")
	}
	up := backend.Start(b)
	text, err := os.ReadFile(filepath.Join(up.Dir, "run", "ironic.pid"))
	if err != nil {
		b.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		b.Fatal(err)
	}
	e := &engine{name: "ironic", host: strings.TrimPrefix(up.Direct, "http://"), pid: func() int { return pid }, most: 1000}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		b.Fatal(err)
	}
	args := strings.Split(strings.TrimRight(string(command), "\x00"), "\x00")
	e.restart = func() *exec.Cmd {
		if pid != 0 {
			end(b, pid)
			pid = 0 // somebody else's, soon
		}
		return exec.Command(args[0], args[1:]...)
	}
	return e
}

// end ends a process that is not our child, and waits for that.
func end(b *testing.B, pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	pace := wait.Pace{Every: 10 * time.Millisecond, Limit: 10 * time.Second}
	err := wait.Until(b.Context(), pace, "Ironic to end", func(context.Context) (bool, string, error) {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return err != nil, "", nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// request is a whole HTTP request.
func (e *engine) request(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nX-OpenStack-Ironic-API-Version: 1.82\r\nAccept: application/json\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, e.host, len(body), body)
}

// gets are requests for each node; path has %s where its UUID goes.
func (e *engine) gets(path string, nodes []string) [][]byte {
	all := make([][]byte, len(nodes))
	for i, uuid := range nodes {
		all[i] = e.request(http.MethodGet, fmt.Sprintf(path, uuid), "")
	}
	return all
}

func (e *engine) patches(nodes []string, patch string) [][]byte {
	all := make([][]byte, len(nodes))
	for i, uuid := range nodes {
		all[i] = e.request(http.MethodPatch, "/v1/nodes/"+uuid, patch)
	}
	return all
}

func (e *engine) creations() [][]byte {
	return [][]byte{e.request(http.MethodPost, "/v1/nodes", nodeText())}
}

// nodeText is a node with as much about it as operators write: some 2 KB.
func nodeText() string {
	labels := map[string]any{}
	for i := range 12 {
		labels[fmt.Sprintf("label-%02d", i)] = fmt.Sprintf("what the operator wants to remember, %d", i)
	}
	text, _ := json.Marshal(map[string]any{
		"driver": "fake-hardware", "deploy_interface": "fake", "resource_class": "baremetal.large", "description": "rack 12, unit 7",
		"properties": map[string]any{
			"cpus": 64, "memory_mb": 524288, "local_gb": 1788, "cpu_arch": "x86_64", "vendor": "A vendor of servers",
			"capabilities": "boot_mode:uefi,secure_boot:true,cpu_vt:true,cpu_aes:true,cpu_hugepages:true,cpu_hugepages_1g:true",
			"root_device":  map[string]any{"wwn": "0x5000c500d5e8a3f1", "serial": "S4CNNA0R600123", "rotational": false},
		},
		"driver_info": map[string]any{
			"ipmi_address": "10.20.30.40", "ipmi_username": "operator", "ipmi_password": "not that secret", "ipmi_cipher_suite": "17",
			"deploy_kernel":  "https://images.example.org/deploy/ipa-centos9-stable-2023.1.kernel",
			"deploy_ramdisk": "https://images.example.org/deploy/ipa-centos9-stable-2023.1.initramfs",
		},
		"extra": map[string]any{
			"location": map[string]any{"site": "fra-3", "room": "2.14", "rack": "12", "unit": 7}, "asset": "A-0018273645",
			"purchased": "2024-03-18", "warranty": "2029-03-17", "labels": labels,
			"networks": []any{"provisioning", "tenant-blue", "tenant-green", "storage-front", "storage-back"},
		},
	})
	return string(text)
}

// enrol makes n nodes, several at once, and returns their UUIDs.
func (e *engine) enrol(b *testing.B, n int) []string {
	b.Helper()
	request := e.creations()[0]
	uuids, errs := make([]string, max(n, 0)), make([]error, 16)
	var all sync.WaitGroup
	for worker := range errs {
		all.Go(func() {
			c, err := dial(e.host)
			if err != nil {
				errs[worker] = err
				return
			}
			defer c.conn.Close()
			for i := worker; i < n && errs[worker] == nil; i += len(errs) {
				var answer bytes.Buffer
				var made struct{ UUID string }
				if err := c.do(request, &answer, http.StatusCreated); err != nil {
					errs[worker] = err
				} else if errs[worker] = json.Unmarshal(answer.Bytes(), &made); errs[worker] == nil {
					uuids[i] = made.UUID
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
	return uuids
}

// list goes through a list of n nodes page by page; it may have more by now.
func (e *engine) list(b *testing.B, path string, n int) {
	c, err := dial(e.host)
	if err != nil {
		b.Fatal(err)
	}
	defer c.conn.Close()
	var size int
	var page bytes.Buffer
	for b.Loop() {
		size = 0
		next := path
		for seen := 0; seen < n; seen += 1000 {
			page.Reset()
			if err := c.do(e.request(http.MethodGet, next, ""), &page, http.StatusOK); err != nil {
				b.Fatal(err)
			}
			size += page.Len()
			next = nextPage(page.Bytes(), e.host)
		}
	}
	b.ReportMetric(float64(size)/1e6, "MB")
}

// nextPage is the path in a list's link to the page after it.
func nextPage(page []byte, host string) string {
	i := bytes.LastIndex(page, []byte(`"next"`))
	if i < 0 {
		return ""
	}
	var link string
	text := bytes.TrimLeft(page[i+len(`"next"`):], ": ")
	_ = json.NewDecoder(bytes.NewReader(text)).Decode(&link)
	_, path, _ := strings.Cut(link, host)
	return path
}

// all sends a verb to all nodes at once and waits until they rest in the state, and returns how long that took.
func (e *engine) all(b *testing.B, nodes []string, verb, state string) time.Duration {
	b.Helper()
	callers := make([]*caller, len(nodes))
	for i := range callers {
		c, err := dial(e.host)
		if err != nil {
			b.Fatal(err)
		}
		defer c.conn.Close()
		callers[i] = c
	}
	begun := time.Now()
	var sent sync.WaitGroup
	for i, uuid := range nodes {
		sent.Go(func() {
			request := e.request(http.MethodPut, "/v1/nodes/"+uuid+"/states/provision", `{"target": "`+verb+`"}`)
			if err := callers[i].do(request, io.Discard, http.StatusAccepted); err != nil {
				b.Error(err)
			}
		})
	}
	sent.Wait()
	for _, uuid := range nodes {
		e.settle(b, callers[0], begun, uuid, state)
	}
	return time.Since(begun)
}

// settle asks for a node until it rests in the state. It asks the more seldom the longer it takes: asking is work for
// the engine, too.
func (e *engine) settle(b *testing.B, c *caller, begun time.Time, uuid, state string) {
	request := e.request(http.MethodGet, "/v1/nodes/"+uuid+"?fields=provision_state,reservation,last_error", "")
	for {
		var answer bytes.Buffer
		var n struct {
			State       string  `json:"provision_state"`
			Reservation *string `json:"reservation"`
			LastError   *string `json:"last_error"`
		}
		if err := c.do(request, &answer, http.StatusOK); err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(answer.Bytes(), &n); err != nil {
			b.Fatal(err)
		}
		taken := time.Since(begun)
		switch {
		case n.State == state && n.Reservation == nil:
			return
		case n.LastError != nil || taken > time.Minute:
			b.Fatalf("node %s is %s after %v: %s", uuid, n.State, taken, answer.Bytes())
		}
		if err := wait.Pause(b.Context(), max(taken/10, 500*time.Microsecond)); err != nil {
			b.Fatal(err)
		}
	}
}
