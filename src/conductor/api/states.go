package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
)

func stateRoutes() []route {
	return []route{
		at("GET", "nodes/{}/states", 1, (*call).showStates),
		at("PUT", "nodes/{}/states/power", 1, (*call).setPower),
		at("PUT", "nodes/{}/states/provision", 1, (*call).provision),
		at("PUT", "nodes/{}/states/raid", 12, (*call).setRAID).before(errTooNew),
		at("GET", "nodes/{}/states/console", 1, (*call).showConsole),
		at("PUT", "nodes/{}/states/console", 1, (*call).setConsole),
		at("PUT", "nodes/{}/states/boot_mode", 76, (*call).setBootMode).before(notBefore(76)),
		at("PUT", "nodes/{}/states/secure_boot", 76, (*call).setSecureBoot).before(notBefore(76)),
		at("GET", "nodes/{}/management/boot_device", 1, (*call).showBootDevice),
		at("PUT", "nodes/{}/management/boot_device", 1, (*call).setBootDevice),
		at("GET", "nodes/{}/management/boot_device/supported", 1, (*call).listBootDevices),
		at("PUT", "nodes/{}/management/inject_nmi", 29, (*call).injectNMI),
		at("GET", "nodes/{}/vendor_passthru/methods", 1, (*call).listVendorMethods),
		at("GET", "nodes/{}/vendor_passthru", 1, (*call).callVendor),
		at("POST", "nodes/{}/vendor_passthru", 1, (*call).callVendor),
		at("PUT", "nodes/{}/vendor_passthru", 1, (*call).callVendor),
		at("DELETE", "nodes/{}/vendor_passthru", 1, (*call).callVendor),
		at("GET", "nodes/{}/vendor_passthru/{}", 1, (*call).callVendor),
		at("POST", "nodes/{}/vendor_passthru/{}", 1, (*call).callVendor),
		at("PUT", "nodes/{}/vendor_passthru/{}", 1, (*call).callVendor),
		at("DELETE", "nodes/{}/vendor_passthru/{}", 1, (*call).callVendor),
	}
}

func notBefore(minor int) error {
	return &fault{status: http.StatusNotFound, text: "This endpoint is supported starting with the API version " + version(minor)}
}

// statesView is the part of a node that /states shows.
var statesView = func() view[node] {
	var v view[node]
	for _, name := range []string{
		"console_enabled", "last_error", "power_state", "provision_state", "target_power_state", "target_provision_state",
		"provision_updated_at", "raid_config", "target_raid_config", "boot_mode", "secure_boot",
	} {
		v = append(v, nodeView[slices.IndexFunc(nodeView, func(f field[node]) bool { return f.name == name })])
	}
	return v
}()

func (c *call) showStates() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, statesView.seen(c.minor).append(nil, c, n))
}

func (c *call) setPower() error {
	body, err := c.arguments("target", "timeout")
	if err != nil {
		return err
	}
	text, err := needs(body, "target")
	if err != nil {
		return err
	}
	ident, err := c.ident()
	if err != nil {
		return err
	}
	target := baremetal.PowerTarget(text)
	soft := target == baremetal.TargetSoftOff || target == baremetal.TargetSoftReboot
	v, given := body["timeout"]
	seconds, number := v.(float64)
	switch {
	case c.minor < 27 && (soft || given):
		return errTooNew
	case given && (!number || seconds <= 0 || seconds > math.MaxInt32 || seconds != math.Trunc(seconds)):
		return invalid("timeout has to be positive integer")
	}
	known := []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot, baremetal.TargetSoftOff, baremetal.TargetSoftReboot}
	if !slices.Contains(known, target) {
		n, err := c.conductor.Node(c.r.Context(), ident)
		if err != nil {
			return err
		}
		now := any(string(n.PowerState))
		if n.PowerState == "" {
			now = "None"
		}
		return invalid(`The requested action "%s" can not be performed on node "%s" while it is in state "%v".`, target, ident, now)
	}
	if err := c.conductor.ChangePower(c.r.Context(), ident, target, time.Duration(seconds)*time.Second); err != nil {
		return err
	}
	return c.accepted("nodes/" + ident + "/states")
}

