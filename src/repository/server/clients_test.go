//go:build integration

package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/studio-b12/gowebdav"

	"bosh-ironic-cpi/src/repository/server"
)

// The clients are other people's, from Debian's packages of the same names.

const password = "p4ss"

// protected serves a tree that wants a password.
func protected(t *testing.T) (base, dir string) {
	t.Helper()
	return start(t, server.TreeConfig{Users: users(t, "bosh", password), Listing: true, Quota: 1 << 30})
}

// run runs a client with text on its stdin, and returns all that it prints.
func runClient(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("install %s", name)
		}
		t.Skipf("install %s", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home)
	cmd.Dir = home
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// litmus is the conformance suite of WebDAV: all of it, also locks.
func TestLitmus(t *testing.T) {
	base, _ := protected(t)
	out := runClient(t, "", "litmus", "-k", base+"/", "bosh", password)
	summaries := regexp.MustCompile("summary for `(\\w+)': of (\\d+) tests run: (\\d+) passed, 0 failed").FindAllStringSubmatch(out, -1)
	if len(summaries) != 5 || strings.Contains(out, "FAIL") || strings.Contains(out, "SKIPPED") {
		t.Fatalf("litmus:\n%s", out)
	}
	for _, s := range summaries {
		t.Logf("%s: %s of %s tests passed", s[1], s[3], s[2])
		if s[2] != s[3] {
			t.Errorf("%s: %s of %s", s[1], s[3], s[2])
		}
	}
}

func TestCurl(t *testing.T) {
	base, dir := protected(t)
	local := t.TempDir()
	content := strings.Repeat("0123456789", 500_000)
	image := filepath.Join(local, "image")
	if err := os.WriteFile(image, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	curl := func(args ...string) string {
		return runClient(t, "", "curl", append([]string{"-sS", "--fail", "-u", "bosh:" + password}, args...)...)
	}
	file := base + "/deep/er/image.qcow2"
	if got := curl("-T", image, "-w", "%{http_code}", "-o", "/dev/null", file); got != "201" {
		t.Errorf("upload: %s", got)
	}
	if got := curl("-T", "-", "-H", "Transfer-Encoding: chunked", "-w", "%{http_code}", file); got != "204" {
		t.Errorf("upload from stdin: %s", got)
	}
	curl("-T", image, file)
	if got := curl("-r", "10-14", file); got != "01234" {
		t.Errorf("range: %s", got)
	}
	half := filepath.Join(local, "half")
	if err := os.WriteFile(half, []byte(content[:1_000_000]), 0o600); err != nil {
		t.Fatal(err)
	}
	curl("-C", "-", "-o", half, file)
	if got, err := os.ReadFile(half); err != nil || string(got) != content {
		t.Errorf("resumed, the download has %d bytes, %v", len(got), err)
	}
	if got := curl("-I", file); !strings.Contains(got, fmt.Sprint("Content-Length: ", len(content))) || !strings.Contains(strings.ToLower(got), "etag: ") {
		t.Errorf("HEAD: %s", got)
	}
	if got := curl("-z", "Tue, 01 Jan 2097 00:00:00 GMT", "-w", "%{http_code}", "-o", "/dev/null", file); got != "304" {
		t.Errorf("newer than tomorrow: %s", got)
	}
	curl("-X", "MKCOL", base+"/folder/")
	curl("-X", "MOVE", "-H", "Destination: "+base+"/folder/moved", file)
	curl("-X", "DELETE", base+"/folder/")
	if _, err := os.Stat(filepath.Join(dir, "folder")); err == nil {
		t.Error("the folder is still there")
	}
}

func TestCadaver(t *testing.T) {
	base, dir := protected(t)
	local := t.TempDir()
	if err := os.WriteFile(filepath.Join(local, "f"), []byte("from cadaver"), 0o600); err != nil {
		t.Fatal(err)
	}
	netrc := fmt.Sprintf("default login bosh password %s\n", password)
	script := fmt.Sprintf(`open %s/
mkcol folder
put %s/f folder/put
copy folder/put folder/copied
move folder/copied folder/moved
propset folder/moved colour red
propget folder/moved colour
lock folder/moved
discover folder/moved
unlock folder/moved
get folder/moved %s/got
ls folder
delete folder/put
rmcol folder2
quit
`, base, local, local)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("cadaver"); err != nil {
		runClient(t, "", "cadaver") // says what to install
	}
	cmd := exec.CommandContext(t.Context(), "cadaver")
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cadaver: %v\n%s", err, out)
	}
	for _, want := range []string{
		"Creating `folder': succeeded", "succeeded", "Value of colour is: red", "opaquelocktoken:", "Unlocking `folder/moved': succeeded", "moved",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("cadaver does not say %s:\n%s", want, out)
		}
	}
	got, err := os.ReadFile(filepath.Join(local, "got"))
	if err != nil || string(got) != "from cadaver" {
		t.Errorf("cadaver got %q, %v\n%s", got, err, out)
	}
	left, err := filepath.Glob(filepath.Join(dir, "folder", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v; want folder/moved alone", left, err)
	}
}

