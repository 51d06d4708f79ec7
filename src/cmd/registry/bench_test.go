//go:build integration

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// The same requests to our daemon and to what it replaces, nginx with Lua and WebDAV, in one run: both ask for a
// password and write an access log. The client is as plain as can be, because it works on the same cores.

const settingsSize = 5 << 10 // a VM with two networks, trusted certificates and tags

// settingsText looks like agent settings: many short texts in quotes.
func settingsText() []byte {
	var b bytes.Buffer
	b.WriteString(`{"agent_id": "3f2c1a0b-5d6e-4f70-8a9b-0c1d2e3f4a5b", "env": {"bosh": {"tags": {`)
	for i := 0; b.Len() < settingsSize-100; i++ {
		fmt.Fprintf(&b, `"name-%d": "a value of some length", `, i)
	}
	b.WriteString(`"end": ""}}}, "networks": {"default": {"ip": "10.0.0.10"}}}`)
	return b.Bytes()
}

// settingsRequests are whole requests for 1,000 instances.
func settingsRequests(method, base, user, password string, body []byte) [][]byte {
	u, _ := url.Parse(base)
	all := make([][]byte, 1000)
	for i := range all {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s/instances/vm-%04d/settings HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\n", method, u.Path, i, u.Host,
			base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
		if body != nil {
			fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
		}
		b.WriteString("\r\n")
		b.Write(body)
		all[i] = b.Bytes()
	}
	return all
}

// A caller sends requests on a kept connection, one at a time.
type caller struct {
	conn   net.Conn
	reader *bufio.Reader
}

func newCaller(conn net.Conn) *caller { return &caller{conn, bufio.NewReaderSize(conn, 16<<10)} }

func dial(address string) (*caller, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return newCaller(conn), nil
}

// do sends a whole request and wants one of the statuses.
func (c *caller) do(request []byte, body io.Writer, statuses ...int) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	return readAnswer(c.reader, body, statuses)
}

// hammer sends b.N requests over kept connections, each connection one at a time, and wants one of the statuses.
func hammer(b *testing.B, address string, connections int, requests [][]byte, statuses ...int) {
	b.Helper()
	crowd(b, address, connections, func(c *caller, n int) error {
		return c.do(requests[n%len(requests)], io.Discard, statuses...)
	})
}

// crowd has so many callers act b.N times in all.
func crowd(b *testing.B, address string, callers int, act func(c *caller, n int) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	crowd := make([]*caller, callers)
	for i := range crowd {
		c, err := dial(address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.conn.Close()
		crowd[i] = c
	}
	b.ResetTimer()
	for _, c := range crowd {
		all.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if err := act(c, int(n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// fill sends each request once.
func fill(b *testing.B, base string, requests [][]byte) {
	b.Helper()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/registry"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for _, r := range requests {
		_, err := conn.Write(r)
		if err == nil {
			err = readAnswer(reader, io.Discard, []int{http.StatusOK, http.StatusCreated, http.StatusNoContent})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// readAnswer reads one answer with a length.
func readAnswer(r *bufio.Reader, body io.Writer, statuses []int) error {
	length := int64(0)
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first:
			status, _ := strconv.Atoi(string(line[9:12]))
			ok := false
			for _, s := range statuses {
				ok = ok || s == status
			}
			if !ok {
				return fmt.Errorf("answer is %s", line)
			}
			if status == http.StatusNoContent {
				length = -1
			}
		case len(line) > 16 && strings.EqualFold(string(line[:15]), "Content-Length:"):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(line[15:])), 10, 64); err != nil {
				return err
			}
		case len(bytes.TrimSpace(line)) > 0 && strings.HasPrefix(strings.ToLower(string(line)), "transfer-encoding: chunked"):
			return readChunks(r, body)
		case len(bytes.TrimSpace(line)) == 0:
			if length > 0 {
				_, err = io.CopyN(body, r, length)
			}
			return err
		}
	}
}

// readChunks reads the rest of the head and a body in chunks: the Lua script does not know its length beforehand.
func readChunks(r *bufio.Reader, body io.Writer) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return err
		}
		if n > 0 {
			if _, err := io.CopyN(body, r, n); err != nil {
				return err
			}
		}
		if _, err := r.Discard(2); err != nil || n == 0 {
			return err
		}
	}
}

