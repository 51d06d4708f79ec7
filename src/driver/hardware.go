package driver

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/inventory"
)

// A Node is a server as its driver sees it.
type Node struct {
	UUID       string
	Name       string
	Info       map[string]any // driver_info, with secrets in the clear: never into an error or a log
	Properties map[string]any
	MACs       []string // of its ports, lower case, with colons

	// Log is for what people should know and no error tells: a command that could only be honoured in part, a try that
	// failed before another went well. nil: nobody listens. Use it by Logger.
	Log *slog.Logger

	// State is the driver's own: what it wants to find again at the next call, also in another process. The
	// conductor stores it with the node when a call ends, also one that failed.
	State map[string]string
}

// Label names the node for people.
func (n Node) Label() string { return baremetal.Node{UUID: n.UUID, Name: n.Name}.Label() }

// Format prints the node's label, whatever the verb: driver_info is not for logs or errors.
func (n Node) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.Label()) }

// LogValue implements slog.LogValuer, for the same reason.
func (n Node) LogValue() slog.Value { return slog.StringValue(n.Label()) }

// Logger is Log, with the node named, or one that drops all.
func (n Node) Logger() *slog.Logger {
	if n.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	if n.UUID == "" {
		return n.Log.With("node", n.Name)
	}
	return n.Log.With("node", n.UUID)
}

// Remember sets an entry of the driver's own state; an empty value removes it.
func (n *Node) Remember(key, value string) {
	if value == "" {
		delete(n.State, key)
		return
	}
	if n.State == nil {
		n.State = map[string]string{}
	}
	n.State[key] = value
}

// Power switches a server. Every driver has it, or its nodes have power interface noop.
type Power interface {
	// PowerState asks the hardware; empty: it does not know.
	PowerState(ctx context.Context, n *Node) (baremetal.PowerState, error)
	// Switch sends the command and returns when the hardware has taken it; [SetPower] waits for the effect.
	Switch(ctx context.Context, n *Node, target baremetal.PowerTarget) error
	// PowerTargets are those that the hardware can honour at all: Wake-on-LAN cannot switch off.
	PowerTargets() []baremetal.PowerTarget
}

// Blind is Power of hardware that cannot be asked: its PowerState is what it was last told, and the server may have been
// switched by other means since. So [SetPower] sends the command also to a server that is believed to be there.
//
// Switch takes a power off that is not among the PowerTargets too: it notes that somebody else has switched the server off.
type Blind interface {
	Power
	Blind()
}

// Located is Power that says in an error which hardware it means.
type Located interface {
	Power
	// Where names the hardware and its address, such as "BMC 192.0.2.7:623", of a node that Validate has nothing against.
	Where(n *Node) string
}

// BootDevice chooses what a server boots from.
type BootDevice interface {
	BootDevices() []string // those that SetBootDevice takes: pxe, disk, cdrom, bios, safe
	// BootDevice asks the hardware; empty: it does not know, or nothing is chosen.
	BootDevice(ctx context.Context, n *Node) (device string, persistent bool, err error)
	SetBootDevice(ctx context.Context, n *Node, device string, persistent bool) error
}

// BootMode chooses between BIOS and UEFI.
type BootMode interface {
	BootModes() []string // bios, uefi
	BootMode(ctx context.Context, n *Node) (string, error)
	SetBootMode(ctx context.Context, n *Node, mode string) error
}

// VirtualMedia shows a server an image as if it were in a drive.
type VirtualMedia interface {
	MediaDevices() []string // cdrom, floppy
	InsertMedia(ctx context.Context, n *Node, device, url string) error
	EjectMedia(ctx context.Context, n *Node, device string) error // nothing inserted: no error
}

// MediaReader is virtual media that tell what is inserted, by whomever.
type MediaReader interface {
	// InsertedMedia is the image's address, as far as the hardware tells; empty: nothing. What is behind its question mark may
	// open the image to anybody.
	InsertedMedia(ctx context.Context, n *Node, device string) (url string, err error)
}

// Console reaches a server's serial port.
type Console interface {
	// Console opens it: what the server writes there is read, what is written is typed. ctx is for the opening; close
	// it to free the port.
	Console(ctx context.Context, n *Node) (io.ReadWriteCloser, error)
}

// Inspector looks into a server without booting it.
type Inspector interface {
	Inspect(ctx context.Context, n *Node) (inventory.Inventory, error)
}

// Validator is hardware that finds more wrong with a node than keys that are missing. It does not ask the hardware.
type Validator interface {
	// Validate gives a [ParameterError] that names the key, or says what else the node lacks.
	Validate(n *Node) error
}
