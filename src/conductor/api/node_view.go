package api

import (
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
)

type node = *conductor.Node

// interfaceSince is the version in which each kind of interface appeared.
var interfaceSince = map[string]int{
	"network": 20, "boot": 31, "console": 31, "deploy": 31, "inspect": 31, "management": 31, "power": 31, "raid": 31, "vendor": 31,
	"storage": 33, "rescue": 38, "bios": 40,
}

// nodeView is every field of a node, and the version that brought it.
var nodeView = func() view[node] {
	sub := func(name string, since int) field[node] {
		return linked(name, since, func(n node) string { return "nodes/" + n.UUID + "/" + name })
	}
	v := view[node]{
		text("uuid", 1, func(n node) string { return n.UUID }),
		moment("created_at", 1, func(n node) conductor.Time { return n.CreatedAt }),
		moment("updated_at", 1, func(n node) conductor.Time { return n.UpdatedAt }),
		boolean("console_enabled", 1, func(node) bool { return false }),
		text("driver", 1, func(n node) string { return n.Driver }),
		{"driver_info", 1, appendDriverInfo},
		object("extra", 1, func(n node) conductor.Object { return n.Details.Extra }),
		{"instance_info", 1, appendInstanceInfo},
		optional("instance_uuid", 1, func(n node) string { return n.InstanceUUID }),
		optional("last_error", 1, func(n node) string { return n.LastError }),
		boolean("maintenance", 1, func(n node) bool { return n.Maintenance }),
		optional("maintenance_reason", 1, func(n node) string { return n.MaintenanceReason }),
		optional("power_state", 1, func(n node) string { return string(n.PowerState) }),
		object("properties", 1, func(n node) conductor.Object { return n.Details.Properties }),
		{"provision_state", 1, appendProvisionState},
		moment("provision_updated_at", 1, func(n node) conductor.Time { return n.ProvisionUpdatedAt }),
		optional("reservation", 1, func(n node) string { return n.Reservation }),
		optional("target_power_state", 1, func(n node) string { return string(n.TargetPowerState) }),
		optional("target_provision_state", 1, func(n node) string { return string(n.TargetProvisionState) }),
		linked("links", 1, func(n node) string { return "nodes/" + n.UUID }),
		optional("chassis_uuid", 1, func(n node) string { return n.ChassisUUID }),
		sub("ports", 1),
		{"driver_internal_info", 3, appendInternalInfo},
		optional("name", 5, func(n node) string { return n.Name }),
		moment("inspection_finished_at", 6, func(n node) conductor.Time { return n.InspectionFinishedAt }),
		moment("inspection_started_at", 6, func(n node) conductor.Time { return n.InspectionStartedAt }),
		step("clean_step", 7, conductor.WorkClean),
		object("raid_config", 12, func(node) conductor.Object { return nil }),
		object("target_raid_config", 12, func(n node) conductor.Object { return n.Details.TargetRAIDConfig }),
		sub("states", 14),
		optional("resource_class", 21, func(n node) string { return n.ResourceClass }),
		sub("portgroups", 24),
		sub("volume", 32),
		{"traits", 37, func(b []byte, _ *call, n node) []byte { return appendTexts(b, n.Details.Traits) }},
		optional("fault", 42, func(n node) string { return n.Fault }),
		step("deploy_step", 44, conductor.WorkDeploy),
		text("conductor_group", 46, func(n node) string { return n.ConductorGroup }),
		value("automated_clean", 47, func(n node) any { return n.Details.AutomatedClean }),
		boolean("protected", 48, func(n node) bool { return n.Protected }),
		optional("protected_reason", 48, func(n node) string { return n.ProtectedReason }),
		{"conductor", 49, func(b []byte, c *call, _ node) []byte { return appendText(b, c.conductor.Hostname()) }},
		optional("owner", 50, func(n node) string { return n.Owner }),
		optional("description", 51, func(n node) string { return n.Description }),
		optional("allocation_uuid", 52, func(n node) string { return n.AllocationUUID }),
		boolean("retired", 61, func(n node) bool { return n.Retired }),
		optional("retired_reason", 61, func(n node) string { return n.RetiredReason }),
		optional("lessee", 65, func(n node) string { return n.Lessee }),
		object("network_data", 66, func(n node) conductor.Object { return n.Details.NetworkData }),
		optional("boot_mode", 75, func(n node) string { return n.Details.BootMode }),
		value("secure_boot", 75, func(node) any { return nil }),
		optional("shard", 82, func(n node) string { return n.Shard }),
	}
	for _, kind := range conductor.InterfaceKinds() {
		v = append(v, optional(kind+"_interface", interfaceSince[kind], func(n node) string { return n.Interface(kind) }))
	}
	return v
}()

