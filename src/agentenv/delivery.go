package agentenv

import (
	"fmt"
	"slices"
)

// A Delivery is a way for settings to reach the agent; the values of agent.settings_delivery.
type Delivery string

// The deliveries. Choose answers one of the latter two.
const (
	Auto        Delivery = "auto"
	ConfigDrive Delivery = "config_drive" // a partition that Ironic writes at the end of the root disk
	Inject      Delivery = "inject"       // a file that the deploy ramdisk writes into the image
)

// An Ask is what is known of one VM before its deployment.
type Ask struct {
	Want Delivery // empty is Auto

	DeployInterface string // Ironic's name: direct, custom-agent, fake, …
	NoDeploySteps   bool   // the Bare Metal API is older than 1.69 and takes no deploy steps
	BootMode        string // of the node: "bios", "uefi", or empty when not known

	Disks           int   // how many disks the server has; 0: not known
	RootDiskBytes   int64 // 0: not known
	EphemeralOnRoot bool  // no ephemeral disk, or it is the root disk

	Files              int      // how many files must be injected besides (Assignment.Files)
	StemcellAPIVersion int      // 1: the agent asks a registry; 0: not known, taken as new
	ImageBootModes     []string // what the image can boot by; empty: not known
}

// CanInject reports whether the deploy interface runs a ramdisk of ours that takes the inject_files step.
func (a Ask) CanInject() bool {
	return !a.NoDeploySteps && slices.Contains([]string{"direct", "custom-agent"}, a.DeployInterface)
}

const twoTiB = 2 << 40 // what an MBR can address with sectors of 512 bytes

// Choose decides how the settings reach the agent.
//
// Auto injects when the deploy interface can and the server has one disk, or an unknown number, or the ephemeral
// disk would be the root disk; else it takes the config drive. What would not boot, or make the agent fail, is
// refused with an error that wraps [ErrDelivery] and says what to change: a stock agent cannot partition a root
// disk that ends in a config drive, nor one of more than 2 TiB (both seen with bosh-agent v2.874.0 and parted).
func Choose(a Ask) (Delivery, error) {
	onRoot := a.EphemeralOnRoot || a.Disks == 1
	switch {
	case a.BootMode != "" && len(a.ImageBootModes) > 0 && !slices.Contains(a.ImageBootModes, a.BootMode):
		return "", refuse("the node boots in %s mode and the stemcell only in %q: "+
			"take another stemcell, or change the node's boot_mode", a.BootMode, a.ImageBootModes)
	case onRoot && a.RootDiskBytes > twoTiB:
		return "", refuse("the agent's data would be on a root disk of %d GiB, and stemcells partition at most 2048 GiB: "+
			"give an ephemeral disk, or a root device hint for a smaller disk", a.RootDiskBytes>>30)
	case a.Files > 0 && !a.CanInject():
		return "", refuse("bonds, VLANs, shared or unmanaged NICs need files in the image, and %s: "+
			"use deploy interface direct, or networks without them", a.cannot())
	}
	switch a.Want {
	case "", Auto:
		unsure := a.Disks <= 1 || a.EphemeralOnRoot
		if a.StemcellAPIVersion != 1 && a.CanInject() && unsure {
			return Inject, nil
		}
		return configDrive(a, onRoot)
	case ConfigDrive:
		return configDrive(a, onRoot)
	case Inject:
		if a.StemcellAPIVersion == 1 {
			return "", refuse("a stemcell of API version 1 asks the registry that its config drive names: " +
				"use settings_delivery config_drive, or a newer stemcell")
		}
		if !a.CanInject() {
			return "", refuse("%s: use deploy interface direct, or settings_delivery config_drive", a.cannot())
		}
		return Inject, nil
	}
	return "", refuse("settings_delivery %q is none of auto, config_drive, inject", a.Want)
}

func configDrive(a Ask, onRoot bool) (Delivery, error) {
	if !onRoot {
		return ConfigDrive, nil
	}
	why := "the ephemeral disk is the root disk"
	if a.Disks == 1 {
		why = "the server has one disk"
	}
	advice := "use settings_delivery inject"
	switch {
	case a.StemcellAPIVersion == 1:
		advice = "use a newer stemcell and settings_delivery inject"
	case !a.CanInject():
		advice = "use deploy interface direct with settings_delivery inject"
	}
	return "", refuse("%s, and the agent cannot partition a disk that ends in a config drive: %s, or give a second disk", why, advice)
}

// cannot says why nothing can be injected.
func (a Ask) cannot() string {
	if a.NoDeploySteps {
		return "this Bare Metal API takes no deploy steps (it needs 1.69)"
	}
	return fmt.Sprintf("deploy interface %q cannot inject", a.DeployInterface)
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDelivery, fmt.Errorf(format, args...))
}
