// Package redfish is the driver redfish: servers whose BMC speaks the standard protocol, of any vendor.
//
// It can do all that the protocol has for a server's life: power, boot device, boot mode, virtual media, and a look inside
// without booting. What vendors make of the standard is known to package driver/internal/redfish, which does the work; here
// are the keys of driver_info, Ironic's, and Ironic's vendor method eject_vmedia. HPE's have a driver of their own besides,
// for Ironic's keys of iLOs: package driver/ilo.
package redfish
