package conductor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// A Time is a moment in microseconds since 1970; zero: never.
type Time int64

// Now is the present moment.
func Now() Time { return Time(time.Now().UnixMicro()) }

// Time converts; the zero Time for zero.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t)).UTC()
}

// An Object is the text of a JSON object; empty: {}. Most of a node is read far more often than it is looked into.
type Object []byte

// NewObject writes m. It panics on what JSON cannot hold, which no caller has: m came from JSON.
func NewObject(m map[string]any) Object {
	if len(m) == 0 {
		return nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return text
}

// Map reads the object into a map of the caller's own, never nil.
func (o Object) Map() map[string]any {
	m := map[string]any{}
	if len(o) > 0 {
		_ = json.Unmarshal(o, &m) // written by NewObject
	}
	return m
}

// With is a copy with some keys set; nil removes one.
func (o Object) With(changes map[string]any) Object {
	m := o.Map()
	for key, value := range changes {
		if value == nil {
			delete(m, key)
		} else {
			m[key] = value
		}
	}
	return NewObject(m)
}

// Members calls each for every member, with its value's text, which is a part of o. It decodes no values. At what is no
// JSON object it stops and returns false.
func (o Object) Members(each func(name string, value []byte)) bool {
	if len(o) == 0 {
		return true
	}
	rest := bytes.TrimSpace(o)
	if len(rest) < 2 || rest[0] != '{' || rest[len(rest)-1] != '}' {
		return false
	}
	for rest = bytes.TrimSpace(rest[1 : len(rest)-1]); len(rest) > 0; {
		n := valueLength(rest)
		name := bytes.TrimSpace(rest[:n])
		if len(name) < 2 || name[0] != '"' || n == len(rest) || rest[n] != ':' {
			return false
		}
		text := string(name[1 : len(name)-1])
		if strings.Contains(text, `\`) && json.Unmarshal(name, &text) != nil {
			return false
		}
		rest = rest[n+1:]
		n = valueLength(rest)
		value := bytes.TrimSpace(rest[:n])
		if len(value) == 0 {
			return false
		}
		each(text, slices.Clip(value))
		if rest = rest[n:]; len(rest) > 0 {
			if rest[0] != ',' || len(rest) == 1 {
				return false
			}
			rest = rest[1:]
		}
	}
	return true
}

// valueLength is how long the JSON value is that text begins with, blanks included.
func valueLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLength(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// stringLength is how long the JSON string is that text begins with, quotes included.
func stringLength(text []byte) int {
	for from := 1; ; {
		n := bytes.IndexByte(text[from:], '"')
		if n < 0 {
			return len(text)
		}
		end := from + n
		escapes := 0
		for text[end-1-escapes] == '\\' {
			escapes++
		}
		if from = end + 1; escapes%2 == 0 {
			return from
		}
	}
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("{}"), nil
	}
	return o, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *Object) UnmarshalJSON(text []byte) error {
	if string(text) == "{}" || string(text) == "null" {
		*o = nil
		return nil
	}
	*o = append((*o)[:0], text...)
	return nil
}

// A Node is a server, with everything that the conductor keeps about it. Empty texts are null in the API.
type Node struct {
	ID   int64 // order of creation; zero: not stored yet
	UUID string
	Name string

	InstanceUUID   string
	ChassisUUID    string
	AllocationUUID string
	Driver         string // hardware type
	ResourceClass  string
	ConductorGroup string
	Owner          string
	Lessee         string
	Shard          string
	Description    string

	ProvisionState       baremetal.ProvisionState
	TargetProvisionState baremetal.ProvisionState
	PowerState           baremetal.PowerState
	TargetPowerState     baremetal.PowerState
	Reservation          string // name of the conductor that holds the lock
	LastError            string

	Maintenance       bool
	MaintenanceReason string
	Fault             string
	Retired           bool
	RetiredReason     string
	Protected         bool
	ProtectedReason   string

	CreatedAt            Time
	UpdatedAt            Time
	ProvisionUpdatedAt   Time
	InspectionStartedAt  Time
	InspectionFinishedAt Time

	Details Details
}

// Details is what lists do not show unless they are asked for everything.
type Details struct {
	Interfaces         map[string]string `json:"interfaces,omitempty"` // by kind: power, management, deploy …
	AutomatedClean     *bool             `json:"automated_clean,omitempty"`
	Properties         Object            `json:"properties,omitempty"`
	DriverInfo         Object            `json:"driver_info,omitempty"`
	Extra              Object            `json:"extra,omitempty"`
	InstanceInfo       Object            `json:"instance_info,omitempty"`
	DriverInternalInfo Object            `json:"driver_internal_info,omitempty"`
	NetworkData        Object            `json:"network_data,omitempty"`
	TargetRAIDConfig   Object            `json:"target_raid_config,omitempty"`
	Traits             []string          `json:"traits,omitempty"`
	BootMode           string            `json:"boot_mode,omitempty"`
	DriverState        map[string]string `json:"driver_state,omitempty"` // the driver's own
	Work               *Work             `json:"work,omitempty"`         // what is under way
	LockedAt           Time              `json:"locked_at,omitempty"`    // when the lock was taken: two of one conductor's are told apart
	LockedIn           string            `json:"locked_in,omitempty"`    // the incarnation of the conductor that took it
	Agent              *Agent            `json:"agent,omitempty"`        // the ramdisk that called
}

// A Work is the plan of a deployment, cleaning or inspection, and where it stands.
type Work struct {
	Kind     string         `json:"kind"` // deploy, clean
	Steps    []Step         `json:"steps"`
	Index    int            `json:"index"`              // of the step under way; -1: none yet
	Event    string         `json:"event,omitempty"`    // waited for
	Deadline Time           `json:"deadline,omitempty"` // until when
	Data     map[string]any `json:"data,omitempty"`     // the steps' own
	Manual   bool           `json:"manual,omitempty"`   // a clean that the operator asked for
}

// step is the one under way, or nil.
func (w *Work) step() *Step {
	if w == nil || w.Index < 0 || w.Index >= len(w.Steps) {
		return nil
	}
	return &w.Steps[w.Index]
}

// A Step is one in a plan.
type Step struct {
	Interface string         `json:"interface"`
	Step      string         `json:"step"`
	Priority  int            `json:"priority,omitempty"`
	Args      map[string]any `json:"args,omitempty"`
	InBand    bool           `json:"in_band,omitempty"` // by the ramdisk
}

// An Agent is a ramdisk that has looked its node up.
type Agent struct {
	Token     string `json:"token"`
	Told      bool   `json:"told"`              // the token, to the ramdisk: once per boot
	ToldBy    string `json:"told_by,omitempty"` // the conductor that did
	ToldIn    string `json:"told_in,omitempty"` // its incarnation
	URL       string `json:"url,omitempty"`
	Version   string `json:"version,omitempty"`
	Heartbeat Time   `json:"heartbeat,omitempty"` // the last one
}

// Label names the node for people.
func (n Node) Label() string { return baremetal.Node{UUID: n.UUID, Name: n.Name}.Label() }

// Format prints the node's label, whatever the verb: driver_info and tokens are not for logs or errors.
func (n Node) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.Label()) }

// LogValue implements slog.LogValuer, for the same reason.
func (n Node) LogValue() slog.Value { return slog.StringValue(n.Label()) }

// Interface is the node's interface of a kind.
func (n *Node) Interface(kind string) string { return n.Details.Interfaces[kind] }

// Clone copies the node as deep as anybody changes it: Objects are replaced, never written into.
func (n *Node) Clone() *Node {
	c := *n
	c.Details.Interfaces = maps.Clone(n.Details.Interfaces)
	c.Details.DriverState = maps.Clone(n.Details.DriverState)
	if w := n.Details.Work; w != nil {
		copied := *w
		copied.Steps = append([]Step(nil), w.Steps...)
		copied.Data = maps.Clone(w.Data)
		c.Details.Work = &copied
	}
	if a := n.Details.Agent; a != nil {
		copied := *a
		c.Details.Agent = &copied
	}
	return &c
}

// enter changes the provision state.
func (n *Node) enter(state, target baremetal.ProvisionState) {
	n.ProvisionState, n.TargetProvisionState = state, target
	n.ProvisionUpdatedAt = Now()
}