func BenchmarkSettings(b *testing.B) {
	founding := backend.StartFounding(b)
	ours := backend.StartDaemon(b, map[string]any{"registry": map[string]any{
		"users": []any{map[string]any{"name": founding.User, "password": founding.Password}},
	}})
	text := settingsText()
	servers := []struct{ name, base string }{{"registry", ours.Registry}, {"nginx", founding.Registry}}
	for _, server := range servers { // so that each GET finds something
		fill(b, server.base, settingsRequests(http.MethodPut, server.base, founding.User, founding.Password, text))
	}
	for _, connections := range []int{1, 8, 64} {
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			body := text
			if method == http.MethodGet {
				body = nil
			}
			for _, server := range servers {
				b.Run(fmt.Sprintf("%s/connections=%d/%s", method, connections, server.name), func(b *testing.B) {
					u, err := url.Parse(server.base)
					if err != nil {
						b.Fatal(err)
					}
					requests := settingsRequests(method, server.base, founding.User, founding.Password, body)
					hammer(b, u.Host, connections, requests, 200, 201, 204)
				})
			}
		}
	}
	b.Run("fsync", func(b *testing.B) { bareFsync(b, ours.Data, text) })
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(memory(b, ours.PID(), "VmHWM"), "MiB-peak")
		}
	})
}

// bareFsync is the least that a durable PUT can cost: append to a file, and sync it.
func bareFsync(b *testing.B, dir string, text []byte) {
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for b.Loop() {
		if _, err := f.Write(text); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// memory reads a figure of /proc/PID/status, in MiB.
func memory(b testing.TB, pid int, key string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), key+":")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

const imageSize = 1 << 30

func BenchmarkImage(b *testing.B) {
	founding := backend.StartFounding(b)
	ours := backend.StartDaemon(b, nil)
	idle := memory(b, ours.PID(), "VmRSS")
	piece := bytes.Repeat([]byte("an image has few zeros in it; "), 1<<20/30)
	for _, server := range []struct{ name, base string }{{"registry", ours.Repository + "/images"}, {"nginx", founding.Images}} {
		u, err := url.Parse(server.base)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("PUT/"+server.name, func(b *testing.B) {
			b.SetBytes(imageSize)
			for b.Loop() {
				transfer(b, u, "PUT", piece)
			}
		})
		b.Run("GET/"+server.name, func(b *testing.B) {
			b.SetBytes(imageSize)
			for b.Loop() {
				transfer(b, u, "GET", nil)
			}
		})
	}
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(idle, "MiB-idle")
			b.ReportMetric(memory(b, ours.PID(), "VmHWM"), "MiB-peak")
		}
	})
}

// transfer sends or fetches the image on a connection of its own.
func transfer(b *testing.B, u *url.URL, method string, piece []byte) {
	b.Helper()
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	size := 0
	if method == http.MethodPut {
		size = imageSize
	}
	fmt.Fprintf(conn, "%s %s/image HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", method, u.Path, u.Host, size)
	for left := size; left > 0; {
		n, err := conn.Write(piece[:min(left, len(piece))])
		if err != nil {
			b.Fatal(err)
		}
		left -= n
	}
	var got counter
	if err := readAnswer(bufio.NewReaderSize(conn, 1<<20), &got, []int{200, 201, 204}); err != nil {
		b.Fatal(err)
	}
	if method == http.MethodGet && got != imageSize {
		b.Fatalf("%d bytes came", got)
	}
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// ReadFrom reads in large pieces: the server is measured, not we.
func (c *counter) ReadFrom(r io.Reader) (int64, error) {
	buffer := make([]byte, 1<<20)
	var all int64
	for {
		n, err := r.Read(buffer)
		all += int64(n)
		*c += counter(n)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}
