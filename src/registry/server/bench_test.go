package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/registry/server"
)

var settings = `{"env": {` + strings.Repeat(`"name": "a value of some length", `, 150) + `"end": ""}}` // 5 KiB

func BenchmarkGet(b *testing.B) {
	store := newMemory()
	store.texts["a"] = []byte(settings)
	handle(b, store, "GET", "")
}

func BenchmarkPut(b *testing.B) { handle(b, newMemory(), "PUT", settings) }

func handle(b *testing.B, store server.Store, method, body string) {
	s, err := server.New(server.Config{Store: store, MaxSettings: 1 << 20, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	handler := s.Routes()["/instances/"]
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, "/instances/a/settings", strings.NewReader(body)))
		if w.Code/100 != http.StatusOK/100 {
			b.Fatal(w.Code)
		}
	}
}
