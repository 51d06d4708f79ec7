package redfish

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// An override is Boot of a ComputerSystem.
type override struct{ Enabled, Target, Mode string }

var allTargets = []string{"None", "Pxe", "Floppy", "Cd", "Usb", "Hdd", "BiosSetup"}

var allResets = []string{"On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "PushPowerButton"}

func (b *BMC) showSystem(*http.Request, object) answer {
	m, h := b.cfg.Model, b.cfg.Hardware
	state := "Off"
	if b.cfg.Machine.PoweredOn() {
		state = "On"
	}
	targets, resets := m.BootTargets, m.ResetTypes
	if targets == nil {
		targets = allTargets
	}
	if resets == nil {
		resets = allResets
	}
	boot := object{"BootSourceOverrideEnabled": b.boot.Enabled, "BootSourceOverrideTarget": b.boot.Target}
	if m.OEM == "Hp" { // an iLO 4 has its own word
		boot["BootSourceOverrideSupported"] = targets
	} else {
		boot["BootSourceOverrideTarget@Redfish.AllowableValues"] = targets
	}
	if !m.NoMode {
		boot["BootSourceOverrideMode"] = b.boot.Mode
		boot["BootSourceOverrideMode@Redfish.AllowableValues"] = []string{"Legacy", "UEFI"}
	}
	body := object{
		"@odata.id": b.system(), "@odata.type": "#ComputerSystem.v1_12_0.ComputerSystem", "@odata.etag": b.etag(), "Id": m.System,
		"Name": "System", "SystemType": "Physical", "Manufacturer": m.Manufacturer, "Model": m.Product, "SerialNumber": h.Serial,
		"PowerState": state, "Boot": boot,
		"ProcessorSummary":   object{"Count": 2, "LogicalProcessorCount": h.CPUs, "Model": "a processor"},
		"MemorySummary":      object{"TotalSystemMemoryGiB": float64(h.MemoryMB) / 1024},
		"Status":             object{"State": "Enabled", "Health": "OK"},
		"Processors":         link(b.system() + "/Processors"),
		"Memory":             link(b.system() + "/Memory"),
		"EthernetInterfaces": link(b.system() + "/EthernetInterfaces"),
		"Storage":            link(b.system() + "/Storage"),
		"Bios":               link(b.system() + "/Bios"),
		"Links":              object{"ManagedBy": []object{link(b.manager())}, "Chassis": []object{}},
		"Actions": object{"#ComputerSystem.Reset": object{
			"target": b.system() + "/Actions/ComputerSystem.Reset", "ResetType@Redfish.AllowableValues": resets,
		}},
	}
	if m.MediaOnSystem {
		body["VirtualMedia"] = link(b.system() + "/VirtualMedia")
	}
	b.addOEM(body)
	return answer{status: http.StatusOK, body: body, header: map[string]string{"ETag": b.etag()}}
}

func (b *BMC) etag() string { return fmt.Sprintf(`W/"%d"`, b.version) }

// stale refuses a change by somebody who did not see the last one; nil: did.
func (b *BMC) stale(r *http.Request) *answer {
	match := r.Header.Get("If-Match")
	if match == "" && b.cfg.Model.NeedsIfMatch || match != "" && match != b.etag() && match != "*" {
		return refuse(http.StatusPreconditionFailed, "Base.1.5.PreconditionFailed", "If-Match", "")
	}
	return nil
}

func (b *BMC) patchSystem(r *http.Request, body object) answer {
	m := b.cfg.Model
	if wrong := b.stale(r); wrong != nil {
		return *wrong
	}
	if m.Vendor == "HPE" && time.Now().Before(b.posting) {
		return *refuse(http.StatusBadRequest, "iLO.2.15.UnableToModifyDuringSystemPOST", "The system is in POST.", "")
	}
	boot, there := body["Boot"].(object)
	if !there || len(body) != 1 {
		return *refuse(http.StatusBadRequest, "Base.1.5.PropertyUnknown", "only Boot can be changed", "")
	}
	next := b.boot
	for key, value := range boot {
		text, _ := value.(string)
		switch key {
		case "BootSourceOverrideTarget":
			next.Target = text
		case "BootSourceOverrideEnabled":
			next.Enabled = text
		case "BootSourceOverrideMode":
			next.Mode = text
		default:
			return *refuse(http.StatusBadRequest, "Base.1.5.PropertyUnknown", key, "Boot/"+key)
		}
	}
	if wrong := b.misfit(boot, next); wrong != nil {
		return *wrong
	}
	if m.ForgetsMode && boot["BootSourceOverrideTarget"] != nil {
		next.Mode = "Legacy"
	}
	b.boot = next
	b.first, b.oneTime = "Normal", false
	b.version++
	return noContent
}

// misfit says what the model has against a boot override; nil: nothing.
func (b *BMC) misfit(asked object, next override) *answer {
	m := b.cfg.Model
	targets := m.BootTargets
	if targets == nil {
		targets = allTargets
	}
	wrong := func(id, property string) *answer {
		return refuse(http.StatusBadRequest, id, property, "Boot/BootSourceOverride"+property)
	}
	target, enabled, mode := asked["BootSourceOverrideTarget"] != nil, asked["BootSourceOverrideEnabled"] != nil, asked["BootSourceOverrideMode"] != nil
	switch {
	case !slices.Contains(targets, next.Target):
		return wrong("Base.1.5.PropertyValueNotInList", "Target")
	case !slices.Contains([]string{"Once", "Continuous", "Disabled"}, next.Enabled), m.NoContinuous && next.Enabled == "Continuous":
		return wrong("Base.1.5.PropertyValueNotInList", "Enabled")
	case next.Mode != "UEFI" && next.Mode != "Legacy", mode && m.NoMode:
		return wrong("Base.1.5.PropertyUnknown", "Mode")
	case mode && m.FixedMode:
		return wrong("Base.1.5.PropertyNotWritable", "Mode")
	case m.FullBoot && (!target || !enabled || !mode):
		return wrong("Base.1.5.PropertyMissing", "Target, Enabled and Mode belong together")
	case m.NeedsEnabled && target && !enabled:
		return wrong("Base.1.5.PropertyMissing", "Enabled")
	}
	return nil
}

func (b *BMC) reset(_ *http.Request, body object) answer {
	kind, _ := body["ResetType"].(string)
	resets := b.cfg.Model.ResetTypes
	if resets == nil {
		resets = allResets
	}
	on := b.cfg.Machine.PoweredOn()
	switch {
	case !slices.Contains(resets, kind):
		return *refuse(http.StatusBadRequest, "Base.1.5.ActionParameterNotSupported", kind, "ResetType")
	case kind == "On" && on, kind != "On" && kind != "PushPowerButton" && !on:
		return *refuse(http.StatusConflict, "Base.1.5.ResourceCannotBeUsed", "The server is in that state.", "ResetType")
	case b.faults.Stuck, kind == "Nmi":
		return noContent
	}
	var err error
	switch {
	case kind == "On", kind == "PushPowerButton" && !on:
		err = b.cfg.Machine.PowerOn(b.start())
	case kind == "ForceRestart", kind == "GracefulRestart":
		err = b.cfg.Machine.Restart(b.start(), kind == "GracefulRestart")
	default:
		err = b.cfg.Machine.PowerOff(kind != "ForceOff")
	}
	if err != nil {
		return *refuse(http.StatusInternalServerError, "Base.1.5.InternalError", err.Error(), "")
	}
	return noContent
}

// start is what the machine starts from now; what was for once is over.
func (b *BMC) start() Boot {
	m := b.cfg.Model
	b.posting = time.Now().Add(b.cfg.POST)
	if m.FixedMode || m.NoMode {
		b.boot.Mode = map[string]string{"Uefi": "UEFI", "LegacyBios": "Legacy"}[b.bios]
	}
	boot := Boot{Mode: map[string]string{"UEFI": "uefi", "Legacy": "bios"}[b.boot.Mode]}
	cd := m.VirtualCD
	if cd == "" {
		cd = "Cd"
	}
	target := b.boot.Target
	if b.first != "Normal" {
		target = b.first
	}
	if b.boot.Enabled != "Disabled" || b.first != "Normal" {
		boot.Device = map[string]string{"Pxe": "pxe", "Hdd": "disk", "BiosSetup": "bios", "Floppy": "floppy", "Usb": "floppy", cd: "cdrom"}[target]
	}
	if b.boot.Enabled == "Once" {
		b.boot.Enabled, b.boot.Target = "Disabled", "None"
		b.version++
	}
	if b.oneTime {
		b.first, b.oneTime = "Normal", false
	}
	return boot
}
