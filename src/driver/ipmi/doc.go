// Package ipmi drives servers by IPMI over the LAN: power, boot device and boot mode, the serial console, and vendor
// methods send_raw and bmc_reset, with the driver_info and in the manner of Ironic's ipmitool interfaces, without
// ipmitool. Other drivers send their own commands by [Driver.Raw] and read sensor records by [Driver.WalkSDR].
//
// Each call opens a session and closes it; nothing runs between calls. The cipher suite found is remembered with the
// node. Not here: Kg keys, bridging over two hops, virtual media (IPMI has none), inspection.
//
// Specified in IPMI 2.0 rev. 1.1 (chassis commands 28, SDR repository 33) and Ironic 21.4,
// ironic/drivers/modules/ipmitool.py. Start with [Spec]; the wire is package rmcp's.
package ipmi
