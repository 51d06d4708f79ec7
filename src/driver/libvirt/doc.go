// Package libvirt drives virtual machines as if they were servers, through the hypervisor's libvirt daemon: power and boot
// device.
//
// It speaks the daemon's protocol (by go-libvirt) over a Unix socket, TCP, TLS or SSH, with SASL on any of them, and needs
// neither libvirt's library nor virsh. So it reaches a hypervisor only where libvirtd, or one of the daemons that follow
// it, runs beside it: VirtualBox, VMware, Hyper-V and others that libvirt's library talks to by itself are refused.
//
// A node is the domain that has the MAC address of one of its ports. A boot device is chosen by defining the domain anew;
// it lasts, and holds from the next start on.
//
// The keys of driver_info, and what they mean, are those of Ironic's staging-libvirt. URIs:
// https://libvirt.org/uri.html, the protocol: https://libvirt.org/kbase/internals/rpc.html
package libvirt
