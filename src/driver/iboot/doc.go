// Package iboot switches servers that hang on a Dataprobe iBoot power strip, by its protocol DxP.
//
// It can switch a relay and read it, and no more: there is no soft power off and no boot device to choose. The power state
// is the relay's; whether the server behind it has started, or has gone down by itself, the strip does not know.
//
// Wire: Dataprobe, "DxP Protocol Version 1.2", as python-iboot speaks it to an iBoot G2: relays count from 1 and 1 is on,
// where the document counts from 0 and has 1 and 2. There is no AES mode. Keys and behaviour are those of
// ironic-staging-drivers' iboot; what it has in its configuration file (max_retry, retry_interval, reboot_delay) are keys
// of driver_info here. Start with iboot.go; dxp.go knows bytes and nothing of nodes.
package iboot
