// Package amt drives Intel AMT (vPro), the management engine of business PCs and workstations, by WS-Management over
// HTTP or HTTPS.
//
// It switches power (on, hard off, both) and chooses what is booted next (pxe, disk, cdrom). AMT itself knows a single
// next boot and no more, so [driver.BootDevice] asks nobody: the device stands in the node's own state, and is handed to
// AMT before each power on. It follows that a server which restarts by itself boots what its BIOS says. Soft power states,
// boot mode, virtual media (IDE-R, USB-R) and consoles (SOL, KVM) are not here.
//
// Wire: Ironic's staging driver, DMTF DSP0226 (WS-Management), and Intel's AMT Implementation and Reference Guide
// (https://software.intel.com/sites/manageability/AMT_Implementation_and_Reference_Guide/). Four operations are all:
// operations.go has them, wsman.go their XML, client.go what carries it. The digest arithmetic, the counting of nonces and
// their renewal are github.com/icholy/digest's; reading challenges is ours (challenge.go says why). awake.go is about
// a management engine that sleeps. Start reading at power.go.
package amt
