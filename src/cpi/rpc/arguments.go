package rpc

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/cloudfoundry/bosh-cpi-go/apiv1"
)

// arguments reads the positional arguments of one call. The first fault is kept in err, and readers after it
// give zero values, so that a method reads all and asks once.
type arguments struct {
	list            []json.RawMessage
	version         int // of the CPI API
	stemcellVersion int
	err             error
}

// at is the i-th argument; nil when it is missing or null.
func (a *arguments) at(i int) json.RawMessage {
	if i >= len(a.list) || absent(a.list[i]) {
		return nil
	}
	return a.list[i]
}

// wrong names an argument as people count, and the kind of what stands there, never its value.
func (a *arguments) wrong(i int, name, want string) {
	if a.err == nil {
		a.err = cpiError("argument %d, %s: want %s, got %s", i+1, name, want, kindOf(a.at(i)))
	}
}

func kindOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "none"
	}
	switch raw[0] {
	case '"':
		if string(raw) == `""` {
			return "an empty string"
		}
		return "a string"
	case '[':
		return "a list"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	}
	return "a number"
}

// A cid is one of bosh-cpi-go's: it decodes from a string that is not empty, and from nothing else.
type cid interface {
	AsString() string
}

func text[T cid](a *arguments, i int, name string) string {
	var id T
	if raw := a.at(i); raw == nil || json.Unmarshal(raw, &id) != nil {
		a.wrong(i, name, "a string that is not empty")
		return ""
	}
	return id.AsString()
}

func (a *arguments) vmCID(i int) string       { return text[apiv1.VMCID](a, i, "vm_cid") }
func (a *arguments) diskCID(i int) string     { return text[apiv1.DiskCID](a, i, "disk_cid") }
func (a *arguments) stemcellCID(i int) string { return text[apiv1.StemcellCID](a, i, "stemcell_cid") }
func (a *arguments) agentID(i int) string     { return text[apiv1.AgentID](a, i, "agent_id") }

// optionalVMCID is empty when nobody knows the VM yet.
func (a *arguments) optionalVMCID(i int) string {
	if a.at(i) == nil {
		return ""
	}
	return a.vmCID(i)
}

func (a *arguments) path(i int, name string) string {
	var path string
	if raw := a.at(i); raw == nil || json.Unmarshal(raw, &path) != nil || path == "" {
		a.wrong(i, name, "a string that is not empty")
	}
	return path
}

// object is the argument as it came, so that keys which nobody here knows survive; {} when there is none.
func (a *arguments) object(i int, name string) json.RawMessage {
	raw := a.at(i)
	if raw == nil {
		return json.RawMessage(`{}`)
	}
	if raw[0] != '{' {
		a.wrong(i, name, "an object")
	}
	return raw
}

// metadata is never nil.
func (a *arguments) metadata(i int) map[string]any {
	m := map[string]any{}
	if err := json.Unmarshal(a.object(i, "metadata"), &m); err != nil {
		a.wrong(i, "metadata", "an object")
	}
	return m
}

func (a *arguments) diskCIDs(i int) []string {
	raw := a.at(i)
	if raw == nil {
		return nil
	}
	var cids []apiv1.DiskCID
	if err := json.Unmarshal(raw, &cids); err != nil {
		a.wrong(i, "disk_cids", "a list of strings that are not empty")
		return nil
	}
	var texts []string
	for _, c := range cids {
		texts = append(texts, c.AsString())
	}
	return texts
}

// sizeMB takes 1024.0 as well: Ruby may send it.
func (a *arguments) sizeMB(i int) int {
	var size float64
	raw := a.at(i)
	if raw == nil || json.Unmarshal(raw, &size) != nil || size != math.Trunc(size) || size < 1 || size > math.MaxInt32 {
		a.wrong(i, "size", "a whole number of MiB above zero")
		return 0
	}
	return int(size)
}

func (a *arguments) resources(i int) apiv1.VMResources {
	var r apiv1.VMResources
	if raw := a.at(i); raw == nil || json.Unmarshal(raw, &r) != nil {
		a.wrong(i, "desired_instance_size", "an object with whole numbers ram, cpu, ephemeral_disk_size")
	}
	return r
}

// tags are in the third argument of create_stemcell since version 3.
func (a *arguments) tags(i int) map[string]string {
	var env struct {
		Tags map[string]any `json:"tags"`
	}
	if err := json.Unmarshal(a.object(i, "env"), &env); err != nil {
		a.wrong(i, "env", "an object whose tags are an object")
	}
	tags := make(map[string]string, len(env.Tags))
	for key, value := range env.Tags {
		tags[key] = fmt.Sprint(value)
	}
	return tags
}
