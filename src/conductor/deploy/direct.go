package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/wait"
)

// Direct has the deploy ramdisk fetch the image and write it.
type Direct struct {
	ramdisk Ramdisk
	client  *http.Client
	settles time.Duration // how long a server may take to go off once its ramdisk is silent, where nobody can see it
}

var _ conductor.Deployer = (*Direct)(nil)

// NewDirect makes the interface.
func NewDirect(ramdisk Ramdisk) *Direct {
	client := &http.Client{Transport: &http.Transport{IdleConnTimeout: 10 * time.Second, MaxIdleConnsPerHost: 2}}
	return &Direct{ramdisk: ramdisk, client: client, settles: 5 * time.Second}
}

// Close closes connections that nobody uses.
func (d *Direct) Close() { d.client.CloseIdleConnections() }

// Needs implements conductor.Worker: the ramdisk is booted, and the instance after it. A server that is off needs no more
// than to be switched on, because the ramdisk switches it off again.
func (d *Direct) Needs(n *conductor.Node) []baremetal.PowerTarget {
	if n.PowerState == baremetal.PowerOff {
		return []baremetal.PowerTarget{baremetal.TargetOn}
	}
	return []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff}
}

// Validate implements conductor.Deployer: an image, and something to know it by.
func (d *Direct) Validate(n *conductor.Node) error {
	info := n.Details.InstanceInfo.Map()
	source, _ := info["image_source"].(string)
	if source == "" {
		return fmt.Errorf("Node %s failed to validate deploy image info. Some parameters were missing. Missing are: ['instance_info.image_source']", n.UUID)
	}
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		return fmt.Errorf("instance_info.image_source of node %s is no http or https URL, which is all that is fetched here", n.UUID)
	}
	algo, _ := info["image_os_hash_algo"].(string)
	value, _ := info["image_os_hash_value"].(string)
	sum, _ := info["image_checksum"].(string)
	if sum == "" && (algo == "" || value == "") {
		return fmt.Errorf("image_checksum or image_os_hash_algo and image_os_hash_value are required for direct deploys with http or https links as image_source; node %s has neither", n.UUID)
	}
	return nil
}

// The steps that the conductor carries out itself. Their names and priorities are Ironic's.
const (
	stepDeploy       = "deploy"
	stepWriteImage   = "write_image"
	stepPrepareBoot  = "prepare_instance_boot"
	stepTearDown     = "tear_down_agent"
	stepTenant       = "switch_to_tenant_network"
	stepBootInstance = "boot_instance"
	stepPrepareClean = "prepare_cleaning" // ours: booting the ramdisk
)

// Prepare implements conductor.Worker: no server is booted for an image that is not there.
func (d *Direct) Prepare(ctx context.Context, t *conductor.Task, kind string) error {
	if kind != conductor.WorkDeploy {
		return nil
	}
	if err := d.reachable(ctx, t.Node); err != nil {
		return err
	}
	return t.Save(ctx, func(n *conductor.Node) { // clients of Ironic find it here, masked
		info := n.Details.InstanceInfo
		n.Details.InstanceInfo = info.With(map[string]any{"image_url": info.Map()["image_source"]})
	})
}

// TakeOver implements conductor.Worker: the ramdisk calls whoever is there.
func (d *Direct) TakeOver(context.Context, *conductor.Task) error { return nil }

// Steps implements conductor.Deployer. Steps of the ramdisk are added when it has called.
func (d *Direct) Steps(_ *conductor.Task, kind string, _ []conductor.Step) ([]conductor.Step, error) {
	step := func(name string, priority int) conductor.Step {
		return conductor.Step{Interface: "deploy", Step: name, Priority: priority}
	}
	if kind == conductor.WorkClean {
		return []conductor.Step{step(stepPrepareClean, 0)}, nil
	}
	return []conductor.Step{
		step(stepDeploy, 100), step(stepWriteImage, 80), step(stepPrepareBoot, 60), step(stepTearDown, 40), step(stepTenant, 30), step(stepBootInstance, 20),
	}, nil
}

