package redfish

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// isOldDRAC tells of an iDRAC 7, 8, or 9 before 6.00: its boot target Cd is a drive of metal. The numbers of an iDRAC 10's
// firmware begin at 1 again, so its manager's model ("17G Monolithic") tells first.
func (b *bmc) isOldDRAC() bool {
	m := b.drac()
	if m == nil || b.isNewDRAC() {
		return false
	}
	major, _, _ := strings.Cut(m.FirmwareVersion, ".")
	version, err := strconv.Atoi(major)
	return err == nil && version < 6
}

func (b *bmc) isNewDRAC() bool {
	m := b.drac()
	if m == nil || len(m.Model) < 2 {
		return false
	}
	generation, err := strconv.Atoi(m.Model[:2])
	return err == nil && generation > 16
}

// drac is the manager of a Dell; nil: it is not one.
func (b *bmc) drac() *schemas.Manager {
	if !b.isVendor("dell") {
		return nil
	}
	m, err := b.theManager()
	if err != nil {
		return nil
	}
	return m
}

// holdsVirtualCD tells whether the CD that is to be booted from is a virtual one.
func (b *bmc) holdsVirtualCD() (bool, error) {
	all, err := b.allDrives()
	for _, v := range all {
		if rank(v, "cdrom") >= 0 && occupied(v) {
			return true, nil
		}
	}
	return false, err
}

// bootVirtualCD has an old iDRAC import a profile, as Dell's own tools do; it takes effect without a restart. The iDRAC
// refuses white space between the elements.
func (b *bmc) bootVirtualCD(ctx context.Context, persistent bool) error {
	target, err := b.importTarget()
	if err != nil {
		return err
	}
	once := "Enabled"
	if persistent {
		once = "Disabled"
	}
	profile := fmt.Sprintf(`<SystemConfiguration><Component FQDD="%s"><Attribute Name="ServerBoot.1#BootOnce">%s</Attribute>`+
		`<Attribute Name="ServerBoot.1#FirstBootDevice">VCD-DVD</Attribute></Component></SystemConfiguration>`, b.drac().ID, once)
	job := ""
	err = b.patiently(ctx, func() error {
		resp, err := b.client.Post(target, map[string]any{
			"ShareParameters": map[string]any{"Target": "ALL"}, "ImportBuffer": profile,
		})
		if err != nil {
			return err
		}
		job = resp.Header.Get("Location")
		return resp.Body.Close()
	})
	if err != nil || job == "" {
		return err
	}
	return b.finish(ctx, job)
}

// importTarget finds the action: its name has had several prefixes.
func (b *bmc) importTarget() (string, error) {
	var manager struct {
		Actions struct {
			Oem map[string]json.RawMessage
		}
	}
	_ = json.Unmarshal(b.drac().RawData, &manager)
	for name, raw := range manager.Actions.Oem {
		var action struct{ Target string }
		if strings.HasSuffix(name, "OemManager.ImportSystemConfiguration") && json.Unmarshal(raw, &action) == nil && action.Target != "" {
			return action.Target, nil
		}
	}
	return "", fmt.Errorf("%w: this iDRAC cannot boot from virtual media by Redfish: update its firmware", driver.ErrUnsupported)
}

// finish waits for a job, at its address or path.
func (b *bmc) finish(ctx context.Context, task string) error {
	task = strings.TrimPrefix(task, b.access.Address)
	var now schemas.Task
	return wait.Until(ctx, b.access.Patience.Media, "the iDRAC's job to end", func(context.Context) (bool, string, error) {
		now = schemas.Task{}
		err := b.get(task, &now)
		switch {
		case status(err) == http.StatusNotFound: // it has ended, and is forgotten
			return true, "", nil
		case err != nil:
			return false, "", err
		case now.TaskState == schemas.CompletedTaskState && now.TaskStatus != schemas.CriticalHealth:
			return true, "", nil
		case now.TaskState == schemas.ExceptionTaskState, now.TaskState == schemas.KilledTaskState,
			now.TaskState == schemas.CancelledTaskState, now.TaskState == schemas.CompletedTaskState:
			words := []string{}
			for _, m := range now.Messages {
				words = append(words, m.Message)
			}
			return false, "", fmt.Errorf("the iDRAC's job ended as %s: %s", now.TaskState, strings.Join(words, "; "))
		}
		return false, string(now.TaskState), nil
	})
}

// bootsVirtualCD reads back what bootVirtualCD sets; device is empty where nothing is set.
func (b *bmc) bootsVirtualCD() (device string, persistent bool, err error) {
	var attributes struct {
		Attributes struct {
			First string `json:"ServerBoot.1.FirstBootDevice"`
			Once  string `json:"ServerBoot.1.BootOnce"`
		}
	}
	err = b.get(b.drac().ODataID+"/Attributes", &attributes)
	if refused(err) {
		return "", false, nil
	}
	if err != nil || attributes.Attributes.First != "VCD-DVD" {
		return "", false, err
	}
	return "cdrom", attributes.Attributes.Once != "Enabled", nil
}
