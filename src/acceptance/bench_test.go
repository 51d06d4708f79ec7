//go:build integration

package acceptance

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
)

// usage adds up what finished processes cost.
type usage struct {
	cpu  time.Duration
	peak int64 // KiB, the largest
}

func (u *usage) add(state *os.ProcessState) {
	u.cpu += state.UserTime() + state.SystemTime()
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.peak = max(u.peak, r.Maxrss)
	}
}

// ask runs the program once with the request in file and adds what that cost.
func (u *usage) ask(b *testing.B, program, configuration, file string) answer {
	b.Helper()
	in, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(program, "-configPath", configuration)
	cmd.Stdin = in
	out, err := cmd.Output()
	a := decode[answer](b, out)
	if err != nil || a.Error != nil {
		b.Fatalf("%v: %s", err, out)
	}
	u.add(cmd.ProcessState)
	return a
}

func (u *usage) report(b *testing.B) {
	b.ReportMetric(float64(u.cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(u.peak)/1024, "peak-MiB")
}

// release builds the program as operators run it.
func release(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "ironic_cpi")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "bosh-ironic-cpi/src/cmd/ironic_cpi")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// One has_vm, from fork to exit, asked of a real Ironic without a proxy in between.
func BenchmarkHasVM(b *testing.B) {
	engine := backend.Start(b)
	d := newDirector(b, engine, map[string]any{"ironic": map[string]any{"url": engine.Direct}, "log_level": "info"})
	d.node(backend.NodeSpec{Deploy: "fake", Properties: twoDisks})
	cid, _ := d.createVM(vmSpec{})
	request, err := json.Marshal(map[string]any{
		"method": "has_vm", "arguments": []any{cid}, "api_version": 2, "context": map[string]any{"director_uuid": d.uuid},
	})
	if err != nil {
		b.Fatal(err)
	}
	file, path := filepath.Join(b.TempDir(), "request"), release(b)
	if err := os.WriteFile(file, request, 0o600); err != nil {
		b.Fatal(err)
	}
	configuration := d.writeConfig()
	var u usage
	for b.Loop() {
		if a := u.ask(b, path, configuration, file); string(a.Result) != "true" {
			b.Fatalf("has_vm = %s", a.Result)
		}
	}
	u.report(b)
}

// A stemcell of IMAGE_MIB (2048), half of which does not compress, into a real nginx; and beside it, in the same
// run, what a shell would do: tar -xzO | curl -T.
func BenchmarkCreateStemcell(b *testing.B) {
	size := int64(2048)
	if text := os.Getenv("IMAGE_MIB"); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	size <<= 20
	large := filepath.Join(b.TempDir(), "image")
	writeLargeImage(b, large, size)
	d := newDirector(b, backend.Start(b), map[string]any{"log_level": "info"})
	d.config["repository"].(map[string]any)["stemcells"] = map[string]any{"url": direct(d.webdav, d.webdav.Images)}

	b.Run("ironic_cpi", func(b *testing.B) {
		p := properties()
		p["disk_format"] = "raw"
		request, err := json.Marshal(map[string]any{
			"method": "create_stemcell", "arguments": []any{large, p}, "api_version": 2, "context": map[string]any{"director_uuid": d.uuid},
		})
		if err != nil {
			b.Fatal(err)
		}
		file, path, configuration := filepath.Join(b.TempDir(), "request"), release(b), d.writeConfig()
		if err := os.WriteFile(file, request, 0o600); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
		var u usage
		for b.Loop() {
			a := u.ask(b, path, configuration, file)
			b.StopTimer()
			d.must("delete_stemcell", decode[string](b, a.Result)) // or the next one finds it there
			b.StartTimer()
		}
		u.report(b)
	})
	b.Run("tar-curl", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			cmd := exec.Command("bash", "-c", `set -o pipefail; tar -xzOf "$0" root.img | curl -sSf -T - "$1"`, large, direct(d.webdav, d.webdav.Images)+"by-hand.img")
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	})
}

// direct is the address of a WebDAV folder past the proxy.
func direct(w *backend.WebDAV, url string) string { return w.Direct + url[len(w.URL):] }

// writeLargeImage writes an archive with a raw image: blocks of zeroes, text and noise in turn.
func writeLargeImage(b *testing.B, path string, size int64) {
	b.Helper()
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		b.Fatal(err)
	}
	pack := tar.NewWriter(zip)
	if err := pack.WriteHeader(&tar.Header{Name: "root.img", Mode: 0o644, Size: size}); err != nil {
		b.Fatal(err)
	}
	noise := rand.NewChaCha8([32]byte{7})
	block := make([]byte, 1<<20)
	for written := int64(0); written < size; written += int64(len(block)) {
		clear(block)
		half := block[:len(block)/2]
		if _, err := noise.Read(half); err != nil {
			b.Fatal(err)
		}
		if _, err := pack.Write(block[:min(int64(len(block)), size-written)]); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []io.Closer{pack, zip, out} {
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// How long create_vm and delete_vm go on after Ironic has come to its own end, which is when it last changed the
// node's state.
func BenchmarkLagBehindIronic(b *testing.B) {
	d := newDirector(b, backend.Start(b), map[string]any{"log_level": "info"})
	delete(d.config["ironic"].(map[string]any), "poll_first") // as operators have it
	delete(d.config["ironic"].(map[string]any), "poll_every")
	node := d.node(backend.NodeSpec{})
	v := vmSpec{stemcell: d.stemcell()}
	lag := func(total *time.Duration) {
		text, _ := d.backend.Node(b, node)["provision_updated_at"].(string)
		end, err := time.Parse(time.RFC3339, text)
		if err != nil {
			b.Fatal(err)
		}
		*total += time.Since(end)
	}
	var create, remove time.Duration
	for b.Loop() {
		cid, _ := d.createVM(v)
		lag(&create)
		d.must("delete_vm", cid)
		lag(&remove)
	}
	// Ironic tells whole seconds: half of one is added on average.
	b.ReportMetric(create.Seconds()/float64(b.N)-0.5, "s-after-active")
	b.ReportMetric(remove.Seconds()/float64(b.N)-0.5, "s-after-available")
}
