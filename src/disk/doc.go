// Package disk knows the disks of a server: which there are, which one is the root disk, what to call one so
// that it is found again after a reboot, and what the Director calls a persistent disk (the CID).
//
// It is pure: it reads an inventory and the node's properties, and talks to nobody. It cannot tell what is
// on a disk. Disks that only have a path (/dev/sdc) may change it from boot to boot: only a WWN, a serial
// number or a by-id link is safe, so inspect nodes or declare their disks.
//
// Start at [Devices]. Roles: the root disk is where Ironic writes the image (Ironic 21.4, "Specifying the disk
// for deployment", root device hints); the ephemeral disk is the agent's and loses its content with each VM
// ([Ephemeral]); persistent disks keep theirs ([Choose], [CID]).
package disk
