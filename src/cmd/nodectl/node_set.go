package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"bosh-ironic-cpi/src/baremetal"
)

// nodeSet is "node set".
type nodeSet struct {
	ID      string   `arg:"" name:"node" help:"UUID or name."`
	Changes []string `arg:"" name:"change" help:"key=value, key=@FILE for secrets, or key- to remove."`
}

// Help is the end of the command's help.
func (nodeSet) Help() string {
	return "Keys: properties/…, extra/…, driver_info/…, instance_info/…, traits, and the node's own fields.\n\n" +
		"Examples:\n  nodectl node set rack-3-unit-7 resource_class=large properties/memory_mb=65536 traits=CUSTOM_SSD\n" +
		"  nodectl node set rack-3-unit-7 driver_info/ipmi_password=@password.txt extra/rack-"
}

// Run changes the node: all of the fields or none, then its traits.
func (s *nodeSet) Run(ctx context.Context, c *console) error {
	patch, traits, err := changes(s.Changes)
	if err != nil {
		return wrong(fmt.Errorf("node %s: %w", s.ID, err))
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	n, err := service.Node(ctx, s.ID)
	if err != nil {
		return err
	}
	if len(patch) > 0 {
		changed, err := service.Patch(ctx, n.UUID, patch)
		if err != nil {
			return about(n, err)
		}
		n = changed
	}
	if traits != nil {
		if err := service.rest.setTraits(ctx, n.UUID, traits); err != nil {
			return about(n, err)
		}
		if n, err = service.Node(ctx, n.UUID); err != nil {
			return err
		}
	}
	return c.printNode(n, nil)
}

// setTraits gives a node these traits and no others.
func (r *rest) setTraits(ctx context.Context, node string, traits []string) error {
	return r.ask(ctx, "set the traits of node "+node, http.MethodPut, "/nodes/"+url.PathEscape(node)+"/traits",
		map[string][]string{"traits": traits}, nil)
}

// changes reads what is to be set. traits is nil where they stay as they are.
func changes(texts []string) (patch baremetal.Patch, traits []string, err error) {
	for _, text := range texts {
		s, err := parseSetting(text)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case s.key == "traits":
			traits, err = s.traits()
			if err != nil {
				return nil, nil, err
			}
		case s.remove:
			patch = append(patch, baremetal.Remove("/"+s.key))
		default:
			patch = append(patch, baremetal.Add("/"+s.key, s.value))
		}
	}
	return patch, traits, nil
}
