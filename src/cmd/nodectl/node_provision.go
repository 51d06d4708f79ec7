package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"bosh-ironic-cpi/src/baremetal"
)

// nodeProvision is "node provision".
type nodeProvision struct {
	ID                 string        `arg:"" name:"node" help:"UUID or name."`
	Verb               string        `arg:"" enum:"manage,provide,inspect,clean,active,deleted,rebuild,abort,adopt,rescue,unrescue" help:"${enum}."`
	ConfigDrive        string        `placeholder:"FILE" help:"With active and rebuild: an image, a directory to make one of, an URL, or what Ironic takes already."`
	CleanSteps         string        `placeholder:"FILE" help:"With clean: YAML or JSON list of {interface, step, args}; - is standard input."`
	DeploySteps        string        `placeholder:"FILE" help:"With active and rebuild: YAML or JSON list of {interface, step, priority, args}."`
	RescuePasswordFile string        `placeholder:"FILE" help:"With rescue: file with the password of the rescue ramdisk's user."`
	Wait               bool          `help:"Wait for the end, and say on the way where the node stands."`
	Limit              time.Duration `default:"1h" help:"How long to wait."`
}

// Help is the end of the command's help.
func (nodeProvision) Help() string {
	return "Examples:\n  nodectl node provision rack-3-unit-7 provide --wait\n" +
		"  nodectl node provision rack-3-unit-7 active --config-drive drive.iso --wait --limit 30m"
}

// ends says in which states a verb comes to its end. Where there are several, the node or the moment decides.
var ends = map[baremetal.Verb][]baremetal.ProvisionState{
	baremetal.VerbManage:   {baremetal.Manageable},
	baremetal.VerbProvide:  {baremetal.Available},
	baremetal.VerbInspect:  {baremetal.Manageable},
	baremetal.VerbClean:    {baremetal.Manageable},
	baremetal.VerbActive:   {baremetal.Active},
	baremetal.VerbRebuild:  {baremetal.Active},
	baremetal.VerbDeleted:  {baremetal.Available, baremetal.Manageable}, // manageable: a retired node
	baremetal.VerbAbort:    {baremetal.CleanFailed, baremetal.InspectFailed, baremetal.RescueFailed, baremetal.DeployFailed, baremetal.Manageable},
	baremetal.VerbAdopt:    {baremetal.Active},
	baremetal.VerbRescue:   {baremetal.Rescue},
	baremetal.VerbUnrescue: {baremetal.Active},
}

// Run sends the verb.
func (p *nodeProvision) Run(ctx context.Context, c *console) error {
	body, err := p.body(c)
	if err != nil {
		return fmt.Errorf("node %s: %s: %w", p.ID, p.Verb, err)
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	n, err := service.Node(ctx, p.ID)
	if err != nil {
		return err
	}
	if err := p.send(ctx, service, n, body); err != nil {
		return about(n, err)
	}
	if !p.Wait {
		c.note("node %s: asked for %s", n.Label(), p.Verb)
		return nil
	}
	_, err = c.settle(ctx, service, n, body.Target, p.Limit)
	return about(n, err)
}

// settle waits for the end of a verb that the service has taken.
func (c *console) settle(
	ctx context.Context, service *api, n baremetal.Node, verb baremetal.Verb, limit time.Duration,
) (baremetal.Node, error) {
	return c.follow(ctx, service, n, func(ctx context.Context) (baremetal.Node, error) {
		return service.Settle(ctx, n.UUID, limit, ends[verb]...)
	})
}

func (p *nodeProvision) send(ctx context.Context, service *api, n baremetal.Node, body baremetal.Provision) error {
	if p.RescuePasswordFile == "" {
		return service.Provision(ctx, n.UUID, body)
	}
	password, err := readLine(p.RescuePasswordFile)
	if err != nil {
		return wrong(fmt.Errorf("node %s: --rescue-password-file: %w", p.ID, err))
	}
	return service.rest.ask(ctx, "ask node "+n.UUID+" for rescue", http.MethodPut,
		"/nodes/"+url.PathEscape(n.UUID)+"/states/provision",
		map[string]any{"target": body.Target, "rescue_password": password}, nil)
}

// body puts the files of the command line into Ironic's words. A flag that the verb does not take is a mistake.
func (p *nodeProvision) body(c *console) (baremetal.Provision, error) {
	body := baremetal.Provision{Target: baremetal.Verb(p.Verb)}
	deploys := []string{"active", "rebuild"}
	for _, flag := range []struct {
		name, value string
		verbs       []string
	}{
		{"--config-drive", p.ConfigDrive, deploys},
		{"--deploy-steps", p.DeploySteps, deploys},
		{"--clean-steps", p.CleanSteps, []string{"clean"}},
		{"--rescue-password-file", p.RescuePasswordFile, []string{"rescue"}},
	} {
		if flag.value != "" && !slices.Contains(flag.verbs, p.Verb) {
			return body, wrong(fmt.Errorf("%s goes with %s", flag.name, strings.Join(flag.verbs, " and ")))
		}
	}
	switch {
	case body.Target == baremetal.VerbClean && p.CleanSteps == "":
		return body, wrong(errors.New("manual cleaning needs --clean-steps; automated cleaning comes with provide"))
	case body.Target == baremetal.VerbRescue && p.RescuePasswordFile == "":
		return body, wrong(errors.New("--rescue-password-file is missing"))
	}
	var err error
	if p.ConfigDrive != "" {
		if body.ConfigDrive, err = configDriveOf(p.ConfigDrive); err != nil {
			return body, wrong(fmt.Errorf("--config-drive: %w", err))
		}
	}
	if body.CleanSteps, err = c.steps(p.CleanSteps); err != nil {
		return body, wrong(fmt.Errorf("--clean-steps: %w", err))
	}
	if body.DeploySteps, err = c.steps(p.DeploySteps); err != nil {
		return body, wrong(fmt.Errorf("--deploy-steps: %w", err))
	}
	return body, nil
}

// steps reads a file of clean or deploy steps; no file is no steps.
func (c *console) steps(file string) ([]baremetal.Step, error) {
	if file == "" {
		return nil, nil
	}
	text, err := c.read(file)
	if err != nil {
		return nil, err
	}
	var list []struct {
		Interface string         `yaml:"interface"`
		Step      string         `yaml:"step"`
		Priority  int            `yaml:"priority"`
		Args      map[string]any `yaml:"args"`
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: want a list of steps: %w", file, err)
	}
	steps := make([]baremetal.Step, len(list))
	for i, s := range list {
		if s.Interface == "" || s.Step == "" {
			return nil, fmt.Errorf("%s: [%d]: interface and step are required", file, i)
		}
		steps[i] = baremetal.Step{Interface: s.Interface, Step: s.Step, Priority: s.Priority, Args: s.Args}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%s: there is no step in it", file)
	}
	return steps, nil
}
