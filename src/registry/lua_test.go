//go:build integration

package registry_test

import (
	"errors"
	"testing"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/registry"
	"bosh-ironic-cpi/src/secret"
)

// The registry of 2016 was nginx, WebDAV and a Lua script: it answers a PUT with 201, the next one with 204.
func TestNginxWithLua(t *testing.T) {
	founding := backend.StartFounding(t)
	client, err := registry.New(registry.Config{URL: founding.Registry, Username: founding.User, Password: secret.New(founding.Password)})
	if err != nil {
		t.Fatal(err)
	}
	const id = "3f2c1a0b-5d6e-4f70-8a9b-0c1d2e3f4a5b"
	if _, err := client.Get(t.Context(), id); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Get of what is not there: %v; want ErrNotFound", err)
	}
	for _, text := range []string{`{"agent_id": "a", "mbus": "nats://u:p@h"}`, "{\n  \"agent_id\": \"b\\\"c\"\n}"} { // 201, then 204
		if err := client.Put(t.Context(), id, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(t.Context(), id); err != nil || string(got) != text {
			t.Errorf("Get = %s, %v; want %s", got, err, text)
		}
	}
	for range 2 { // 204, then 404
		if err := client.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if _, err := client.Get(t.Context(), id); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Get of what is deleted: %v; want ErrNotFound", err)
	}

	stranger, err := registry.New(registry.Config{URL: founding.Registry, Username: founding.User, Password: secret.New("wrong")})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Put(t.Context(), id, []byte("{}")); !errors.Is(err, registry.ErrUnauthorized) {
		t.Errorf("Put with a wrong password: %v; want ErrUnauthorized", err)
	}
}
