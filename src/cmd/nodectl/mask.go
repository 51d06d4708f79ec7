package main

import (
	"encoding/json"
	"regexp"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// secretKey matches the names of driver_info and the like whose values are not shown. Ironic masks passwords itself,
// other services may not, and it does not know community strings or keys in a map.
var secretKey = regexp.MustCompile(`(?i)passw|secret|token|private_?key|community|credential|auth_key|priv_key|ssh_key`)

// configDrive is a key of instance_info: it holds an agent's settings, or the address where they are.
const configDrive = "configdrive"

const mask = "******" // Ironic's own

// masked is a node as JSON values, with Ironic's keys, without what nobody shall read over a shoulder.
func masked(n baremetal.Node) (map[string]any, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	for _, key := range []string{"driver_info", "instance_info", "properties", "extra"} {
		if values, ok := tree[key].(map[string]any); ok {
			hide(values, strings.HasSuffix(key, "_info"))
		}
	}
	for _, key := range []string{"last_error", "maintenance_reason"} {
		if text, ok := tree[key].(string); ok {
			tree[key] = redactURLs(text)
		}
	}
	return tree, nil
}

// hide masks in place what a name gives away as secret, credentials in addresses, and with signed also what follows
// ? in them: whoever reads that may fetch the file.
func hide(values map[string]any, signed bool) {
	for key, value := range values {
		switch v := value.(type) {
		case map[string]any:
			hide(v, signed)
		case []any:
			for _, element := range v {
				if m, ok := element.(map[string]any); ok {
					hide(m, signed)
				}
			}
		case string:
			if strings.Contains(v, "://") {
				v = redactURLs(v)
				if before, _, query := strings.Cut(v, "?"); query && signed {
					v = before + "?" + mask
				}
				values[key] = v
			}
		}
		if (isSecret(key) || key == configDrive) && value != nil && value != "" {
			values[key] = mask
		}
	}
}

// isSecret reports whether a key's name says that its value is a secret.
func isSecret(key string) bool { return secretKey.MatchString(key) }
