package agentenv

import "log/slog"

// UserData is what an agent of a stemcell of API version 1 reads first: where its settings are. It holds the
// registry's password and prints as nothing but its server.
type UserData struct {
	Server      string // the name under which the registry knows the VM: its CID
	Endpoint    string // the registry's URL with its credentials
	NameServers []string
	Networks    Networks // Assignment.Settings; the agent brings them up before it asks the registry
}

// Encode returns the user-data as JSON.
func (u UserData) Encode() ([]byte, error) {
	type dns struct {
		NameServer []string `json:"nameserver"`
	}
	document := struct {
		Server   map[string]string `json:"server"`
		Registry map[string]string `json:"registry"`
		DNS      *dns              `json:"dns,omitempty"`
		Networks Networks          `json:"networks,omitempty"`
	}{
		Server:   map[string]string{"name": u.Server},
		Registry: map[string]string{"endpoint": u.Endpoint},
		Networks: u.Networks,
	}
	if len(u.NameServers) > 0 {
		document.DNS = &dns{u.NameServers}
	}
	return encode(document)
}

// String implements fmt.Stringer and shows no secret.
func (u UserData) String() string { return "user-data of server " + u.Server }

// GoString implements fmt.GoStringer, for %#v.
func (u UserData) GoString() string { return u.String() }

// LogValue implements slog.LogValuer.
func (u UserData) LogValue() slog.Value { return slog.StringValue(u.String()) }
