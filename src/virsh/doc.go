// Package virsh is the dialect of virsh that Ironic's ssh driver spoke from 2014 to 2017: one shell command a line, most of
// them a virsh command behind awk or sed, and what virsh prints.
//
// Both sides are here, and nothing that does anything: a client builds a [Command]'s Line and reads what comes back by
// [ParseNames], [Running], [ParseMACs] and [ParseBootDevice]; a server, which may have no virsh at all, understands a line by
// [Parse] and prints an [Answer]. The commands are those of ironic/drivers/modules/ssh.py (Icehouse to Ocata), byte for
// byte; the answers are virsh 9.0's. It is no parser of virsh's whole command line, and none of shell: what Ironic never
// sent is refused.
package virsh
