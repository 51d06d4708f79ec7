package nodemanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"bosh-ironic-cpi/src/driver"
)

// The commands of Node Manager.
const (
	controlPolicy   = 0xc0
	setPolicy       = 0xc1
	getPolicy       = 0xc2
	setSuspend      = 0xc5
	getSuspend      = 0xc6
	resetStatistics = 0xc7
	getStatistics   = 0xc8
	getCapabilities = 0xc9
	getVersion      = 0xca
)

// methods is the table of what Node Manager can be asked. Those that change something are asynchronous, as they are
// with Ironic; the founding driver's documentation and code disagree on reset_nm_statistics' verb: both are taken.
var methods = []method{
	define[versionRequest](getVersion, driver.VendorMethod{
		Name: "get_nm_version", HTTPMethods: []string{"GET"},
		Description: "Get Intel Node Manager version.",
	}),
	define[capabilitiesRequest](getCapabilities, driver.VendorMethod{
		Name: "get_nm_capabilities", HTTPMethods: []string{"GET"}, Schema: capabilitiesSchema,
		Description: "Get Intel Node Manager capabilities.",
	}),
	define[controlRequest](controlPolicy, driver.VendorMethod{
		Name: "control_nm_policy", HTTPMethods: []string{"PUT"}, Async: true, Schema: controlSchema,
		Description: "Enable or disable Intel Node Manager policy control.",
	}),
	define[setRequest](setPolicy, driver.VendorMethod{
		Name: "set_nm_policy", HTTPMethods: []string{"PUT"}, Async: true, Schema: setSchema,
		Description: "Set Intel Node Manager policy: make it, or change the one with this policy_id.",
	}),
	define[getRequest](getPolicy, driver.VendorMethod{
		Name: "get_nm_policy", HTTPMethods: []string{"GET"}, Schema: policySchema,
		Description: "Get Intel Node Manager policy.",
	}),
	define[removeRequest](setPolicy, driver.VendorMethod{
		Name: "remove_nm_policy", HTTPMethods: []string{"DELETE"}, Async: true, Schema: policySchema,
		Description: "Remove Intel Node Manager policy.",
	}),
	define[setSuspendRequest](setSuspend, driver.VendorMethod{
		Name: "set_nm_policy_suspend", HTTPMethods: []string{"PUT"}, Async: true, Schema: suspendSchema,
		Description: "Set Intel Node Manager policy suspend periods.",
	}),
	define[getSuspendRequest](getSuspend, driver.VendorMethod{
		Name: "get_nm_policy_suspend", HTTPMethods: []string{"GET"}, Schema: policySchema,
		Description: "Get Intel Node Manager policy suspend periods.",
	}),
	define[removeSuspendRequest](setSuspend, driver.VendorMethod{
		Name: "remove_nm_policy_suspend", HTTPMethods: []string{"DELETE"}, Async: true, Schema: policySchema,
		Description: "Remove Intel Node Manager policy suspend periods.",
	}),
	define[statisticsRequest](getStatistics, driver.VendorMethod{
		Name: "get_nm_statistics", HTTPMethods: []string{"GET"}, Schema: statisticsSchema,
		Description: "Get Intel Node Manager statistics.",
	}),
	define[resetRequest](resetStatistics, driver.VendorMethod{
		Name: "reset_nm_statistics", HTTPMethods: []string{"PUT", "DELETE"}, Async: true, Schema: statisticsSchema,
		Description: "Reset Intel Node Manager statistics.",
	}),
}

// A method is a line in the table: bind makes arguments a request, with the bytes that ask for it.
type method struct {
	driver.VendorMethod
	command byte
	bind    func(args map[string]any) (request, []byte, error)
}

// A request is the arguments of a method that have passed its schema.
type request interface {
	// encode gives the command's data, after the manufacturer's number, or a [driver.ArgumentError].
	encode() ([]byte, error)
	// decode reads the answer, after the manufacturer's number.
	decode(answer []byte) (any, error)
}

var _ = []request{
	versionRequest{},
	capabilitiesRequest{},
	controlRequest{},
	setRequest{},
	getRequest{},
	removeRequest{},
	setSuspendRequest{},
	getSuspendRequest{},
	removeSuspendRequest{},
	statisticsRequest{},
	resetRequest{},
}

func define[R request](command byte, m driver.VendorMethod) method {
	bind := func(args map[string]any) (request, []byte, error) {
		var r R
		if err := fill(&r, args); err != nil {
			return nil, nil, err
		}
		data, err := r.encode()
		return r, data, err
	}
	m.Validate = func(args map[string]any) error {
		_, _, err := bind(args)
		return err
	}
	return method{VendorMethod: m, command: command, bind: bind}
}

// fill puts arguments into a struct. What is left to go wrong after the schema are numbers: later drafts of JSON Schema
// than the one that the methods were written for take 1.0 and 1e2 for integers.
func fill(into, args any) error {
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	err = json.Unmarshal(text, into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &driver.ArgumentError{Name: e.Field, Problem: "cannot be " + e.Value + ": " + wanted(e.Type)}
	}
	return err
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("it takes integers from 0 to %d", uint64(1)<<t.Bits()-1)
	}
	return "it takes a " + t.Kind().String()
}

// noAnswer is of requests that are answered by a completion code alone.
type noAnswer struct{}

func (noAnswer) decode([]byte) (any, error) { return nil, nil }