// Run implements conductor.Deployer.
func (d *Direct) Run(ctx context.Context, t *conductor.Task, s conductor.Step) (conductor.Result, error) {
	switch {
	case s.InBand:
		return d.inBand(ctx, t, s, s.Args)
	case s.Step == stepDeploy, s.Step == stepPrepareClean:
		return d.bootRamdisk(ctx, t)
	case s.Step == stepWriteImage:
		args, err := imageArgs(t.Node)
		if err != nil {
			return conductor.Done, err
		}
		return d.inBand(ctx, t, s, args)
	case s.Step == stepPrepareBoot:
		return conductor.Done, t.SetBootDevice(ctx, "disk", true)
	case s.Step == stepTearDown:
		return conductor.Done, d.powerOff(ctx, t)
	case s.Step == stepTenant:
		return conductor.Done, nil
	case s.Step == stepBootInstance:
		return conductor.Done, t.SetPower(ctx, baremetal.TargetOn)
	}
	return conductor.Done, unknownStep(t.Node, t.Node.Details.Work.Kind, s)
}

// bootRamdisk starts the server with the ramdisk, and, once that has called, plans what it is to do.
func (d *Direct) bootRamdisk(ctx context.Context, t *conductor.Task) (conductor.Result, error) {
	if t.Event == "" {
		return conductor.Wait(conductor.EventHeartbeat, 0), d.ramdisk.boot(ctx, t)
	}
	a, err := d.agentOf(t.Node)
	if err != nil {
		return conductor.Done, err
	}
	ports, err := t.Ports(ctx)
	if err != nil {
		return conductor.Done, err
	}
	work := t.Node.Details.Work
	offered, err := a.steps(ctx, work.Kind, t.Node, ports)
	if errors.Is(err, errBusy) {
		return conductor.Wait(conductor.EventHeartbeat, 0), nil
	}
	if err != nil {
		return conductor.Done, err
	}
	more, err := chosen(t.Node, offered)
	if err != nil {
		return conductor.Done, err
	}
	return conductor.Done, t.Plan(ctx, more)
}

// chosen is what of the ramdisk's offer is done: what the operator asked for, else what has a priority.
func chosen(n *conductor.Node, offered []conductor.Step) ([]conductor.Step, error) {
	work := n.Details.Work
	asked := work.Asked()
	var plan []conductor.Step
	for _, s := range asked {
		known := slices.ContainsFunc(offered, func(o conductor.Step) bool { return o.Interface == s.Interface && o.Step == s.Step })
		if !known {
			return nil, fmt.Errorf("Failed to validate the final %s steps list for node %s: %w", work.Kind, n.UUID, unknownStep(n, work.Kind, s))
		}
		s.InBand = true
		if work.Manual {
			s.Priority = 0 // in the order given
		}
		plan = append(plan, s)
	}
	if work.Manual {
		return plan, nil
	}
	overridden := map[string]bool{}
	for _, s := range asked {
		overridden[s.Interface+"."+s.Step] = true
	}
	for _, o := range offered {
		if o.Priority > 0 && !overridden[o.Interface+"."+o.Step] {
			plan = append(plan, o)
		}
	}
	slices.SortStableFunc(plan, func(a, b conductor.Step) int {
		return cmp.Or(b.Priority-a.Priority, strings.Compare(a.Step, b.Step))
	})
	return plan, nil
}

// posted is the work's entry for the command that a step is waiting for.
const posted = "command"

