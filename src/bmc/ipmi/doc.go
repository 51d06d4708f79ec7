// Package ipmi is a BMC in this process: the far end of IPMI over the LAN, for tests and for the rack. It speaks RMCP+
// with cipher suites 17 and 3 and IPMI 1.5 with MD5, switches a [Machine] and keeps its boot flags, has sensor data
// records, controllers behind it, commands of its owner and a serial console, and can be told to misbehave.
//
// Sessions, users and most commands are those of github.com/bougou/go-ipmi's server; what it mixes up (the BMC's reset is
// the server's there) or lacks (Send Message, resets that one can count) is here. It has no sensors, event log or FRU. It
// is held to the standard by ipmitool and freeipmi, in package driver/ipmi's tests. Start with [Start].
package ipmi
