package api

import (
	"maps"
	"slices"
)

// takeEvents accepts what a network service tells. Nothing here waits for it.
func (c *call) takeEvents() error {
	body, err := c.object("evts")
	if err != nil {
		return err
	}
	if err := onlyKeys("evts", body, []string{"events"}, nil); err != nil {
		return err
	}
	list, ok := body["events"].([]any)
	switch {
	case !ok:
		return invalid("Schema error for evts: %s is not of type 'array'", python(body["events"]))
	case len(list) == 0:
		return invalid("Schema error for evts: [] is too short")
	}
	for _, item := range list {
		if err := checkEvent(item); err != nil {
			return err
		}
	}
	return c.noContent()
}

// checkEvent knows the events of network ports, which are all that there are.
func checkEvent(v any) error {
	event, ok := v.(map[string]any)
	if !ok {
		return invalid("Schema error for evts: %s is not of type 'object'", python(v))
	}
	kind, there := event["event"]
	switch {
	case !there:
		return invalid("Schema error for evts: 'event' is a required property")
	case !slices.Contains([]any{"network.bind_port", "network.unbind_port", "network.delete_port"}, kind):
		return invalid("Schema error for evts: %s is not one of ['network.bind_port', 'network.unbind_port', 'network.delete_port']", python(kind))
	}
	required := []string{"event", "port_id", "mac_address", "status"}
	if err := onlyKeys("evts", event, required, []string{"device_id", "binding:host_id", "binding:vnic_type"}); err != nil {
		return err
	}
	if id, _ := event["port_id"].(string); !isUUID(id) {
		return invalid("Expected UUID for port_id: %s", str(event["port_id"]))
	}
	if address, _ := event["mac_address"].(string); !mac.MatchString(address) {
		return invalid("Expected valid MAC address for mac_address: %s", str(event["mac_address"]))
	}
	return nil
}

// onlyKeys refuses an object that lacks a required key, or has one that nobody knows.
func onlyKeys(what string, object map[string]any, required, optional []string) error {
	for _, key := range required {
		if _, there := object[key]; !there {
			return invalid("Schema error for %s: '%s' is a required property", what, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(required, key) && !slices.Contains(optional, key) {
			return invalid("Schema error for %s: Additional properties are not allowed (%s was unexpected)", what, python(key))
		}
	}
	return nil
}
