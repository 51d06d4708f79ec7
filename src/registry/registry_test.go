package registry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/registry"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dialect is a registry as one of the two servers behaves (bosh-registry; nginx with the old CPI's script).
type dialect struct {
	created, replaced, deleted, absent int
	prefix                             string

	mu    sync.Mutex
	texts map[string]string
}

const user, password = "agent", "p@ss/w:rd%"

func (d *dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
		http.Error(w, "<html>", http.StatusUnauthorized)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, d.prefix+"/instances/")
	id, isSettings := strings.CutSuffix(rest, "/settings")
	if !ok || !isSettings {
		http.Error(w, "Error parsing URI", http.StatusBadRequest)
		return
	}
	text, found := d.texts[id]
	switch {
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		d.texts[id] = string(body)
		if found {
			w.WriteHeader(d.replaced)
		} else {
			w.WriteHeader(d.created)
		}
	case !found:
		w.WriteHeader(d.absent)
		io.WriteString(w, "Id '"+id+"' not found")
	case r.Method == http.MethodDelete:
		delete(d.texts, id)
		w.WriteHeader(d.deleted)
	default:
		json.NewEncoder(w).Encode(map[string]string{"settings": text, "status": "ok"})
	}
}

func TestBothDialects(t *testing.T) {
	tests := []struct {
		name    string
		dialect *dialect
	}{
		{"bosh-registry", &dialect{created: 200, replaced: 200, deleted: 200, absent: 404}},
		{"nginx and Lua", &dialect{created: 201, replaced: 204, deleted: 204, absent: 404, prefix: "/registry"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.dialect.texts = map[string]string{}
			server := httptest.NewServer(tt.dialect)
			defer server.Close()
			for _, slash := range []string{"", "/"} {
				c := open(t, registry.Config{URL: server.URL + tt.dialect.prefix + slash, Username: user, Password: secret.New(password)})
				exchange(t, c)
			}
		})
	}
}

// exchange shows every answer that callers rely on.
func exchange(t *testing.T, c *registry.Client) {
	t.Helper()
	ctx := t.Context()
	if _, err := c.Get(ctx, "vm-1"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Get before Put: %v; want ErrNotFound", err)
	}
	// B20: what is written replaces what was there, lists included.
	for _, settings := range []string{`{"ntp": ["a", "b"], "x": "é\n"}`, `{"ntp": ["c"]}`} {
		if err := c.Put(ctx, "vm-1", []byte(settings)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(ctx, "vm-1"); err != nil || string(got) != settings {
			t.Errorf("Get = %s, %v; want %s", got, err, settings)
		}
	}
	for range 2 {
		if err := c.Delete(ctx, "vm-1"); err != nil {
			t.Errorf("Delete: %v; want nil also when there is nothing", err)
		}
	}
}

func TestB11CredentialsStandOnceInTheEndpoint(t *testing.T) {
	tests := []struct{ name, url, username, password, want string }{
		{"none", "http://h:25777/registry", "", "", "http://h:25777/registry"},
		{"given", "http://h:25777/registry/", user, password, "http://agent:p%40ss%2Fw%3Ard%25@h:25777/registry"},
		{"in the URL", "http://agent:p%40ss%2Fw%3Ard%25@h/registry", "", "", "http://agent:p%40ss%2Fw%3Ard%25@h/registry"},
		{"both", "http://old:older@h/registry", user, password, "http://agent:p%40ss%2Fw%3Ard%25@h/registry"},
		{"IPv6", "https://[fd00::1]:25777", user, "x", "https://agent:x@[fd00::1]:25777"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, registry.Config{URL: tt.url, Username: tt.username, Password: secret.New(tt.password)})
			if got := c.Endpoint(); got != tt.want {
				t.Errorf("Endpoint() = %s; want %s", got, tt.want)
			}
		})
	}
}

// The endpoint, read as agents read it, carries the password that the server wants.
func TestEndpointWorksForAgents(t *testing.T) {
	server := httptest.NewServer(&dialect{created: 200, texts: map[string]string{"vm-1": "{}"}})
	defer server.Close()
	c := open(t, registry.Config{URL: server.URL, Username: user, Password: secret.New(password)})
	exchangeURL, err := url.Parse(c.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, registry.Config{URL: exchangeURL.String()})
	if _, err := again.Get(t.Context(), "vm-1"); err != nil {
		t.Error(err)
	}
}

