package rpc

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"

	"github.com/cloudfoundry/bosh-cpi-go/apiv1"
)

// A Call is one request, as far as those who open the configuration may want to know it.
type Call struct {
	Method    string
	RequestID string          // the Director's, or made up here: the CLI sends none
	Director  string          // director_uuid of the context; may be empty
	Context   json.RawMessage // an object: director_uuid, request_id, vm, and all properties of the cpi-config
	Log       *slog.Logger    // every line goes to stderr and into the answer, masked
	Level     *slog.LevelVar  // of Log; Info at first

	masks           *masks
	version         int // of the CPI API: 1 to 3
	stemcellVersion int // of the stemcell's API; 0: not said
	arguments       []json.RawMessage
	fault           error // what is wrong with the request, where not every method cares
}

// Hide masks secrets in everything that is logged or answered from now on.
func (c *Call) Hide(secrets ...string) { c.masks.hide(secrets...) }

// HideIn masks what looks like a secret in a JSON document: values of keys such as password, token and
// private_key, passwords in URLs, private keys anywhere.
func (c *Call) HideIn(document json.RawMessage) { c.masks.hideIn(document) }

// newest is the newest version of the CPI API that is spoken.
const newest = 3

// read takes a request apart. An error is only returned where nobody can know which method is meant.
func read(in io.Reader, j *journal) (*Call, error) {
	body, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	switch {
	case err != nil:
		return nil, cpiError("read the request: %w", err)
	case len(body) > maxRequest:
		return nil, cpiError("the request is longer than %d bytes", maxRequest)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, cpiError("no request on standard input")
	}
	j.masks.hideIn(body)
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &keys); err != nil {
		return nil, cpiError("the request is not a JSON object: %w", err)
	}
	call := &Call{masks: j.masks, Level: j.level, version: 1}
	if err := json.Unmarshal(keys["method"], &call.Method); err != nil || call.Method == "" {
		return nil, cpiError("the request has no method: want a string that is not empty")
	}
	call.fault = call.decode(keys["arguments"], keys["context"], keys["api_version"])
	if call.RequestID == "" {
		call.RequestID = "cpi-" + rand.Text()[:8]
	}
	j.name(call)
	return call, nil
}

func (c *Call) decode(args, context, version json.RawMessage) error {
	if !absent(version) {
		if err := json.Unmarshal(version, &c.version); err != nil || c.version < 1 || c.version > newest {
			c.version = newest
			return cpiError("api_version: want a number from 1 to %d", newest)
		}
	}
	c.Context = json.RawMessage(`{}`)
	if !absent(context) {
		c.Context = context
	}
	var known struct {
		Director  string `json:"director_uuid"`
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(c.Context, &known); err != nil {
		return cpiError("context: want an object whose director_uuid and request_id are strings")
	}
	c.Director, c.RequestID = known.Director, known.RequestID
	var err error
	c.stemcellVersion, err = apiv1.NewStemcellAPIVersion(apiv1.CloudPropsImpl{RawMessage: c.Context}).Value()
	if err != nil {
		return cpiError("context.vm.stemcell.api_version: want a number")
	}
	if absent(args) {
		return nil
	}
	if err := json.Unmarshal(args, &c.arguments); err != nil {
		return cpiError("arguments: want a list")
	}
	return nil
}

// absent reports whether there is no value, or null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
