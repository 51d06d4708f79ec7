package agentenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

// SettingsPath is where an agent of API version 2 or newer looks for injected settings first.
const SettingsPath = "/var/vcap/bosh/agent-bootstrap-env.json"

// A File is to be injected into the image, owned by root.
type File struct {
	Path    string // absolute, on the root file system
	Content []byte
	Mode    uint32 // permission bits
}

// Settings are the whole of what the agent of one VM reads, whichever way it comes. They hold passwords and keys:
// they print as nothing but their agent id.
type Settings struct {
	AgentID    string
	VMCID      string
	Mbus       string // an URL, with a password under create-env; env.bosh.mbus.urls wins
	NTP        []string
	Blobstore  *Blobstore // nil: only what env.bosh.blobstores says
	Networks   Networks   // Assignment.Settings
	EnableIPv6 bool       // Assignment.EnableIPv6
	Disks      Disks
	Env        map[string]any // of create_vm; unchanged but for PublicKeys and EnableIPv6
	PublicKeys []string       // appended to env.bosh.authorized_keys, which the agent reads in every delivery
}

// A Blobstore is where the agent fetches and stores blobs; option values keep their types.
type Blobstore struct {
	Provider string         `json:"provider"`
	Options  map[string]any `json:"options"`
}

// Disks are the disks that the VM starts with, as device paths.
type Disks struct {
	System       string         // like /dev/sda
	Ephemeral    string         // empty: the agent takes the rest of the root disk
	Persistent   map[string]any // hints by disk CID; empty at create_vm: later hints come through the Director
	RawEphemeral []string
}

// Encode returns the settings as the agent's JSON. Equal settings give equal bytes. The error wraps [ErrEnv].
func (s Settings) Encode() ([]byte, error) {
	env, err := s.env()
	if err != nil {
		return nil, err
	}
	type path struct {
		Path string `json:"path"`
	}
	type disks struct {
		System       string         `json:"system"` // a map here fails the agent's whole settings
		Ephemeral    *path          `json:"ephemeral,omitempty"`
		Persistent   map[string]any `json:"persistent"`
		RawEphemeral []path         `json:"raw_ephemeral,omitempty"`
	}
	document := struct {
		AgentID   string            `json:"agent_id"`
		VM        map[string]string `json:"vm"`
		Mbus      string            `json:"mbus"`
		NTP       []string          `json:"ntp"`
		Blobstore *Blobstore        `json:"blobstore,omitempty"`
		Networks  Networks          `json:"networks"`
		Disks     disks             `json:"disks"`
		Env       map[string]any    `json:"env"`
	}{
		AgentID: s.AgentID, VM: map[string]string{"name": s.VMCID}, Mbus: s.Mbus,
		NTP: s.NTP, Blobstore: s.Blobstore, Networks: s.Networks, Env: env,
		Disks: disks{System: s.Disks.System, Persistent: s.Disks.Persistent},
	}
	if document.NTP == nil {
		document.NTP = []string{}
	}
	if document.Networks == nil {
		document.Networks = Networks{}
	}
	if document.Disks.Persistent == nil {
		document.Disks.Persistent = map[string]any{}
	}
	if s.Disks.Ephemeral != "" {
		document.Disks.Ephemeral = &path{s.Disks.Ephemeral}
	}
	for _, p := range s.Disks.RawEphemeral {
		document.Disks.RawEphemeral = append(document.Disks.RawEphemeral, path{p})
	}
	return encode(document)
}

// File returns the settings as the file that is injected at [SettingsPath].
func (s Settings) File() (File, error) {
	content, err := s.Encode()
	return File{Path: SettingsPath, Content: content, Mode: 0o600}, err
}

// env returns the env with keys and IPv6 laid in, the caller's maps untouched.
func (s Settings) env() (map[string]any, error) {
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]any{}
	}
	if len(s.PublicKeys) == 0 && !s.EnableIPv6 {
		return env, nil
	}
	bosh, err := object(env, "env", "bosh")
	if err != nil {
		return nil, err
	}
	if len(s.PublicKeys) > 0 {
		var keys []any
		switch v := bosh["authorized_keys"].(type) {
		case nil:
		case []any:
			keys = slices.Clone(v)
		default:
			return nil, fmt.Errorf("%w: env.bosh.authorized_keys is a %T, not a list", ErrEnv, v)
		}
		for _, key := range s.PublicKeys {
			if !slices.Contains(keys, any(key)) {
				keys = append(keys, key)
			}
		}
		bosh["authorized_keys"] = keys
	}
	if s.EnableIPv6 {
		ipv6, err := object(bosh, "env.bosh", "ipv6")
		if err != nil {
			return nil, err
		}
		ipv6["enable"] = true
	}
	return env, nil
}

// object replaces parent[key] by a copy and returns it.
func object(parent map[string]any, path, key string) (map[string]any, error) {
	child, ok := parent[key].(map[string]any)
	if parent[key] != nil && !ok {
		return nil, fmt.Errorf("%w: %s.%s is a %T, not an object", ErrEnv, path, key, parent[key])
	}
	child = maps.Clone(child)
	if child == nil {
		child = map[string]any{}
	}
	parent[key] = child
	return child, nil
}

// encode writes JSON as it stands in the file: indented for whoever debugs a server, and < and & as themselves.
func encode(document any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return nil, fmt.Errorf("encode agent settings: %w", err)
	}
	return b.Bytes(), nil
}

// String implements fmt.Stringer and shows no secret.
func (s Settings) String() string { return "settings of agent " + s.AgentID }

// GoString implements fmt.GoStringer, for %#v.
func (s Settings) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }
