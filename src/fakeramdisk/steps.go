package fakeramdisk

import (
	"context"
	"encoding/json"
	"fmt"
)

// stepParams are the parameters of execute_deploy_step and execute_clean_step.
type stepParams struct {
	Step step `json:"step"`
	Node node `json:"node"`
}

// A step is one of those below, as announced and as ordered. Args is what the order holds.
type step struct {
	Interface string          `json:"interface"`
	Name      string          `json:"step"`
	Priority  int             `json:"priority"`
	Args      json.RawMessage `json:"args,omitempty"`
	ArgsInfo  map[string]any  `json:"argsinfo,omitempty"`
	Abortable bool            `json:"abortable,omitempty"`
	Reboot    bool            `json:"reboot_requested"`
}

func announce(key string, steps []step) map[string]any {
	const manager = "generic_hardware_manager"
	return map[string]any{
		"hardware_manager_version": map[string]string{manager: "1.2"},
		key:                        map[string][]step{"GenericHardwareManager": steps},
	}
}

// deploySteps: without argsinfo Ironic refuses a step that an operator orders with arguments.
func deploySteps() []step {
	arg := func(text string, required bool) map[string]any {
		return map[string]any{"description": text, "required": required}
	}
	return []step{
		{Interface: "deploy", Name: "write_image"},
		{Interface: "deploy", Name: "inject_files", ArgsInfo: map[string]any{
			"files":     arg("files to inject: path, content (base64 or URL), mode, dirmode, owner, group, partition", true),
			"verify_ca": arg("whether to verify TLS certificates", false),
		}},
		{Interface: "deploy", Name: "erase_devices_metadata"},
		{Interface: "raid", Name: "apply_configuration", ArgsInfo: map[string]any{
			"raid_config":     arg("the configuration to apply", true),
			"delete_existing": arg("whether to delete what is there", false),
		}},
	}
}

func cleanSteps() []step {
	steps := []step{
		{Interface: "deploy", Name: "erase_devices_metadata", Priority: 99},
		{Interface: "deploy", Name: "erase_devices", Priority: 10},
		{Interface: "raid", Name: "create_configuration"},
		{Interface: "raid", Name: "delete_configuration"},
	}
	for _, name := range []string{"erase_devices_express", "burnin_cpu", "burnin_disk", "burnin_memory", "burnin_network"} {
		steps = append(steps, step{Interface: "deploy", Name: name})
	}
	for i := range steps {
		steps[i].Abortable = true
	}
	return steps
}

// execute does one step and returns its result, as the agent reports it.
func (m *machine) execute(ctx context.Context, s step) (any, error) {
	args := s.Args
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	switch s.Interface + "." + s.Name {
	case "deploy.write_image":
		var a imageArgs
		if err := json.Unmarshal(args, &a); err != nil {
			return nil, fmt.Errorf("arguments of write_image: %w", err)
		}
		return m.writeImage(ctx, a)
	case "deploy.inject_files":
		var a injectArgs
		if err := json.Unmarshal(args, &a); err != nil {
			return nil, fmt.Errorf("arguments of inject_files: %w", err)
		}
		return nil, m.injectFiles(ctx, a)
	case "deploy.erase_devices_metadata", "deploy.erase_devices_express":
		return nil, m.erase(metadataOnly)
	case "deploy.erase_devices":
		return nil, m.erase(everything)
	case "raid.create_configuration":
		return m.node.TargetRAIDConfig, nil
	case "raid.apply_configuration":
		var a struct {
			Config map[string]any `json:"raid_config"`
		}
		err := json.Unmarshal(args, &a)
		return a.Config, err
	case "raid.delete_configuration", "deploy.burnin_cpu", "deploy.burnin_disk", "deploy.burnin_memory",
		"deploy.burnin_network":
		return nil, nil
	}
	return nil, fmt.Errorf("no hardware manager found that can execute step %s of interface %s", s.Name, s.Interface)
}
