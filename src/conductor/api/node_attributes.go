package api

import (
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// nodeAttributes are those of a node that PATCH may change.
func nodeAttributes() []attribute[node] {
	all := []attribute[node]{
		objectAttribute("driver_info", 1, func(n node) *conductor.Object { return &n.Details.DriverInfo }),
		objectAttribute("extra", 1, func(n node) *conductor.Object { return &n.Details.Extra }),
		objectAttribute("instance_info", 1, func(n node) *conductor.Object { return &n.Details.InstanceInfo }),
		objectAttribute("properties", 1, func(n node) *conductor.Object { return &n.Details.Properties }),
		objectAttribute("network_data", 66, func(n node) *conductor.Object { return &n.Details.NetworkData }),
		optionalText("resource_class", 21, 80, func(n node, v string) { n.ResourceClass = v }),
		optionalText("conductor_group", 46, 255, func(n node, v string) { n.ConductorGroup = strings.ToLower(v) }),
		optionalText("description", 51, 4096, func(n node, v string) { n.Description = v }),
		optionalText("owner", 50, 255, func(n node, v string) { n.Owner = v }),
		optionalText("lessee", 65, 255, func(n node, v string) { n.Lessee = v }),
		optionalText("shard", 82, 255, func(n node, v string) { n.Shard = v }),
		optionalText("protected_reason", 48, 0, func(n node, v string) { n.ProtectedReason = v }),
		optionalText("retired_reason", 61, 0, func(n node, v string) { n.RetiredReason = v }),
		uuidAttribute("chassis_uuid", func(n node, v string) { n.ChassisUUID = v }),
		uuidAttribute("instance_uuid", func(n node, v string) { n.InstanceUUID = v }),
		{name: "driver", since: 1, set: setDriver},
		{name: "name", since: 5, set: setName},
		{name: "maintenance", since: 1, set: setFlag("maintenance", func(n node, v bool) {
			n.Maintenance = v
			if !v {
				n.MaintenanceReason, n.Fault = "", ""
			}
		})},
		{name: "protected", since: 48, set: setFlag("protected", func(n node, v bool) {
			n.Protected = v
			if !v {
				n.ProtectedReason = ""
			}
		})},
		{name: "retired", since: 61, set: setFlag("retired", func(n node, v bool) {
			n.Retired = v
			if !v {
				n.RetiredReason = ""
			}
		})},
		{name: "automated_clean", since: 47, set: func(n node, v any) error {
			n.Details.AutomatedClean = nil
			if v == nil {
				return nil
			}
			on, err := truthOf("automated_clean", v)
			n.Details.AutomatedClean = &on
			return err
		}},
	}
	for _, kind := range conductor.InterfaceKinds() {
		all = append(all, optionalText(kind+"_interface", interfaceSince[kind], 255, func(n node, v string) {
			if n.Details.Interfaces == nil {
				n.Details.Interfaces = map[string]string{}
			}
			n.Details.Interfaces[kind] = v
		}))
	}
	slices.SortFunc(all, func(a, b attribute[node]) int { return strings.Compare(a.name, b.name) })
	return all
}

func setFlag(name string, set func(node, bool)) func(node, any) error {
	return func(n node, v any) error {
		on, err := truthOf(name, v)
		if err == nil {
			set(n, on)
		}
		return err
	}
}

func setDriver(n node, v any) error {
	text, err := textOf("driver", v, 255)
	if err == nil && text == "" {
		err = invalid("Schema error for node: 'driver' is a required property")
	}
	n.Driver = text
	return err
}

func setName(n node, v any) error {
	text, err := textOf("name", v, 0)
	if err != nil {
		return err
	}
	if text != "" {
		if err := conductor.CheckName(text); err != nil {
			return err
		}
	}
	n.Name = text
	return nil
}

func uuidAttribute(name string, set func(node, string)) attribute[node] {
	return attribute[node]{name: name, since: 1, set: func(n node, v any) error {
		text, err := textOf(name, v, 0)
		if err == nil && text != "" && !isUUID(text) {
			err = invalid("Expected UUID for %s: %s", name, text)
		}
		if err == nil {
			set(n, strings.ToLower(text))
		}
		return err
	}}
}

// createAttributes are those that POST takes besides.
func createAttributes() []attribute[node] {
	all := slices.DeleteFunc(nodeAttributes(), func(a attribute[node]) bool {
		return a.name == "maintenance" || a.name == "protected" || a.name == "protected_reason" || a.name == "instance_uuid"
	})
	return append(all,
		uuidAttribute("uuid", func(n node, v string) { n.UUID = v }),
		uuidAttribute("instance_uuid", func(n node, v string) { n.InstanceUUID = v }),
	)
}

// guard refuses changes that the node's state does not allow. before is the node as it is.
func guard(ident string, before, after node) error {
	s := before.ProvisionState
	conflict := func(text string) error { return &conductor.Error{Kind: conductor.ErrConflict, Text: text} }
	switch {
	case s == baremetal.Inspecting:
		return conflict(`Cannot update node "` + before.UUID + `" while it is in state "` + string(s) + `".`)
	case conductor.Moving(s):
		return &conductor.Error{Kind: baremetal.ErrLocked, Text: "Node " + ident + " can not be updated while a state transition is in progress."}
	case after.InstanceUUID != before.InstanceUUID && before.InstanceUUID != "" && after.InstanceUUID != "":
		return &conductor.Error{Kind: baremetal.ErrAssociated, Text: "Node " + before.UUID + " is associated with instance " + before.InstanceUUID + "."}
	case after.Protected && !before.Protected && s != baremetal.Active && s != baremetal.Rescue:
		return conflict("Node " + before.UUID + " can only be made protected in provision states 'active' or 'rescue', the current state is '" + string(s) + "'")
	case after.Retired && !before.Retired && s == baremetal.Available:
		return conflict("Node " + before.UUID + " can not have 'retired' set in provision state 'available', the current state is 'available'")
	}
	if before.Maintenance || slices.Contains([]baremetal.ProvisionState{
		baremetal.Enroll, baremetal.InspectWait, baremetal.Manageable, baremetal.Available,
	}, s) {
		return nil
	}
	for _, kind := range conductor.InterfaceKinds() {
		if before.Interface(kind) != after.Interface(kind) {
			return conflict("Node " + before.UUID + " can not have " + kind + "_interface updated unless it is in one of allowed " +
				"(enroll, inspecting, inspect wait, manageable, available) states or in maintenance mode.")
		}
	}
	if before.ResourceClass != after.ResourceClass && before.ResourceClass != "" {
		return conflict("Node " + before.UUID + " can not have resource_class updated unless it is in one of allowed " +
			"(enroll, inspecting, inspect wait, manageable, available) states.")
	}
	return nil
}