func TestRclone(t *testing.T) {
	base, dir := protected(t)
	local := t.TempDir()
	for i := range 60 {
		name := filepath.Join(local, fmt.Sprint("d", i%5), fmt.Sprintf("f %d ü", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.Repeat([]byte{byte(i)}, i*1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	obscured := strings.TrimSpace(runClient(t, "", "rclone", "obscure", password))
	remote := fmt.Sprintf(":webdav,url='%s',vendor=other,user=bosh,pass=%s:", base, obscured)
	rclone := func(args ...string) string {
		return runClient(t, "", "rclone", append([]string{"-q", "--retries", "1", "--low-level-retries", "1"}, args...)...)
	}
	rclone("copy", local, remote+"copied")
	rclone("check", "--download", local, remote+"copied")
	if err := os.Remove(filepath.Join(local, "d0", "f 0 ü")); err != nil {
		t.Fatal(err)
	}
	rclone("sync", local, remote+"copied")
	rclone("check", "--download", local, remote+"copied")
	rclone("moveto", remote+"copied", remote+"moved")
	if got := rclone("lsf", "-R", "--files-only", remote+"moved"); strings.Count(got, "\n") != 59 {
		t.Errorf("rclone lists %d files; want 59", strings.Count(got, "\n"))
	}
	if about := rclone("about", remote); !strings.Contains(about, "Used:") || !strings.Contains(about, "Free:") {
		t.Errorf("rclone about: %s", about)
	}
	rclone("purge", remote+"moved")
	left := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "in-use" {
			left++
		}
		return err
	})
	if err != nil || left > 0 {
		t.Errorf("%d files are left, %v", left, err)
	}
}

func TestGowebdav(t *testing.T) {
	base, _ := protected(t)
	c := gowebdav.NewClient(base, "bosh", password)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	if err := c.MkdirAll("a/b", 0); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteStream("a/b/f", strings.NewReader("streamed"), 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Copy("a/b/f", "a/g", true); err != nil {
		t.Error(err)
	}
	if err := c.Rename("a/b/f", "a/g", true); err != nil {
		t.Error(err)
	}
	if text, err := c.Read("a/g"); err != nil || string(text) != "streamed" {
		t.Errorf("Read = %s, %v", text, err)
	}
	part, err := c.ReadStreamRange("a/g", 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if text, err := io.ReadAll(part); err != nil || string(text) != "rea" {
		t.Errorf("ReadStreamRange = %s, %v", text, err)
	}
	entries, err := c.ReadDir("a")
	if err != nil || len(entries) != 2 {
		t.Errorf("ReadDir = %v, %v; want b and g", entries, err)
	}
	if info, err := c.Stat("a/g"); err != nil || info.Size() != 8 || info.IsDir() {
		t.Errorf("Stat = %v, %v", info, err)
	}
	if err := c.RemoveAll("a"); err != nil {
		t.Error(err)
	}
	if _, err := c.Stat("a"); !gowebdav.IsErrNotFound(err) {
		t.Errorf("Stat of what is removed: %v", err)
	}
}

// What playbooks of 2016 sent (ansible's uri and get_url modules): no MKCOL before PUT, HEAD of folders, GET with
// If-Modified-Since.
func TestOldPlaybooks(t *testing.T) {
	base, _ := start(t, server.TreeConfig{})
	agent := []string{"User-Agent", "ansible-httpget", "Connection", "close"}
	want(t, "HEAD", base+"/5e6f/ec2/latest/", "", 404, agent...)
	want(t, "PUT", base+"/5e6f/openstack/latest/user_data", "#cloud-config", 201, agent...)
	want(t, "HEAD", base+"/5e6f/openstack/latest/", "", 200, agent...)
	want(t, "PUT", base+"/5e6f/openstack/latest/user_data", "#cloud-config\n", 204, agent...)
	want(t, "GET", base+"/5e6f/openstack/latest/user_data", "", 304, append(agent, "If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))...)
	want(t, "DELETE", base+"/5e6f/", "", 204, agent...)
}
