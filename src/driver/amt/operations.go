package amt

import (
	"context"
	"fmt"
	"strconv"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// The classes that are asked, and their instances.
const (
	associatedPower   = "CIM_AssociatedPowerManagementService"
	powerService      = "CIM_PowerManagementService"
	bootConfigSetting = "CIM_BootConfigSetting"
	bootService       = "CIM_BootService"

	bootConfiguration = "Intel(r) AMT: Boot Configuration 0"
)

// The power states of CIM that mean something here.
const (
	powerOn  = 2
	powerOff = 8
)

// CIM's words for the others (CIM_AssociatedPowerManagementService.PowerState).
var oddStates = map[int]string{
	1: "other", 3: "sleep, light", 4: "sleep, deep", 5: "power cycle, soft", 6: "off, hard", 7: "hibernate", 9: "power cycle, hard",
	10: "master bus reset", 11: "diagnostic interrupt", 12: "off, soft graceful", 13: "off, hard graceful",
}

func (c *client) powerState(ctx context.Context) (baremetal.PowerState, error) {
	text, err := c.get(ctx, associatedPower, "PowerState")
	if err != nil {
		return "", err
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return "", c.errorf("power state %s is no number", quote(text))
	}
	switch number {
	case powerOn:
		return baremetal.PowerOn, nil
	case powerOff:
		return baremetal.PowerOff, nil
	}
	word := oddStates[number]
	if word == "" {
		word = "no state of CIM"
	}
	return "", c.errorf("power state %d (%s): %w", number, word, driver.ErrOddState)
}

func (c *client) requestPowerState(ctx context.Context, target baremetal.PowerTarget) error {
	number := powerOn
	if target == baremetal.TargetOff {
		number = powerOff
	}
	return c.invoke(ctx, call{
		class: powerService, method: "RequestPowerStateChange",
		selector: selector{"Name", "Intel(r) AMT Power Management Service"},
		input: element("PowerState", strconv.Itoa(number)) +
			element("ManagedElement", reference("CIM_ComputerSystem", selector{"Name", "ManagedSystem"})),
		meanings: map[string]string{
			"1": "not supported", "2": "unknown or unspecified error", "3": "cannot complete in time", "4": "failed", "5": "invalid parameter",
			"6": "in use", "4096": "job started", "4097": "invalid state transition", "4098": "timeouts are not supported", "4099": "busy",
		},
	})
}

// bootMeanings are Intel's, not CIM's.
var bootMeanings = map[string]string{
	"1": "not supported", "2": "unknown error", "3": "busy", "4": "invalid reference", "5": "invalid parameter",
	"6": "access denied: set user consent to none in MEBx",
}

func (c *client) changeBootOrder(ctx context.Context, source string) error {
	return c.invoke(ctx, call{
		class: bootConfigSetting, method: "ChangeBootOrder", selector: selector{"InstanceID", bootConfiguration},
		input:    element("Source", reference("CIM_BootSourceSetting", selector{"InstanceID", source})),
		meanings: bootMeanings,
	})
}

// setBootConfigRole makes the boot configuration that of the next boot.
func (c *client) setBootConfigRole(ctx context.Context) error {
	const isNextSingleUse = "1"
	return c.invoke(ctx, call{
		class: bootService, method: "SetBootConfigRole", selector: selector{"Name", "Intel(r) AMT Boot Service"},
		input: element("BootConfigSetting", reference(bootConfigSetting, selector{"InstanceID", bootConfiguration})) +
			element("Role", isNextSingleUse),
		meanings: bootMeanings,
	})
}

// A call is a method of a class, with what its ReturnValues mean.
type call struct {
	class, method string
	selector      selector
	input         string // made of [element]s; may be empty
	meanings      map[string]string
}

// get asks for the instance of a class that has only one, and gives one of its properties.
func (c *client) get(ctx context.Context, class, property string) (string, error) {
	reply, err := c.exchange(ctx, "Get "+class, message{to: c.endpoint, action: transferGet, class: class})
	if err != nil {
		return "", err
	}
	text, ok := reply.find(cim+class, property)
	if !ok {
		return "", c.errorf("Get %s: the answer has no %s", class, property)
	}
	return text, nil
}

// invoke calls a method. Any ReturnValue but 0 is an error.
func (c *client) invoke(ctx context.Context, m call) error {
	reply, err := c.exchange(ctx, m.method, message{
		to: c.endpoint, action: cim + m.class + "/" + m.method, class: m.class, selector: m.selector, method: m.method, input: m.input,
	})
	if err != nil {
		return err
	}
	switch value, ok := reply.find(cim+m.class, "ReturnValue"); {
	case !ok:
		return c.errorf("%s: the answer has no ReturnValue", m.method)
	case value == "0":
		return nil
	case value == "1":
		return c.errorf("%s: ReturnValue 1: %w", m.method, driver.ErrUnsupported)
	default:
		meaning := m.meanings[value]
		if meaning == "" {
			meaning = "not documented"
		}
		return c.errorf("%s: ReturnValue %s (%s)", m.method, quote(value), meaning)
	}
}

// errorf puts the node and where its AMT is before an error.
func (c *client) errorf(format string, args ...any) error {
	return fmt.Errorf("node %s: AMT at %s: "+format, append([]any{c.label, c.info.hostPort()}, args...)...)
}
