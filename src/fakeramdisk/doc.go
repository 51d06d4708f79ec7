// Package fakeramdisk plays the deploy ramdisk of servers that do not exist.
//
// One [Server] is the agent of every node of an Ironic that waits for one. It looks the node up for its token,
// sends heartbeats and obeys the commands that the conductor posts, as ironic-python-agent does on a real
// server. A node's disks are sparse files; what a deployment writes can be looked at there, below
// Config.Dir/<node UUID>:
//
//	sda.img, sdb.img …   the disks
//	disks.json           their names, sizes, WWNs and serial numbers
//	configdrive.iso      the config drive of the last deployment, unpacked
//	root/                the tree of injected files; files.json has their modes and owners
//	commands.jsonl       what the conductor asked for, and what came of it
//
// The image is really fetched, its checksum verified, a qcow2 image converted by qemu-img, the config drive
// written into a partition at the end of the root disk by sgdisk or sfdisk, and cleaning really erases.
//
// It cannot run anything that was deployed, mount file systems (hence root/ beside the disk), inspect, or rescue.
// Nodes with deploy_interface fake have no ramdisk and are left alone.
//
// Specified by: ironic-python-agent 9 (extensions/standby.py, hardware.py, inject_files.py) and Ironic 21.4
// (drivers/modules/agent_client.py). Start with [Server.Run].
package fakeramdisk
