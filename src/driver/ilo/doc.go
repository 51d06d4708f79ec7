// Package ilo is the driver ilo: HPE's ProLiant servers by their iLO 4, 5 and later, with Ironic's keys of driver_info.
//
// They speak Redfish, an iLO 4 with actions of its own for virtual media, and package driver/internal/redfish knows their
// ways; a node with these keys and one of driver redfish behave alike. An iLO 2 and 3 speak RIBCL only, which is not spoken
// here: they are refused by name. Virtual media needs a licence, iLO Advanced or a blade's, and without one that is said
// before it is tried.
//
// Boot mode is a setting of the BIOS, and takes effect with the next start.
package ilo