func TestStatusesBecomeErrors(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		body     string
		put, get error // nil: some error that is none of ours
	}{
		{"unauthorized", 401, "<html>", registry.ErrUnauthorized, registry.ErrUnauthorized},
		{"forbidden", 403, "<html>", registry.ErrUnauthorized, registry.ErrUnauthorized},
		{"too large", 413, "<html>", nil, nil},
		{"redirect", 301, "", nil, nil},
		{"broken", 500, "", registry.ErrUnavailable, registry.ErrUnavailable},
		{"gateway", 503, "", registry.ErrUnavailable, registry.ErrUnavailable},
		{"conflict", 409, "", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/elsewhere") {
					t.Error("followed a redirect")
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			defer server.Close()
			c := open(t, registry.Config{URL: server.URL, Username: user, Password: secret.New(password)})
			_, getErr := c.Get(t.Context(), "vm-1")
			check(t, "Get", getErr, tt.get)
			check(t, "Put", c.Put(t.Context(), "vm-1", []byte("{}")), tt.put)
			check(t, "Delete", c.Delete(t.Context(), "vm-1"), tt.put)
		})
	}
}

func check(t *testing.T, op string, err, want error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error", op)
	case want != nil && !errors.Is(err, want):
		t.Errorf("%s: %v; want %v", op, err, want)
	case strings.Contains(err.Error(), password):
		t.Errorf("%s: the error holds the password: %v", op, err)
	}
}

func TestGetOfSomethingElse(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"status": "ok"}`, `{"settings": "{}", "status": "error"}`, `{"settings": {}}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }))
		_, err := open(t, registry.Config{URL: server.URL}).Get(t.Context(), "vm-1")
		check(t, "Get "+body, err, nil)
		server.Close()
	}
}

func TestNothingListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c := open(t, registry.Config{URL: strings.Replace(server.URL, "//", "//agent:hunter2@", 1)})
	err := c.Put(t.Context(), "vm-1", nil)
	check(t, "Put", err, registry.ErrUnavailable)
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the password: %v", err)
	}
}

func TestB12TimeoutIsHonoured(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := open(t, registry.Config{URL: server.URL, Timeout: 20 * time.Millisecond})
	check(t, "Put", c.Put(t.Context(), "vm-1", nil), registry.ErrUnavailable)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Put(ctx, "vm-1", nil); !errors.Is(err, context.Canceled) || errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("Put with a cancelled context: %v; want Canceled, which is no fault of the registry's", err)
	}
}

func TestB12TLSIsVerifiedUnlessToldOtherwise(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Clients", string(rune('0'+len(r.TLS.PeerCertificates))))
		io.WriteString(w, `{"settings": "{}", "status": "ok"}`)
	}))
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	ca := pemOf("CERTIFICATE", server.Certificate().Raw)
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		tls  tlsclient.Config
		want error
	}{
		{"unknown authority", tlsclient.Config{}, registry.ErrUnavailable},
		{"its authority", tlsclient.Config{CA: ca}, nil},
		{"insecure", tlsclient.Config{Insecure: true}, nil},
		{"client certificate is no authority", tlsclient.Config{ClientCert: ca, ClientKey: secret.New(pemOf("PRIVATE KEY", key))}, registry.ErrUnavailable},
		{"both", tlsclient.Config{CA: ca, ClientCert: ca, ClientKey: secret.New(pemOf("PRIVATE KEY", key))}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, registry.Config{URL: server.URL, TLS: tt.tls}).Get(t.Context(), "vm-1")
			if !errors.Is(err, tt.want) {
				t.Errorf("Get: %v; want %v", err, tt.want)
			}
		})
	}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		cfg  registry.Config
	}{
		{"no URL", registry.Config{}},
		{"no host", registry.Config{URL: "http:///registry"}},
		{"other scheme", registry.Config{URL: "ftp://agent:hunter2@h/"}},
		{"not a URL", registry.Config{URL: "http://agent:hunter2@h:port%/"}},
		{"password not escaped", registry.Config{URL: "http://agent:hunter2/x@h/"}},
		{"CA that is none", registry.Config{URL: "https://h", TLS: tlsclient.Config{CA: "hunter2"}}},
		{"certificate without key", registry.Config{URL: "https://h", TLS: tlsclient.Config{ClientCert: "hunter2"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := registry.New(tt.cfg)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New: %v; want an error without the password", err)
			}
		})
	}
}

func TestBadID(t *testing.T) {
	c := open(t, registry.Config{URL: "http://127.0.0.1:1"})
	for _, id := range []string{"", "..", "a/b", "a.b", "a?b", "ä"} {
		if err := c.Put(t.Context(), id, nil); !errors.Is(err, registry.ErrBadID) {
			t.Errorf("Put(%q): %v; want ErrBadID", id, err)
		}
	}
}

func open(t *testing.T, cfg registry.Config) *registry.Client {
	t.Helper()
	c, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
