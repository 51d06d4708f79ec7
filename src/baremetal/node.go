package baremetal

import "encoding/json"

// A Node is one server as the Bare Metal API shows it. Fields that the server's API version does not know,
// or that were not asked for, are zero.
type Node struct {
	UUID         string `json:"uuid"`
	Name         string `json:"name"`
	InstanceUUID string `json:"instance_uuid"` // empty: not claimed

	Driver          string `json:"driver"`
	DeployInterface string `json:"deploy_interface"`

	ProvisionState       ProvisionState `json:"provision_state"`
	TargetProvisionState ProvisionState `json:"target_provision_state"`
	PowerState           PowerState     `json:"power_state"` // empty: not known
	TargetPowerState     PowerState     `json:"target_power_state"`
	Reservation          string         `json:"reservation"` // the conductor that holds the lock
	LastError            string         `json:"last_error"`

	Maintenance       bool   `json:"maintenance"`
	MaintenanceReason string `json:"maintenance_reason"`
	Fault             string `json:"fault"`
	Retired           bool   `json:"retired"`
	Protected         bool   `json:"protected"`
	AutomatedClean    *bool  `json:"automated_clean"` // nil: as the conductor is configured

	ResourceClass  string   `json:"resource_class"`
	ConductorGroup string   `json:"conductor_group"`
	ChassisUUID    string   `json:"chassis_uuid"`
	Owner          string   `json:"owner"`
	Traits         []string `json:"traits"`

	Properties   map[string]any             `json:"properties"` // values are numbers on one node, strings on the next
	Extra        map[string]json.RawMessage `json:"extra"`
	InstanceInfo map[string]any             `json:"instance_info"`
	DriverInfo   map[string]any             `json:"driver_info"` // secrets read ******: never write it back whole
}

// Label names the node for people: its name and UUID, or the one that it has.
func (n Node) Label() string {
	if n.Name == "" || n.UUID == "" {
		return n.Name + n.UUID
	}
	return n.Name + " (" + n.UUID + ")"
}

// A Port is one NIC of a node.
type Port struct {
	UUID            string                     `json:"uuid"`
	NodeUUID        string                     `json:"node_uuid"`
	Address         string                     `json:"address"` // the MAC, lower case, with colons
	PXEEnabled      bool                       `json:"pxe_enabled"`
	PhysicalNetwork string                     `json:"physical_network"`
	PortgroupUUID   string                     `json:"portgroup_uuid"`
	Extra           map[string]json.RawMessage `json:"extra"`
}

// A ProvisionState is where a node is in Ironic's state machine.
type ProvisionState string

// The provision states (Ironic 21.4, ironic/common/states.py).
const (
	Enroll         ProvisionState = "enroll"
	Verifying      ProvisionState = "verifying"
	Manageable     ProvisionState = "manageable"
	Available      ProvisionState = "available"
	Deploying      ProvisionState = "deploying"
	WaitCallBack   ProvisionState = "wait call-back"
	Active         ProvisionState = "active"
	DeployFailed   ProvisionState = "deploy failed"
	Deleting       ProvisionState = "deleting"
	ErrorState     ProvisionState = "error"
	Cleaning       ProvisionState = "cleaning"
	CleanWait      ProvisionState = "clean wait"
	CleanFailed    ProvisionState = "clean failed"
	Inspecting     ProvisionState = "inspecting"
	InspectWait    ProvisionState = "inspect wait"
	InspectFailed  ProvisionState = "inspect failed"
	Adopting       ProvisionState = "adopting"
	AdoptFailed    ProvisionState = "adopt failed"
	Rescuing       ProvisionState = "rescuing"
	RescueWait     ProvisionState = "rescue wait"
	Rescue         ProvisionState = "rescue"
	RescueFailed   ProvisionState = "rescue failed"
	Unrescuing     ProvisionState = "unrescuing"
	UnrescueFailed ProvisionState = "unrescue failed"
)

// Failed reports whether the node waits in s for somebody to act.
func (s ProvisionState) Failed() bool {
	switch s {
	case DeployFailed, ErrorState, CleanFailed, InspectFailed, AdoptFailed, RescueFailed, UnrescueFailed:
		return true
	}
	return false
}

// A PowerState is what Ironic knows of a node's power.
type PowerState string

// The power states that a node reports.
const (
	PowerOn  PowerState = "power on"
	PowerOff PowerState = "power off"
)

// A PowerTarget is what PUT states/power asks for.
type PowerTarget string

// The power targets. Rebooting switches a node on that is off.
const (
	TargetOn     PowerTarget = "power on"
	TargetOff    PowerTarget = "power off"
	TargetReboot PowerTarget = "rebooting"

	TargetSoftOff    PowerTarget = "soft power off"
	TargetSoftReboot PowerTarget = "soft rebooting"
)

// End is the power state that the target leads to.
func (t PowerTarget) End() PowerState {
	if t == TargetOff || t == TargetSoftOff {
		return PowerOff
	}
	return PowerOn
}

// A Verb moves a node through the state machine.
type Verb string

// The verbs of PUT states/provision.
const (
	VerbManage  Verb = "manage"
	VerbProvide Verb = "provide"
	VerbInspect Verb = "inspect"
	VerbClean   Verb = "clean"
	VerbActive  Verb = "active"
	VerbDeleted Verb = "deleted"
	VerbRebuild Verb = "rebuild"
	VerbAbort   Verb = "abort"

	VerbAdopt    Verb = "adopt"
	VerbRescue   Verb = "rescue"
	VerbUnrescue Verb = "unrescue"
)

// A Provision is the body of PUT states/provision.
type Provision struct {
	Target      Verb   `json:"target"`
	ConfigDrive string `json:"configdrive,omitempty"` // an URL, or base64 of a gzipped image; active and rebuild only
	CleanSteps  []Step `json:"clean_steps,omitempty"`
	DeploySteps []Step `json:"deploy_steps,omitempty"` // API 1.69
}

// A Step is one clean or deploy step.
type Step struct {
	Interface string         `json:"interface"`
	Step      string         `json:"step"`
	Priority  int            `json:"priority,omitempty"` // deploy steps only
	Args      map[string]any `json:"args,omitempty"`
}

// A Patch is a list of changes that take effect together or not at all.
type Patch []Change

// A Change is one operation of a [Patch]; Ironic takes add, replace and remove.
type Change struct {
	Op    string `json:"op"`
	Path  string `json:"path"` // like /extra/rack: keys of letters, digits, - and _
	Value any    `json:"value,omitempty"`
}

// Add sets path, whether it is there or not. Its parent must exist.
func Add(path string, value any) Change { return Change{Op: "add", Path: path, Value: value} }

// Remove removes path: plain attributes become null, a missing key of a map is an error.
func Remove(path string) Change { return Change{Op: "remove", Path: path} }

// MarshalJSON writes the value of an add even when it is false, zero or null, and none for a remove.
func (c Change) MarshalJSON() ([]byte, error) {
	m := map[string]any{"op": c.Op, "path": c.Path}
	if c.Op != "remove" {
		m["value"] = c.Value
	}
	return json.Marshal(m)
}
