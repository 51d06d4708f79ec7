// Package redfish is a BMC that speaks Redfish, in process: the far end of the wire for drivers' tests and for virtual
// racks. A [BMC] is an http.Handler with a [Machine] behind it; [Memory] is a machine that only remembers.
//
// A BMC is of a [Model]. [Models] has one for each kind of hardware that clients must tell apart, with its habits:
// where virtual media is, what of a request it refuses, what it forgets. They are from what the field reports of such
// hardware, not from its firmware: what is not in the table is as the specification has it. [BMC.Break] makes it fall
// silent, reset connections, answer late or not follow.
//
// It does what clients need for power, boot override, virtual media, sessions and inventory, and no more: no events, no
// firmware, no accounts. Specified by DMTF DSP0266 (protocol) and DSP8010 (schemas). Start at [New].
package redfish
