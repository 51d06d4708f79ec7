// Package driver is the frame of what controls hardware: the small interfaces that a driver may implement, the table
// in which each driver says what it needs, and the one place where commands are waited for.
//
// A driver implements the hardware interfaces that its hardware can honour ([Power], [BootDevice], [BootMode],
// [VirtualMedia], [Vendor], [Console], [Inspector]) and nothing else; whoever needs one asks by a type assertion. It gets a
// [Node] with the operator's driver_info and a small state of its own, sends its command and returns; [SetPower]
// waits for what the hardware makes of it.
//
// Its [Spec] is the one place from which validation, GET /v1/drivers/NAME/properties, documentation and nodectl are
// made. Adding a driver is one package and one line in package driver/all; docs/drivers.md shows how.
package driver
