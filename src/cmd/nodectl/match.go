package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/placement"
)

// match is "match".
type match struct {
	File       string        `short:"f" required:"" placeholder:"FILE" help:"Cloud-config, or a manifest for bosh create-env; - is standard input."`
	VMType     []string      `name:"vm-type" placeholder:"NAME" help:"Only these VM types."`
	AZ         string        `name:"az" placeholder:"NAME" help:"As an instance of this availability zone: its cloud properties count as well."`
	Extension  []string      `placeholder:"NAME" help:"With these VM extensions, in this order."`
	ZoneField  string        `placeholder:"FIELD" help:"placement.zone_field of the CPI's configuration: conductor_group, chassis, owner, properties/KEY."`
	Director   string        `placeholder:"UUID" help:"Ask as this Director."`
	FailedLast time.Duration `default:"1h" help:"placement.failed_last of the CPI's configuration."`
}

// Help is the end of the command's help.
func (match) Help() string {
	return "Examples:\n  nodectl match -f cloud-config.yml\n  bosh cloud-config | nodectl match -f - --vm-type large --az z1 --zone-field conductor_group"
}

// A matched is what came of one VM type.
type matched struct {
	VMType string   `json:"vm_type"`
	Note   string   `json:"note"` // what is to be known of the whole
	Fits   []fit    `json:"fits"` // best first
	Misses []misfit `json:"misses"`
}

type fit struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

type misfit struct {
	fit
	Failed []string `json:"failed"`
}

// Run asks package placement, as the CPI does, for each VM type.
func (m *match) Run(ctx context.Context, c *console) error {
	text, err := c.read(m.File)
	if err != nil {
		return err
	}
	types, unknown, err := m.vmTypes(text)
	if err != nil {
		return wrong(fmt.Errorf("%s: %w", m.File, err))
	}
	for _, u := range unknown {
		c.note("%s: %s", m.File, u)
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	var nodes []placement.Candidate
	query := client.NodeQuery{Whole: m.ZoneField == "chassis"} // a list of single fields lacks it (Ironic 21.4)
	err = service.EachNode(ctx, query, func(n baremetal.Node) error {
		nodes = append(nodes, candidateOf(n, m.FailedLast))
		return nil
	})
	if err != nil {
		return err
	}
	list := []matched{}
	for _, t := range types {
		found, err := m.match(ctx, service, t, nodes)
		if err != nil {
			return fmt.Errorf("VM type %s: %w", t.name, err)
		}
		list = append(list, found)
	}
	return c.print(answerOf(list))
}

// match orders the nodes for one VM type, and asks of each of the others why not.
func (m *match) match(ctx context.Context, service *api, t vmType, nodes []placement.Candidate) (matched, error) {
	found := matched{VMType: t.name, Fits: []fit{}, Misses: []misfit{}}
	ask, err := m.ask(ctx, service, t)
	if err != nil {
		return found, err
	}
	if len(t.IronicParams) > 0 {
		found.Note = "ironic_params: where no node has these macs, the CPI makes one"
	}
	best, err := placement.Candidates(nodes, ask)
	if err != nil && !errors.Is(err, placement.ErrNoneFits) {
		return found, err
	}
	fits := map[string]bool{}
	for _, b := range best {
		fits[b.Node.UUID] = true
		found.Fits = append(found.Fits, fit{b.Node.UUID, b.Node.Name})
	}
	for _, n := range nodes {
		if fits[n.Node.UUID] {
			continue
		}
		_, err := placement.Candidates([]placement.Candidate{n}, ask)
		missed := misfit{fit{n.Node.UUID, n.Node.Name}, []string{"has none of the macs"}}
		if no, ok := errors.AsType[*placement.NoFit](err); ok && len(no.Misses) > 0 {
			missed.Failed = no.Misses[0].Failed
		}
		found.Misses = append(found.Misses, missed)
	}
	return found, nil
}

// ask puts the VM type's wishes into placement's words, as the CPI does without a stemcell.
func (m *match) ask(ctx context.Context, service *api, t vmType) (placement.Ask, error) {
	ask := placement.Ask{
		Properties: t.IronicProperties, Traits: t.Traits, ResourceClass: t.ResourceClass,
		Capabilities: map[string]string{}, Director: m.Director,
	}
	for name, value := range t.Capabilities {
		ask.Capabilities[name] = fmt.Sprint(value)
	}
	if t.AvailabilityZone != "" && m.ZoneField != "" {
		ask.Zone = placement.Zone{Field: m.ZoneField, Value: t.AvailabilityZone}
	}
	if len(t.MACs) == 0 {
		return ask, nil
	}
	ask.Nodes = []string{}
	for _, mac := range t.MACs {
		port, err := service.PortByMAC(ctx, strings.ToLower(strings.ReplaceAll(mac, "-", ":")))
		switch {
		case errors.Is(err, baremetal.ErrNotFound):
		case err != nil:
			return ask, err
		case !slices.Contains(ask.Nodes, port.NodeUUID):
			ask.Nodes = append(ask.Nodes, port.NodeUUID)
		}
	}
	return ask, nil
}

// candidateOf puts a node into placement's words, with what the CPI has written on it.
func candidateOf(n baremetal.Node, failedLast time.Duration) placement.Candidate {
	candidate := placement.Candidate{Node: n}
	h, err := holdingOf(n)
	if err != nil {
		candidate.Claimed = err.Error()
		return candidate
	}
	candidate.HoldsDisks = h.diskCIDs()
	if h.Failed != nil && time.Since(h.Failed.At) < failedLast {
		candidate.FailedAt = h.Failed.At
	}
	if h.claim() != "" {
		candidate.HeldBy = h.Director
	}
	switch {
	case h.kept():
		if n.InstanceUUID == h.claim() { // a reservation, no VM
			candidate.Node.InstanceUUID = ""
		}
	case h.expired(time.Now()):
		candidate.Claimed = fmt.Sprintf("VM %s, step %q, abandoned: its Director takes the node over when no other fits", h.vmCID(), h.Step)
	case h.inProgress():
		candidate.Claimed = fmt.Sprintf("VM %s, step %q", h.vmCID(), h.Step)
	case h.claim() != "":
		candidate.Claimed = "VM " + h.vmCID()
	}
	return candidate
}

func answerOf(list []matched) answer {
	a := answer{head: []string{"VM_TYPE", "PLACE", "NODE", "WHY_NOT"}, value: list}
	row := func(cells ...string) { a.rows = append(a.rows, cells) }
	for _, found := range list {
		if found.Note != "" {
			row(found.VMType, "", "", found.Note)
		}
		for i, f := range found.Fits {
			row(found.VMType, strconv.Itoa(i+1), f.label())
			a.names = append(a.names, found.VMType+" "+f.label())
		}
		if len(found.Fits) == 0 {
			row(found.VMType, "none", "", placement.ErrNoneFits.Error())
		}
		for _, m := range found.Misses {
			row(found.VMType, "", m.label(), strings.Join(m.Failed, "; "))
		}
	}
	return a
}

func (f fit) label() string { return reference(baremetal.Node{UUID: f.UUID, Name: f.Name}) }
