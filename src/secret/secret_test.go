package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/secret"
)

func TestTextPrintsNowhere(t *testing.T) {
	const password = "hunter2"
	v := struct{ Password secret.Text }{secret.New(password)}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "password", v.Password, "whole", v)
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for how, got := range map[string]string{
		"%v": fmt.Sprintf("%v", v), "%+v": fmt.Sprintf("%+v", v), "%#v": fmt.Sprintf("%#v", v),
		"%s": fmt.Sprintf("%s", v), "%q": fmt.Sprintf("%q", v.Password), "slog": logged.String(), "json": string(encoded),
	} {
		if strings.Contains(got, password) {
			t.Errorf("%s prints %q", how, got)
		}
	}
}

func TestTextReadsFromJSON(t *testing.T) {
	var v struct{ Password secret.Text }
	if err := json.Unmarshal([]byte(`{"Password":"hunter2"}`), &v); err != nil {
		t.Fatal(err)
	}
	if got := v.Password.Reveal(); got != "hunter2" {
		t.Errorf("Reveal() = %q; want hunter2", got)
	}
	if v.Password.IsZero() || !(secret.Text{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}
