// Package rmcp has sessions with a BMC over the LAN: RMCP+ of IPMI 2.0 with cipher suites 1 to 3 and 15 to 17, and IPMI
// 1.5 with MD5, MD2 and plain passwords. A session sends one command at a time, to the BMC or through it to a controller
// behind it, or becomes a serial console. It knows addresses and bytes, and nothing of nodes.
//
// Messages and cryptography are github.com/bougou/go-ipmi's; its client is not used. That one does not check the
// integrity of what it receives and takes a datagram apart in a goroutine of its own, where a malformed one ends the
// process; it drops the second packet of a bridged answer; and it leaves a goroutine with each session.
//
// Not here: Kg keys, MD5 and RC4 in RMCP+, bridging over two hops. Specified in: IPMI 2.0 rev. 1.1, sections 13 (sessions),
// 15 (serial over LAN), 22 (commands), 6.13 (bridging). Start with [Open].
package rmcp
