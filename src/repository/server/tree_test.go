package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/repository/repositorytest"
	"bosh-ironic-cpi/src/repository/server"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/wait"
)

// start serves a tree named images, and returns its address and its directory.
func start(t testing.TB, c server.TreeConfig) (base, dir string) {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	c.Name = "images"
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	tree, err := server.NewTree(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(tree)
	t.Cleanup(func() {
		h.Close()
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.URL + "/images", c.Dir
}

func users(t *testing.T, name, password string) *httpauth.Users {
	t.Helper()
	u, err := httpauth.New(httpauth.User{Name: name, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ask sends a request; headers are pairs.
func ask(t testing.TB, method, url, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func want(t testing.TB, method, url, body string, status int, headers ...string) string {
	t.Helper()
	got, answer, _ := ask(t, method, url, body, headers...)
	if got != status {
		t.Errorf("%s %s: %d %.200s; want %d", method, url, got, answer, status)
	}
	return answer
}

// Our own client finds here all that it wants of a store, and readers never see a file vanish.
func TestOurClient(t *testing.T) {
	base, dir := start(t, server.TreeConfig{Users: users(t, "cpi", "p@ss")})
	stores := 0
	repositorytest.Run(t, repositorytest.Rig{
		ReplacesAtOnce: true,
		Open: func(t *testing.T) (repository.Store, string) {
			stores++
			name := fmt.Sprint("store-", stores)
			w, err := repository.NewWebDAV(repository.WebDAVConfig{URL: base + "/" + name, Username: "cpi", Password: secret.New("p@ss")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Close)
			return w, filepath.Join(dir, name)
		},
	})
}

func TestPutAndGet(t *testing.T) {
	base, dir := start(t, server.TreeConfig{})
	file := base + "/a/b/f.txt"
	want(t, "PUT", file, "first", 201)
	status, _, head := ask(t, "PUT", file, "second", "Content-Type", "text/plain")
	if status != 204 {
		t.Errorf("replacing: %d; want 204", status)
	}
	tag := head.Get("ETag")
	status, body, head := ask(t, "GET", file, "")
	if status != 200 || body != "second" || head.Get("ETag") != tag || head.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("GET: %d %s %v; PUT said ETag %s", status, body, head, tag)
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b/f.txt")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("on disk: %v, %v", info, err)
	}
	want(t, "HEAD", file, "", 200)
	want(t, "GET", file, "", 304, "If-None-Match", tag)
	if got := want(t, "GET", file, "", 206, "Range", "bytes=2-3"); got != "co" {
		t.Errorf("range 2-3: %s", got)
	}
	if got := want(t, "GET", file, "", 206, "Range", "bytes=-4"); got != "cond" {
		t.Errorf("the last four bytes: %s", got)
	}
	if got := want(t, "GET", file, "", 206, "Range", "bytes=0-0,2-2"); !strings.Contains(got, "Content-Range: bytes 2-2/6") {
		t.Errorf("two ranges: %s", got)
	}
	want(t, "GET", file, "", 416, "Range", "bytes=100-")
	if got := want(t, "GET", file, "", 200, "Range", "bytes=2-3", "If-Range", `"other"`); got != "second" {
		t.Errorf("a range of what has changed: %s", got)
	}
	want(t, "GET", base+"/none", "", 404)
	want(t, "GET", file+"/below", "", 404)
	want(t, "PUT", file+"/below", "x", 409)
	want(t, "PUT", base+"/a", "x", 409)
	want(t, "PUT", base+"/a/", "x", 409)
	want(t, "PUT", base+"/", "x", 403)
	want(t, "PUT", file, "part", 400, "Content-Range", "bytes 0-3/6")
	want(t, "POST", file, "x", 405)
	want(t, "DELETE", base+"/", "", 403)
	want(t, "DELETE", base+"/a", "", 204)
	want(t, "DELETE", base+"/a/", "", 404)
	want(t, "PUT", base+"/empty", "", 201)
	if got := want(t, "GET", base+"/empty", "", 200); got != "" {
		t.Errorf("an empty file holds %q", got)
	}
}

func TestConditions(t *testing.T) {
	base, _ := start(t, server.TreeConfig{})
	file := base + "/f"
	want(t, "PUT", file, "x", 412, "If-Match", "*")
	_, _, head := ask(t, "PUT", file, "one", "If-None-Match", "*")
	tag := head.Get("ETag")
	want(t, "PUT", file, "two", 412, "If-None-Match", "*")
	want(t, "PUT", file, "two", 412, "If-Match", `"other"`)
	want(t, "DELETE", file, "", 412, "If-Match", `"other"`)
	if got := want(t, "GET", file, "", 200); got != "one" {
		t.Errorf("GET = %s", got)
	}
	want(t, "PUT", file, "two", 204, "If-Match", tag)
	want(t, "PUT", file, "three", 412, "If-Match", tag)
	_, _, head = ask(t, "HEAD", file, "")
	want(t, "DELETE", file, "", 204, "If-Match", head.Get("ETag"))
}

// Of many who saw the same file, one may replace it.
func TestConditionsAtOnce(t *testing.T) {
	base, _ := start(t, server.TreeConfig{})
	_, _, head := ask(t, "PUT", base+"/f", "0")
	var all sync.WaitGroup
	var won atomic.Int32
	for i := range 20 {
		all.Go(func() {
			if status, _, _ := ask(t, "PUT", base+"/f", fmt.Sprint(i), "If-Match", head.Get("ETag")); status == 204 {
				won.Add(1)
			} else if status != 412 {
				t.Errorf("PUT: %d", status)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d PUTs won; want one", won.Load())
	}
}

// Writers of one file do not lock each other out, and a reader sees one of their contents, whole.
func TestWritersAtOnce(t *testing.T) {
	base, _ := start(t, server.TreeConfig{})
	content := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), 200_000) }
	want(t, "PUT", base+"/f", content(0), 201)
	done := make(chan struct{})
	var reading, writing sync.WaitGroup
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := want(t, "GET", base+"/f", "", 200); len(got) != 200_000 || strings.Trim(got, got[:1]) != "" {
					t.Errorf("a mixture was read: %d bytes", len(got))
					return
				}
			}
		})
	}
	for i := range 8 {
		writing.Go(func() {
			for range 5 {
				want(t, "PUT", base+"/f", content(i), 204)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
}

func TestWhoMayWhat(t *testing.T) {
	key, err := signedurl.NewKey(secret.New(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	const writer, reader, wrong = "Basic d3JpdGVyOnc=", "Basic cmVhZGVyOnI=", "Basic d3JpdGVyOng="
	for _, anyone := range []bool{false, true} {
		base, _ := start(t, server.TreeConfig{
			Users: users(t, "writer", "w"), Readers: users(t, "reader", "r"), AnyoneMayRead: anyone, Key: key, Listing: true,
		})
		want(t, "PUT", base+"/f", "text", 201, "Authorization", writer)
		signed := func(path string, end time.Time) string {
			u, err := url.Parse(base + path)
			if err != nil {
				t.Fatal(err)
			}
			key.Sign(u, end)
			return u.String()
		}
		good, late := signed("/f", time.Now().Add(time.Hour)), signed("/f", time.Now().Add(-time.Second))
		open := map[bool]int{false: 401, true: 200}[anyone]
		late403 := map[bool]int{false: 403, true: 200}[anyone]
		tests := []struct {
			method, url, authorization string
			status                     int
		}{
			{"GET", base + "/f", "", open},
			{"GET", base + "/f", wrong, open},
			{"GET", base + "/none", "", map[bool]int{false: 401, true: 404}[anyone]},
			{"GET", base + "/f", writer, 200},
			{"GET", base + "/f", reader, 200},
			{"HEAD", good, "", 200},
			{"GET", good, "", 200},
			{"GET", good + "0", "", late403},
			{"GET", late, "", late403},
			{"GET", strings.Replace(good, "/f?", "/g?", 1), "", map[bool]int{false: 403, true: 404}[anyone]},
			{"PUT", good, "", 401},
			{"DELETE", good, "", 401},
			{"PROPFIND", good, "", map[bool]int{false: 401, true: 207}[anyone]},
			{"PUT", base + "/g", "", 401},
			{"PUT", base + "/g", wrong, 401},
			{"PUT", base + "/g", reader, map[bool]int{false: 403, true: 403}[anyone]},
			{"LOCK", base + "/f", reader, 403},
			{"DELETE", base + "/f", reader, 403},
			{"MOVE", base + "/f", "", 401},
			{"PROPPATCH", base + "/f", reader, 403},
			{"OPTIONS", base + "/", "", 200},
			{"BREW", base + "/f", "", 401},
			{"BREW", base + "/f", writer, 405},
			{"PROP", base + "/f", writer, 405},
		}
		for _, tt := range tests {
			status, _, head := ask(t, tt.method, tt.url, "", "Authorization", tt.authorization, "Depth", "0")
			if status != tt.status || status == 401 && head.Get("WWW-Authenticate") == "" {
				t.Errorf("anyone %v: %s %s with %q: %d; want %d", anyone, tt.method, tt.url, tt.authorization, status, tt.status)
			}
		}
	}
}

func TestNames(t *testing.T) {
	base, dir := start(t, server.TreeConfig{Listing: true})
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out": outside, "file": filepath.Join(outside, "secret"), "in": "inside"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "PUT", base+"/inside/f", "x", 201)
	want(t, "GET", base+"/in/f", "", 200)
	for _, path := range []string{"/out/secret", "/file", "/out/"} {
		if status, body, _ := ask(t, "GET", base+path, ""); status < 400 || strings.Contains(body, "hunter2") {
			t.Errorf("GET %s leads out: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/out/new", "/file"} {
		ask(t, "PUT", base+path, "changed")
		ask(t, "DELETE", base+"/out/secret", "")
	}
	if text, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(text) != "hunter2" {
		t.Errorf("outside: %s, %v", text, err)
	}
	for _, name := range []string{"with space", "ü-日本", "%25", "a+b", "x%23y", "%2e%2e%2e", strings.Repeat("l", 255), "-dash", "a&b;c"} {
		want(t, "PUT", base+"/names/"+name, name, 201)
		if got := want(t, "GET", base+"/names/"+name, "", 200); got != name {
			t.Errorf("%s holds %s", name, got)
		}
	}
	for _, path := range []string{
		"/a/../b", "/%2e%2e/x", "/..%2f..%2fetc/passwd", "/a//b", "/x%00y", "/" + strings.Repeat("l", 256), "/./x", "/.uploads/x", "/.uploads",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE", "MKCOL", "PROPFIND"} {
			if status := raw(t, method, base, path); status != 400 && status != 301 {
				t.Errorf("%s %s: %d; want 400", method, path, status)
			}
		}
	}
	if listing := want(t, "GET", base+"/", "", 200); strings.Contains(listing, ".uploads") || !strings.Contains(listing, `<a href="/images/inside/">inside/</a>`) {
		t.Errorf("the list shows\n%s", listing)
	}
	if props := want(t, "PROPFIND", base+"/", "", 207, "Depth", "1"); strings.Contains(props, ".uploads") || !strings.Contains(props, "/images/inside/") {
		t.Errorf("PROPFIND shows\n%s", props)
	}
	want(t, "MOVE", base+"/inside/f", "", 400+3, "Destination", base+"/.uploads/f")
}

// raw sends a path as it stands.
func raw(t *testing.T, method, base, path string) int {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	req := &http.Request{Method: method, URL: &url.URL{Scheme: "http", Host: u.Host, Opaque: "//" + u.Host + u.Path + path}, Header: http.Header{"Depth": {"0"}}}
	resp, err := http.DefaultTransport.RoundTrip(req.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestFolders(t *testing.T) {
	for _, listing := range []bool{false, true} {
		base, _ := start(t, server.TreeConfig{Listing: listing})
		want(t, "MKCOL", base+"/x", "", 201)
		want(t, "MKCOL", base+"/x", "", 405)
		want(t, "MKCOL", base+"/a/b", "", 409)
		want(t, "MKCOL", base+"/y", "body", 415)
		want(t, "HEAD", base+"/x/", "", 200) // the CPI of 2016 asks this
		want(t, "HEAD", base+"/z/", "", 404)
		want(t, "PUT", base+"/x/<b>", "x", 201)
		body := want(t, "GET", base+"/x/", "", map[bool]int{false: 403, true: 200}[listing])
		if strings.Contains(body, "&lt;b&gt;") != listing || strings.Contains(body, "<b>") {
			t.Errorf("listing %v: %s", listing, body)
		}
		want(t, "DELETE", base+"/x/", "", 204)
	}
}

func TestMoveAndCopy(t *testing.T) {
	base, dir := start(t, server.TreeConfig{})
	elsewhere := "http://proxy.example:80/images" // the host is that of whoever stands before us
	want(t, "PUT", base+"/f", "one", 201)
	want(t, "PUT", base+"/g", "two", 201)
	want(t, "COPY", base+"/f", "", 412, "Destination", base+"/g", "Overwrite", "F")
	want(t, "COPY", base+"/f", "", 204, "Destination", elsewhere+"/g")
	want(t, "COPY", base+"/f", "", 201, "Destination", base+"/h%20i")
	want(t, "COPY", base+"/f", "", 409, "Destination", base+"/no/folder")
	want(t, "MOVE", base+"/f", "", 409, "Destination", base+"/no/folder")
	want(t, "MOVE", base+"/f", "", 204, "Destination", base+"/g")
	want(t, "MOVE", base+"/f", "", 404, "Destination", base+"/g")
	want(t, "MKCOL", base+"/d", "", 201)
	want(t, "PUT", base+"/d/x", "x", 201)
	want(t, "MOVE", base+"/d", "", 403, "Destination", base+"/d/e")
	want(t, "COPY", base+"/d", "", 403, "Destination", base+"/d/e")
	want(t, "COPY", base+"/d", "", 201, "Destination", base+"/e")
	want(t, "MOVE", base+"/d", "", 204, "Destination", base+"/g")      // a folder for a file
	want(t, "MOVE", base+"/h%20i", "", 204, "Destination", base+"/e/") // a file for a folder
	want(t, "MOVE", base+"/g/x", "", 502, "Destination", "/metadata/x")
	if got := want(t, "GET", base+"/g/x", "", 200); got != "x" {
		t.Errorf("moved: %s", got)
	}
	if got := want(t, "GET", base+"/e", "", 200); got != "one" {
		t.Errorf("moved over a folder: %s", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".uploads", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left of what was replaced: %v, %v; want the lock alone", left, err)
	}
}

const proppatch = `<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop><x:colour>%s</x:colour></D:prop></D:set></D:propertyupdate>`

func TestProperties(t *testing.T) {
	base, _ := start(t, server.TreeConfig{Quota: 1 << 20})
	colour := func(path string) string {
		body := want(t, "PROPFIND", base+path, `<D:propfind xmlns:D="DAV:"><D:prop><colour xmlns="urn:x"/></D:prop></D:propfind>`, 207, "Depth", "0")
		_, rest, _ := strings.Cut(body, ">")
		for _, c := range []string{"red", "blue"} {
			if strings.Contains(rest, c) {
				return c
			}
		}
		return ""
	}
	want(t, "PUT", base+"/f", "one", 201)
	want(t, "PUT", base+"/g", "one", 201)
	if body := want(t, "PROPPATCH", base+"/f", fmt.Sprintf(proppatch, "red"), 207); !strings.Contains(body, "200 OK") {
		t.Skipf("this file system has no extended attributes: %s", body)
	}
	want(t, "PROPPATCH", base+"/g", fmt.Sprintf(proppatch, "blue"), 207)
	want(t, "PUT", base+"/f", "two", 204)
	if got := colour("/f"); got != "red" {
		t.Errorf("after PUT the colour is %q", got)
	}
	want(t, "COPY", base+"/f", "", 204, "Destination", base+"/g")
	if got := colour("/g"); got != "red" {
		t.Errorf("after COPY the colour is %q", got)
	}
	want(t, "MOVE", base+"/g", "", 201, "Destination", base+"/h")
	if got := colour("/h"); got != "red" {
		t.Errorf("after MOVE the colour is %q", got)
	}
	want(t, "PROPPATCH", base+"/h", `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><colour xmlns="urn:x"/></D:prop></D:remove></D:propertyupdate>`, 207)
	if got := colour("/h"); got != "" {
		t.Errorf("removed, the colour is %q", got)
	}
	long := want(t, "PROPPATCH", base+"/f", fmt.Sprintf(proppatch, strings.Repeat("red", 50_000)), 207)
	if !strings.Contains(long, "507") {
		t.Errorf("a property too long: %.300s", long)
	}
	quota := want(t, "PROPFIND", base+"/", `<D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>`, 207, "Depth", "0")
	if !strings.Contains(quota, fmt.Sprint(1<<20-6)) || !strings.Contains(quota, ">6<") {
		t.Errorf("quota: %s", quota)
	}
	for _, depth := range []string{"infinity", ""} {
		if body := want(t, "PROPFIND", base+"/", "", 403, "Depth", depth); !strings.Contains(body, "propfind-finite-depth") {
			t.Errorf("Depth %q: %s", depth, body)
		}
	}
	want(t, "PROPFIND", base+"/", strings.Repeat(" ", 2<<20), 400, "Depth", "0")
}

const lockinfo = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:%s/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>me &amp; you</D:owner></D:lockinfo>`

func TestLocks(t *testing.T) {
	base, _ := start(t, server.TreeConfig{})
	want(t, "PUT", base+"/d/f", "one", 201)
	status, body, head := ask(t, "LOCK", base+"/d", fmt.Sprintf(lockinfo, "exclusive"), "Timeout", "Infinite, Second-4100000000")
	token := head.Get("Lock-Token")
	if status != 200 || !strings.Contains(body, "Second-3600") || !strings.Contains(body, "me &amp; you") || !strings.Contains(body, "<D:href>/images/d</D:href>") {
		t.Errorf("LOCK: %d %s", status, body)
	}
	want(t, "PUT", base+"/d/f", "two", 423)
	want(t, "DELETE", base+"/d", "", 423)
	want(t, "LOCK", base+"/d/f", fmt.Sprintf(lockinfo, "shared"), 423)
	want(t, "PUT", base+"/d/f", "two", 204, "If", "<"+base+"/d> ("+token+")")
	want(t, "LOCK", base+"/d/f", "", 200, "If", "("+token+")", "Timeout", "Second-10")
	want(t, "LOCK", base+"/d/f", "", 412, "If", "(<opaquelocktoken:x>)")
	want(t, "UNLOCK", base+"/d", "", 409, "Lock-Token", "<opaquelocktoken:x>")
	want(t, "UNLOCK", base+"/d", "", 204, "Lock-Token", token)
	want(t, "PUT", base+"/d/f", "three", 204)
	want(t, "LOCK", base+"/new", fmt.Sprintf(lockinfo, "shared"), 201)
	want(t, "LOCK", base+"/new", fmt.Sprintf(lockinfo, "shared"), 200)
	want(t, "LOCK", base+"/new", fmt.Sprintf(lockinfo, "exclusive"), 423)
	want(t, "LOCK", base+"/no/folder", fmt.Sprintf(lockinfo, "exclusive"), 409)
	want(t, "LOCK", base+"/x", "<x/>", 400)
	// What lies in a locked place cannot be removed with the folder around it.
	want(t, "LOCK", base+"/d/f", fmt.Sprintf(lockinfo, "exclusive"), 200, "Depth", "0")
	want(t, "DELETE", base+"/d", "", 423)
	want(t, "MOVE", base+"/d", "", 423, "Destination", base+"/e")
}

// The room is claimed before an upload comes, and given back when it does not.
func TestQuota(t *testing.T) {
	metrics := prometheus.NewRegistry()
	base, dir := start(t, server.TreeConfig{Quota: 1 << 20, MaxFile: 900 << 10, Metrics: metrics})
	half := strings.Repeat("x", 600<<10)
	chunked := func(path, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+path, io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	used := func() float64 {
		all, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range all {
			if family.GetName() == "bosh_ironic_repository_used_bytes" {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatal("no such metric")
		return 0
	}
	want(t, "PUT", base+"/a", half, 201)
	want(t, "PUT", base+"/b", half, 507)
	want(t, "PUT", base+"/a", half, 507) // old and new, for a moment
	want(t, "COPY", base+"/a", "", 507, "Destination", base+"/b")
	want(t, "PUT", base+"/c", strings.Repeat("x", 1<<20), 413)
	if got := used(); got != 600<<10 {
		t.Errorf("used: %v", got)
	}
	want(t, "DELETE", base+"/a", "", 204)
	if got := used(); got != 0 {
		t.Errorf("used after DELETE: %v", got)
	}
	if status := chunked("/c", strings.Repeat("x", 1<<20)); status != 507 && status != 413 {
		t.Errorf("a body of unknown length: %d; want 507 or 413", status)
	}
	want(t, "PUT", base+"/a", half, 201)
	if got := used(); got != 600<<10 {
		t.Errorf("used at last: %v", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".uploads", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A refused upload is refused before it comes.
func TestRefusedBeforeTheBody(t *testing.T) {
	base, _ := start(t, server.TreeConfig{Quota: 1000, Users: users(t, "writer", "w")})
	for authorization, status := range map[string]int{"": 401, "Basic d3JpdGVyOnc=": 507} {
		body := &watchedBody{Reader: strings.NewReader(strings.Repeat("x", 5000))}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/f", body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 5000
		req.Header.Set("Expect", "100-continue")
		req.Header.Set("Authorization", authorization)
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second, DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status || body.read.Load() {
			t.Errorf("with %q: %d, body read %v; want %d without it", authorization, resp.StatusCode, body.read.Load(), status)
		}
	}
}

type watchedBody struct {
	io.Reader
	read atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	base, _ := start(t, server.TreeConfig{Dir: dir, MinFree: 1 << 20})
	want(t, "PUT", base+"/f", "old", 201)
	want(t, "PUT", base+"/f", strings.Repeat("x", 7<<19), 507)
	if got := want(t, "GET", base+"/f", "", 200); got != "old" {
		t.Errorf("the old file holds %.20s", got)
	}
	// The disk itself, though we thought there was room.
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	want(t, "PUT", base+"/f", "x", 507)
	if got := want(t, "GET", base+"/f", "", 200); got != "old" {
		t.Errorf("the old file holds %.20s", got)
	}
	want(t, "DELETE", base+"/filler", "", 204)
	want(t, "PUT", base+"/f", "new", 204)
}

// A client that dies in the midst of its upload has changed nothing, and nothing is left of it.
func TestBrokenUpload(t *testing.T) {
	base, dir := start(t, server.TreeConfig{})
	want(t, "PUT", base+"/f", "old", 201)
	uploads := func(n int) {
		t.Helper()
		err := wait.Until(t.Context(), wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second}, "uploads", func(context.Context) (bool, string, error) {
			found, err := filepath.Glob(filepath.Join(dir, ".uploads", "[A-Z0-9]*"))
			return len(found) == n, fmt.Sprint(len(found)), err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /images/f HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", 1<<20, strings.Repeat("new", 100_000))
	uploads(1)
	conn.Close()
	uploads(0)
	if got := want(t, "GET", base+"/f", "", 200); got != "old" {
		t.Errorf("the file holds %.20s", got)
	}
}

func TestOpenAndClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := filepath.Join(t.TempDir(), "made")
	config := server.TreeConfig{Name: "images", Dir: dir, Log: slog.New(slog.DiscardHandler)}
	tree, err := server.NewTree(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.NewTree(t.Context(), config); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second one on the same directory: %v", err)
	}
	if err := tree.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{"": true, "a": false, "a/b": false, "../x": false} {
		if got, err := tree.Exists(t.Context(), name); got != want || err != nil {
			t.Errorf("Exists(%q) = %v, %v", name, got, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		want bool
	}{{"a/b", true}, {"a/b", false}, {"a/", true}, {"", false}, {".uploads", false}} {
		if got, err := tree.Remove(t.Context(), tt.name); got != tt.want || err != nil {
			t.Errorf("Remove(%q) = %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tree.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".uploads/left"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
	if tree, err = server.NewTree(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if _, err := os.Stat(filepath.Join(dir, ".uploads/left")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed process has left is still there: %v", err)
	}
}