// inBand has the ramdisk carry a step out. It calls again when it is done; until then the node waits.
func (d *Direct) inBand(ctx context.Context, t *conductor.Task, s conductor.Step, args map[string]any) (conductor.Result, error) {
	kind := t.Node.Details.Work.Kind
	fail := func(err error) (conductor.Result, error) { return conductor.Done, err }
	a, err := d.agentOf(t.Node)
	if err != nil {
		return fail(err)
	}
	if id, _ := t.Node.Details.Work.Data[posted].(string); id != "" {
		last, there, err := a.last(ctx)
		switch {
		case err != nil:
			return fail(err)
		case there && last.ID == id && last.Status == "FAILED":
			return fail(last.failure())
		case there && last.ID == id && last.Status == "SUCCEEDED":
			return conductor.Done, t.Remember(ctx, posted, nil)
		case there && last.ID == id:
			return conductor.Wait(conductor.EventHeartbeat, 0), nil
		}
		return fail(errors.New("the ramdisk was started again in the middle of the step"))
	}
	ports, err := t.Ports(ctx)
	if err != nil {
		return fail(err)
	}
	step := map[string]any{"interface": s.Interface, "step": s.Step, "priority": s.Priority, "args": args, "reboot_requested": false}
	if args == nil {
		step["args"] = map[string]any{}
	}
	c, err := a.post(ctx, kind+".execute_"+kind+"_step", map[string]any{
		"step": step, "node": forAgent(t.Node), "ports": portsForAgent(ports), kind + "_version": map[string]any{},
	}, false)
	if errors.Is(err, errBusy) {
		return conductor.Wait(conductor.EventHeartbeat, 0), nil
	}
	if err != nil {
		return fail(err)
	}
	if err := t.Remember(ctx, posted, c.ID); err != nil {
		return fail(err)
	}
	return conductor.Wait(conductor.EventHeartbeat, 0), nil
}

// powerOff has the ramdisk end in order, and switches off what does not. Where nothing but the ramdisk can switch off, it
// gets more time.
func (d *Direct) powerOff(ctx context.Context, t *conductor.Task) error {
	alone := !t.CanSwitchOff()
	if alone && t.Node.PowerState == baremetal.PowerOff { // repeated after a crash
		return nil
	}
	pace := wait.Pace{First: 50 * time.Millisecond, Every: time.Second, Limit: 10 * time.Second}
	if alone {
		pace.Limit = 2 * time.Minute
	}
	a, err := d.agentOf(t.Node)
	if err == nil {
		_, err = a.post(ctx, "standby.power_off", map[string]any{}, false)
	}
	if err == nil {
		err = wait.Until(ctx, pace, "the ramdisk to power off", func(ctx context.Context) (bool, string, error) {
			state, err := t.PowerState(ctx)
			_, there, gone := a.last(ctx)
			return state == baremetal.PowerOff || gone != nil || !there, string(state), err
		})
	}
	switch {
	case !alone:
		return d.ramdisk.end(ctx, t)
	case err != nil:
		return fmt.Errorf("the ramdisk alone can switch node %s off, and does not: %w", t.Node.UUID, err)
	}
	if err := wait.Pause(ctx, d.settles); err != nil { // no packet wakes a server that is still going down
		return err
	}
	return t.WentOff(ctx)
}

// TearDown implements conductor.Deployer. A server that cannot be switched off is off: see Needs.
func (d *Direct) TearDown(ctx context.Context, t *conductor.Task) error {
	if !t.CanSwitchOff() {
		return nil
	}
	return t.SetPower(ctx, baremetal.TargetOff)
}

// CleanUp implements conductor.Worker: nothing is left running.
func (d *Direct) CleanUp(ctx context.Context, t *conductor.Task, _ bool) error {
	if !t.CanSwitchOff() {
		return d.powerOff(ctx, t)
	}
	return d.ramdisk.end(ctx, t)
}

// reachable asks for the image's head, so that a server is not booted for an image that is not there.
func (d *Direct) reachable(ctx context.Context, n *conductor.Node) error {
	source, _ := n.Details.InstanceInfo.Map()["image_source"].(string)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, source, nil)
	if err != nil {
		return errors.New("instance_info.image_source is no URL")
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return fmt.Errorf("Validation of image href %s failed, reason: %w", plain(source), bare(err))
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("Validation of image href %s failed, reason: Got HTTP code %d instead of 200 in response to HEAD request.", plain(source), resp.StatusCode)
	}
	return nil
}
