package ssh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/virsh"
	"bosh-ironic-cpi/src/wait"
)

// domainName is where the node's state has the name of the domain that was found last: to look there first saves a command
// for each domain before it.
const domainName = "domain"

// find gives the name of the domain that has one of the node's MAC addresses. It looks several times: libvirt is without
// a domain for a moment while it is defined anew.
func (h hardware) find(ctx context.Context, n *driver.Node, r *remote) (string, error) {
	if name := n.State[domainName]; name != "" {
		if is, err := r.has(ctx, n, name); err != nil || is {
			return name, err
		}
		n.Remember(domainName, "")
	}
	for look := 1; ; look++ {
		name, others, err := r.look(ctx, n)
		if err != nil {
			return "", err
		}
		if name != "" {
			n.Remember(domainName, name)
			return name, nil
		}
		if look >= h.looks {
			return "", fmt.Errorf("ssh %s: no domain has one of its MAC addresses (%s): there are %s",
				r.address, strings.Join(n.MACs, ", "), some(others))
		}
		if err := wait.Pause(ctx, h.pause); err != nil {
			return "", fmt.Errorf("ssh %s: %w", r.address, err)
		}
	}
}

// look goes through all domains, in the host's order, until one is the node's.
func (r *remote) look(ctx context.Context, n *driver.Node) (name string, others []string, err error) {
	answer, err := r.run(ctx, virsh.ListAll, "", "")
	if err != nil {
		return "", nil, err
	}
	for _, name := range virsh.ParseNames(answer.Stdout) {
		if is, err := r.has(ctx, n, name); err != nil || is {
			return name, nil, err
		}
		others = append(others, name)
	}
	return "", others, nil
}

// has tells whether a domain has one of the node's MAC addresses.
func (r *remote) has(ctx context.Context, n *driver.Node, domain string) (bool, error) {
	answer, err := r.run(ctx, virsh.MACs, domain, "")
	if err != nil {
		return false, err
	}
	theirs := virsh.ParseMACs(answer.Stdout)
	return slices.ContainsFunc(n.MACs, func(mac string) bool { return slices.Contains(theirs, virsh.NormalMAC(mac)) }), nil
}

// some names domains for people, not all of a hundred.
func some(names []string) string {
	const enough = 8
	if len(names) == 0 {
		return "none"
	}
	text := fmt.Sprintf("%q", names[:min(len(names), enough)])
	if len(names) > enough {
		text += fmt.Sprintf(" and %d more", len(names)-enough)
	}
	return text
}
