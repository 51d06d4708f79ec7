// Package nodemanager adds the vendor methods of Intel Node Manager to servers that are controlled by IPMI: power
// policies, when they rest, and statistics.
//
// Node Manager is firmware in the chipset. The BMC says where in its sensor data repository; commands go through the
// BMC's bridge to that address, each by itself: nothing else of the node is bridged. The driver adds no key of driver_info.
//
// The methods and their arguments are those of Ironic's staging driver staging-nm, which is described in
// docs/drivers/nm.md along with what is different here. The wire is Intel's "Intelligent Power Node Manager 3.0 External
// Interface Specification Using IPMI"; FreeIPMI's ipmi-oem(8), section intelnm, is another client of it.
//
// Start at methods.go, the table of methods.
package nodemanager