func (c *call) provision() error {
	body, err := c.arguments("target", "configdrive", "clean_steps", "deploy_steps", "rescue_password", "disable_ramdisk")
	if err != nil {
		return err
	}
	word, err := needs(body, "target")
	if err != nil {
		return err
	}
	n, err := c.node()
	if err != nil {
		return err
	}
	verb, known := conductor.KnownVerb(word)
	if !known || (string(verb) != word && c.minor < 73) {
		return &conductor.Error{Kind: baremetal.ErrWrongState, Text: `The requested action "` + word + `" can not be performed on node "` +
			n.UUID + `" while it is in state "` + string(n.ProvisionState) + `".`}
	}
	r := conductor.Request{Verb: verb, Word: word}
	if err := c.withVerb(body, &r); err != nil {
		return err
	}
	if err := c.conductor.Provision(c.r.Context(), n.UUID, r); err != nil {
		return err
	}
	return c.accepted("nodes/" + c.id(0) + "/states")
}

// verbSince is the version that brought a verb.
var verbSince = map[baremetal.Verb]int{
	baremetal.VerbManage: 4, baremetal.VerbProvide: 4, baremetal.VerbInspect: 6, baremetal.VerbAbort: 13, baremetal.VerbClean: 15,
	baremetal.VerbAdopt: 17, baremetal.VerbRescue: 38, baremetal.VerbUnrescue: 38,
}

// withVerb checks what comes with a verb: each argument belongs to some verbs only.
func (c *call) withVerb(body map[string]any, r *conductor.Request) (err error) {
	if c.minor < verbSince[r.Verb] {
		return errTooNew
	}
	deploys := r.Verb == baremetal.VerbActive || r.Verb == baremetal.VerbRebuild
	if drive, given := body["configdrive"]; given && drive != nil {
		if !deploys {
			return invalid("Adding a config drive is only supported when setting provision state to active, rebuild")
		}
		if r.Verb == baremetal.VerbRebuild && c.minor < 35 {
			return errTooNew
		}
		if err := c.checkDrive(drive); err != nil {
			return err
		}
		r.ConfigDrive = drive
	}
	for _, name := range []string{"clean_steps", "deploy_steps"} {
		if _, ok := body[name].([]any); !ok && body[name] != nil {
			return invalid("Expected types <class 'NoneType'>, <class 'list'> for %s: %s", name, python(body[name]))
		}
	}
	steps, given := body["clean_steps"]
	switch {
	case r.Verb == baremetal.VerbClean:
		if list, _ := steps.([]any); len(list) == 0 {
			return invalid(`"clean_steps" is required when setting target provision state to clean`)
		}
		if r.CleanSteps, err = stepsOf("clean_steps", steps, false); err != nil {
			return err
		}
	case given && steps != nil:
		return invalid(`"clean_steps" is only valid when setting target provision state to clean`)
	}
	if steps, given := body["deploy_steps"]; given && steps != nil {
		switch {
		case c.minor < 69:
			return errTooNew
		case !deploys:
			return invalid(`"deploy_steps" is only valid when setting target provision state to active or rebuild`)
		}
		if r.DeploySteps, err = stepsOf("deploy_steps", steps, true); err != nil {
			return err
		}
	}
	return rescuePassword(body, r)
}

func rescuePassword(body map[string]any, r *conductor.Request) error {
	password, _ := body["rescue_password"].(string)
	if _, given := body["rescue_password"]; r.Verb == baremetal.VerbRescue && strings.TrimSpace(password) == "" {
		return invalid(`A non-empty "rescue_password" is required when setting target provision state to rescue`)
	} else if given && r.Verb != baremetal.VerbRescue {
		return invalid(`"rescue_password" is only valid when setting target provision state to rescue`)
	}
	return nil
}

// checkDrive accepts an object of known parts, a URL, or base64.
func (c *call) checkDrive(drive any) error {
	switch drive := drive.(type) {
	case string:
		if conductor.CheckConfigDrive(drive) != nil {
			return invalid("Invalid configdrive format: it is neither a JSON, nor a URL, nor a base64 string")
		}
		return nil
	case map[string]any:
		if c.minor < 56 {
			return invalid("Providing a JSON object for configdrive is only supported starting with API version 1.56")
		}
		for name := range drive {
			if !slices.Contains([]string{"meta_data", "network_data", "user_data", "vendor_data"}, name) {
				return invalid("Invalid configdrive format: Additional properties are not allowed (%s was unexpected)", python(name))
			}
		}
		return nil
	}
	return invalid("Invalid configdrive format: it is neither a JSON, nor a URL, nor a base64 string")
}

