package httpauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/secret"
)

func hash(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func users(t *testing.T, list ...string) *httpauth.Users {
	t.Helper()
	var all []httpauth.User
	for i := 0; i < len(list); i += 2 {
		all = append(all, httpauth.User{Name: list[i], Password: secret.New(list[i+1])})
	}
	u, err := httpauth.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAllow(t *testing.T) {
	list := users(t, "plain", "p:w", "nginx", "{PLAIN}hola", "hashed", hash(t, "s3cret"),
		"b", strings.Replace(hash(t, "b"), "$2a$", "$2b$", 1), "y", strings.Replace(hash(t, "y"), "$2a$", "$2y$", 1))
	tests := []struct {
		name, password string
		ok             bool
	}{
		{"plain", "p:w", true},
		{"plain", "p:W", false},
		{"plain", "", false},
		{"nginx", "hola", true},
		{"nginx", "{PLAIN}hola", false},
		{"hashed", "s3cret", true},
		{"hashed", "s3cret", true}, // from memory
		{"hashed", "wrong", false}, // not from memory
		{"b", "b", true},
		{"y", "y", true},
		{"y", "b", false},
		{"nobody", "p:w", false},
		{"", "", false},
		{"Plain", "p:w", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(tt.name, tt.password)
		name, ok := list.Allow(r)
		if ok != tt.ok || ok && name != tt.name {
			t.Errorf("Allow(%s, %s) = %q, %v; want %v", tt.name, tt.password, name, ok, tt.ok)
		}
	}
	for _, header := range []string{"", "Bearer x", "Basic", "Basic !!", "Basic cGxhaW4="} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		if _, ok := list.Allow(r); ok {
			t.Errorf("Allow with %q lets in", header)
		}
	}
}

// A stranger is compared with somebody's hash, and must not become that somebody by knowing his password.
func TestStrangerWithAKnownPassword(t *testing.T) {
	list := users(t, "hashed", hash(t, "s3cret"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("stranger", "s3cret")
	if name, ok := list.Allow(r); ok {
		t.Errorf("Allow lets the stranger in as %q", name)
	}
}

func TestNobodyIsAsked(t *testing.T) {
	list, err := httpauth.New()
	if err != nil || list != nil {
		t.Fatalf("New() = %v, %v; want nil", list, err)
	}
	if _, ok := list.Allow(httptest.NewRequest(http.MethodGet, "/", nil)); !ok {
		t.Error("nil Users do not let everybody in")
	}
}

func TestNewNamesTheFaultAndNotThePassword(t *testing.T) {
	tests := []struct {
		users []httpauth.User
		want  string
	}{
		{[]httpauth.User{{Name: "", Password: secret.New("hunter2")}}, "without a name"},
		{[]httpauth.User{{Name: "a:b", Password: secret.New("hunter2")}}, "colon"},
		{[]httpauth.User{{Name: "a"}}, `user "a" has no password`},
		{[]httpauth.User{{Name: "a", Password: secret.New("{PLAIN}")}}, `user "a" has no password`},
		{[]httpauth.User{{Name: "a", Password: secret.New("$2y$10$hunter2")}}, "bcrypt"},
		{[]httpauth.User{{Name: "a", Password: secret.New("x")}, {Name: "a", Password: secret.New("hunter2")}}, "twice"},
	}
	for _, tt := range tests {
		_, err := httpauth.New(tt.users...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New(%v) = %v; want %q", tt.users, err, tt.want)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	list := users(t, "hashed", hash(t, "s3cret"), "plain", "p")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.SetBasicAuth("hashed", []string{"s3cret", "wrong"}[i%2])
			if _, ok := list.Allow(r); ok != (i%2 == 0) {
				t.Errorf("Allow = %v", ok)
			}
		})
	}
	all.Wait()
}

func BenchmarkAllow(b *testing.B) {
	h, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.DefaultCost)
	if err != nil {
		b.Fatal(err)
	}
	for _, kept := range []struct{ name, password string }{{"plain", "s3cret"}, {"bcrypt", string(h)}} {
		b.Run(kept.name, func(b *testing.B) {
			list, err := httpauth.New(httpauth.User{Name: "u", Password: secret.New(kept.password)})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.SetBasicAuth("u", "s3cret")
			for b.Loop() {
				if _, ok := list.Allow(r); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}