// brief are the fields that are columns of the store.
var brief = []string{
	"uuid", "name", "instance_uuid", "chassis_uuid", "allocation_uuid", "driver", "resource_class", "conductor_group", "owner",
	"lessee", "shard", "description", "provision_state", "target_provision_state", "power_state", "target_power_state", "reservation",
	"last_error", "maintenance", "maintenance_reason", "fault", "retired", "retired_reason", "protected", "protected_reason",
	"created_at", "updated_at", "provision_updated_at", "inspection_started_at", "inspection_finished_at",
}

// derived are the fields that are made of the UUID, or of nothing that is stored.
var derived = []string{"conductor", "links", "ports", "states", "portgroups", "volume", "console_enabled", "secure_boot", "raid_config"}

// stored is what a view needs from the store: columns, and members of the details.
func stored(v view[node]) (columns, details []string) {
	columns = []string{"uuid"}
	for _, f := range v {
		switch {
		case f.name == "uuid", slices.Contains(derived, f.name):
		case slices.Contains(brief, f.name):
			columns = append(columns, f.name)
		case f.name == "clean_step", f.name == "deploy_step":
			details = append(details, "work")
		case f.name == "driver_internal_info":
			details = append(details, f.name, "work", "agent")
		case strings.HasSuffix(f.name, "_interface"):
			details = append(details, "interfaces")
		default:
			details = append(details, f.name)
		}
	}
	return columns, details
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, t := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, t)
	}
	return append(b, ']')
}

// appendProvisionState: available had no name before 1.2.
func appendProvisionState(b []byte, c *call, n node) []byte {
	if n.ProvisionState == baremetal.Available && c.minor < 2 {
		return append(b, "null"...)
	}
	return appendText(b, string(n.ProvisionState))
}

// appendDriverInfo hides what drivers call secret, and what looks like it.
func appendDriverInfo(b []byte, c *call, n node) []byte {
	return appendMasked(b, n.Details.DriverInfo, func(key string, object bool) bool { return !object && c.conductor.Drivers().Secret(key) })
}

// appendInstanceInfo hides what holds secrets, or opens what does: a config drive as an object, too.
func appendInstanceInfo(b []byte, _ *call, n node) []byte {
	return appendMasked(b, n.Details.InstanceInfo, func(key string, object bool) bool {
		return key == "configdrive" || key == "image_url" || !object && driver.LooksSecret(key)
	})
}

// appendInternalInfo writes what Ironic tells of work under way.
func appendInternalInfo(b []byte, _ *call, n node) []byte {
	return appendInternal(b, n, n.Details.Work)
}

// appendInternalToAll leaves steps out: their arguments may hold an agent's settings, and lookup is open to all.
func appendInternalToAll(b []byte, _ *call, n node) []byte {
	return appendInternal(b, n, nil)
}

func appendInternal(b []byte, n node, w *conductor.Work) []byte {
	if w == nil && n.Details.Agent == nil {
		return appendObject(b, n.Details.DriverInternalInfo)
	}
	m := n.Details.DriverInternalInfo.Map()
	if w != nil {
		steps := make([]any, len(w.Steps))
		for i, s := range w.Steps {
			steps[i] = stepJSON(s)
		}
		m[w.Kind+"_steps"], m[w.Kind+"_step_index"] = steps, w.Index
	}
	if a := n.Details.Agent; a != nil {
		m["agent_secret_token"] = masked
		if a.URL != "" {
			m["agent_url"], m["agent_version"] = a.URL, a.Version
			m["agent_last_heartbeat"] = a.Heartbeat.Time().Format("2006-01-02T15:04:05.000000")
		}
	}
	return appendJSON(b, m)
}

func stepJSON(s conductor.Step) map[string]any {
	m := map[string]any{"interface": s.Interface, "step": s.Step, "priority": s.Priority, "argsinfo": nil}
	if len(s.Args) > 0 {
		m["args"] = s.Args
	}
	return m
}

// step is a field with the step of a kind of work that a node is at.
func step(name string, since int, kind string) field[node] {
	return field[node]{name, since, func(b []byte, _ *call, n node) []byte {
		if w := n.Details.Work; w != nil && w.Kind == kind && w.Index >= 0 && w.Index < len(w.Steps) {
			return appendJSON(b, stepJSON(w.Steps[w.Index]))
		}
		return append(b, "{}"...)
	}}
}