// stepsOf reads steps from a body.
func stepsOf(what string, v any, priorities bool) ([]conductor.Step, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, invalid("Invalid %s: %s is not of type 'array'", what, python(v))
	}
	steps := make([]conductor.Step, len(list))
	for i, item := range list {
		m, _ := item.(map[string]any)
		for _, name := range []string{"interface", "step"} {
			if text, _ := m[name].(string); text == "" {
				return nil, invalid("Invalid %s: '%s' is a required property", what, name)
			}
		}
		for name := range m {
			if name != "interface" && name != "step" && name != "args" && (name != "priority" || !priorities) {
				return nil, invalid("Invalid %s: Additional properties are not allowed (%s was unexpected)", what, python(name))
			}
		}
		steps[i].Interface, _ = m["interface"].(string)
		steps[i].Step, _ = m["step"].(string)
		steps[i].Args, _ = m["args"].(map[string]any)
		priority, given := m["priority"].(float64)
		if priorities && !given {
			return nil, invalid("Invalid %s: 'priority' is a required property", what)
		}
		steps[i].Priority = int(priority)
	}
	return steps, nil
}

func (c *call) showConsole() error {
	if _, err := c.node(); err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, map[string]any{"console_enabled": false, "console_info": nil})
}

func (c *call) setConsole() error {
	given, err := c.arguments("enabled")
	if err != nil {
		return err
	}
	if err := needsTruth(given, "enabled"); err != nil {
		return err
	}
	return c.unsupported("console")
}

// unsupported refuses what no driver can do, once nobody works on the node.
func (c *call) unsupported(what string) error {
	ident, err := c.ident()
	if err != nil {
		return err
	}
	_, err = c.conductor.Change(c.r.Context(), ident, func(_ conductor.Tx, n *conductor.Node) error {
		return invalid("Driver %s does not support %s (disabled or not implemented).", n.Driver, what)
	})
	return err
}

