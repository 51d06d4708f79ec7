package client

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A far is the far end of the wire, in process: it gives the answers of a list in turn, the last one for ever,
// and remembers what it was asked. An answer is
//
//	busy/delete     a recorded one, in testdata
//	200 {"a": 1}    status and body, with the headers of API 1.82
//	max 1.61        a 406 of a server that knows up to 1.61
//	bare 404 x      status and body of something that is no Ironic
//	refused         no connection
//	lost            a connection that closes before the answer
//	silent          no answer at all
type far struct {
	t       testing.TB
	answers []string

	mu   sync.Mutex
	seen []string // METHOD path?query
	full []*http.Request
	body []string
}

func (f *far) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	n := len(f.seen)
	target := strings.TrimPrefix(r.URL.Path, "/v1")
	f.seen = append(f.seen, r.Method+" "+target)
	f.full = append(f.full, r)
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	f.body = append(f.body, string(body))
	f.mu.Unlock()
	return answer(f.t, r, f.answers[min(n, len(f.answers)-1)])
}

func (f *far) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.seen...)
}

func answer(t testing.TB, r *http.Request, what string) (*http.Response, error) {
	word, rest, _ := strings.Cut(what, " ")
	switch word {
	case "refused":
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case "lost":
		return nil, io.ErrUnexpectedEOF
	case "silent":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "max":
		h := http.Header{headerMinimum: {"1.1"}, headerMaximum: {rest}}
		return response(406, canonical(h), `{"error_message": "{\"code\": 406, \"title\": \"Not Acceptable\"}"}`), nil
	case "bare":
		status, body, _ := strings.Cut(rest, " ")
		return response(number(t, status), nil, body), nil
	}
	if status, err := strconv.Atoi(word); err == nil {
		h := http.Header{headerMinimum: {"1.1"}, headerMaximum: {"1.82"}, headerVersion: {"1.82"}}
		return response(status, canonical(h), rest), nil
	}
	return recorded(t, what), nil
}

func canonical(h http.Header) http.Header {
	c := http.Header{}
	for k, v := range h {
		c.Set(k, v[0])
	}
	return c
}

func number(t testing.TB, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func response(status int, h http.Header, body string) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status), ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

var dashes = regexp.MustCompile(`(?m)^-{10,}\n\n`)

// recorded reads the answer of a recorded exchange.
func recorded(t testing.TB, name string) *http.Response {
	data, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	at := dashes.FindIndex(data)
	if at == nil {
		t.Fatalf("%s: no line of dashes", name)
	}
	head, body, _ := bytes.Cut(data[at[1]:], []byte("\n\n"))
	// The recorder indented long JSON, so the recorded length is not the file's.
	head = regexp.MustCompile(`(?m)^Content-Length:.*\n`).ReplaceAll(append(head, '\n'), nil)
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\n"), bytes.NewReader(body))), nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return resp
}

// newFar gives a client whose requests get these answers.
func newFar(t testing.TB, cfg Config, answers ...string) (*Client, *far) {
	f := &far{t: t, answers: answers}
	cfg.URL, cfg.Transport = "http://ironic.test", f
	return must(t, cfg), f
}

func must(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const never = -1 * time.Second // RetryLimit: ask once

const (
	nodeID     = "1388bab7-43ac-4024-9213-5b13fd5bb0cf"
	instanceID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	otherID    = "11111111-2222-4333-8444-555555555555"
)
