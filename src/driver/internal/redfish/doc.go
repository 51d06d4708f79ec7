// Package redfish drives servers whose BMC speaks Redfish: what the drivers redfish and ilo have in common. They differ in
// the keys of driver_info, which each makes into an [Access]; [Hardware] does the rest.
//
// Vendors read the specification differently. What is done about that has its place beside what it is about, and says
// whom it is for; dell.go and hpe.go hold what only these have. Each operation opens a connection of its own, and a
// session where the BMC wants one, and closes both.
//
// The protocol is DMTF's DSP0266; gofish speaks it. It keeps the context in its client, so a client lives as long as one
// operation. Start at [Hardware], then [Access].
package redfish