// setRAID keeps what cleaning steps of interface raid are to make.
func (c *call) setRAID() error {
	var body any = map[string]any{}
	if err := c.body(&body); err != nil {
		return err
	}
	config, ok := body.(map[string]any)
	if !ok {
		return invalid("Expected types <class 'dict'> for target_raid_config: %s", str(body))
	}
	if _, ok := config["logical_disks"].([]any); !ok && len(config) > 0 {
		return invalid("RAID config validation error: 'logical_disks' is a required property")
	}
	ident, err := c.ident()
	if err != nil {
		return err
	}
	_, err = c.conductor.Change(c.r.Context(), ident, func(_ conductor.Tx, n *conductor.Node) error {
		n.Details.TargetRAIDConfig = conductor.NewObject(config)
		return nil
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) setSecureBoot() error {
	given, err := c.arguments("target")
	if err != nil {
		return err
	}
	if err := needsTruth(given, "target"); err != nil {
		return err
	}
	if err := c.settled("boot mode"); err != nil {
		return err
	}
	return c.unsupported("set_secure_boot_state")
}

// settled refuses to touch a node on its way to another state.
func (c *call) settled(what string) error {
	n, err := c.node()
	if err == nil && (conductor.Moving(n.ProvisionState) || n.ProvisionState == baremetal.Verifying || n.ProvisionState == baremetal.InspectWait) {
		err = &conductor.Error{Kind: conductor.ErrConflict, Text: "Node is in " + string(n.ProvisionState) + " state. Since node is transitioning, the " + what +
			" will not be set as this may interfere with ongoing changes and result in erroneous modification. Try again later."}
	}
	return err
}

func (c *call) setBootMode() error {
	body, err := c.arguments("target")
	if err != nil {
		return err
	}
	mode, err := needs(body, "target")
	if err != nil {
		return err
	}
	if mode != "bios" && mode != "uefi" {
		return invalid("Invalid boot mode %s requested for node. Allowed boot modes are: bios, uefi", mode)
	}
	if err := c.settled("boot mode"); err != nil {
		return err
	}
	ident, err := c.ident()
	if err != nil {
		return err
	}
	err = c.onManagement(ident, func(ctx context.Context, h any, n *driver.Node) error {
		b, ok := h.(driver.BootMode)
		if !ok {
			return invalid("Node %s has no way to choose a boot mode.", ident)
		}
		return b.SetBootMode(ctx, n, mode)
	})
	if err != nil {
		return err
	}
	_, err = c.conductor.Change(c.r.Context(), ident, func(_ conductor.Tx, n *conductor.Node) error {
		n.Details.BootMode = mode
		return nil
	})
	if err != nil {
		return err
	}
	return c.accepted("nodes/" + ident + "/states")
}

func (c *call) onManagement(ident string, do func(context.Context, any, *driver.Node) error) error {
	return c.conductor.OnHardware(c.r.Context(), ident, "management", do)
}

func (c *call) showBootDevice() error {
	ident, err := c.ident()
	if err != nil {
		return err
	}
	answer := map[string]any{"boot_device": nil, "persistent": nil}
	err = c.onManagement(ident, func(ctx context.Context, h any, n *driver.Node) error {
		b, ok := h.(driver.BootDevice)
		if !ok {
			return nil
		}
		device, persistent, err := b.BootDevice(ctx, n)
		if device != "" { // else it is not known, or the server's own order decides
			answer["boot_device"], answer["persistent"] = device, persistent
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, answer)
}

func (c *call) setBootDevice() error {
	body, err := c.arguments("boot_device", "persistent")
	if err != nil {
		return err
	}
	device, err := needs(body, "boot_device")
	if err != nil {
		return err
	}
	persistent, err := truthOf("persistent", body["persistent"])
	if err != nil {
		return err
	}
	n, err := c.node()
	if err != nil {
		return err
	}
	if !slices.Contains(c.conductor.BootDevices(n), device) {
		return invalid("Invalid boot device %s specified.", device)
	}
	err = c.onManagement(n.UUID, func(ctx context.Context, h any, n *driver.Node) error {
		b, ok := h.(driver.BootDevice)
		if !ok {
			return nil // noop: somebody else sees to it
		}
		return b.SetBootDevice(ctx, n, device, persistent)
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) listBootDevices() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, map[string]any{"supported_boot_devices": c.conductor.BootDevices(n)})
}

// injectNMI: no driver can.
func (c *call) injectNMI() error {
	if _, err := c.arguments(); err != nil {
		return err
	}
	return c.unsupported("inject_nmi")
}

func (c *call) listVendorMethods() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	methods := map[string]any{}
	for _, m := range c.conductor.VendorMethods(n) {
		methods[m.Name] = map[string]any{
			"http_methods": m.HTTPMethods, "async": m.Async, "description": m.Description, "attach": false, "require_exclusive_lock": !m.Shared,
		}
	}
	return c.answerJSON(http.StatusOK, methods)
}

func (c *call) callVendor() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	name := c.param("method")
	if len(c.args) > 1 {
		name = c.id(1)
	}
	if name == "" {
		return invalid("Missing mandatory parameter: method")
	}
	methods := c.conductor.VendorMethods(n)
	i := slices.IndexFunc(methods, func(m driver.VendorMethod) bool { return m.Name == name })
	switch {
	case i < 0:
		return invalid("No handler for method %s", name)
	case !slices.Contains(methods[i].HTTPMethods, c.r.Method):
		return invalid("The method %s does not support HTTP %s", name, c.r.Method)
	}
	args, err := c.verbatim("vendor method")
	if err != nil {
		return err
	}
	answer, err := c.conductor.CallVendor(c.r.Context(), n.UUID, methods[i], args)
	switch {
	case errors.Is(err, driver.ErrUnreachable):
		return &fault{status: http.StatusInternalServerError, text: err.Error()}
	case err != nil:
		return err
	case methods[i].Async:
		return c.accepted("")
	}
	return c.answerJSON(http.StatusOK, answer)
}
