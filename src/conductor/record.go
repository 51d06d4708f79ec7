package conductor

import (
	"encoding/json"
	"fmt"
)

// A Kind is a sort of [Row]: everything but nodes.
type Kind string

// The kinds.
const (
	KindPort       Kind = "port"
	KindPortgroup  Kind = "portgroup"
	KindChassis    Kind = "chassis"
	KindAllocation Kind = "allocation"
	KindConductor  Kind = "conductor"
	KindHistory    Kind = "history"
	KindInventory  Kind = "inventory"
	KindTemplate   Kind = "deploy_template"
	KindShared     Kind = "shared"
)

// A Row is a stored record of any kind.
type Row struct {
	ID       int64 // order of creation; zero: not stored yet
	Kind     Kind
	UUID     string // unique in its kind
	Name     string // unique in its kind; empty: none
	NodeUUID string // whose it is; empty: nobody's
	Document []byte // JSON
}

// A Port is a NIC of a node.
type Port struct {
	UUID                string `json:"uuid"`
	NodeUUID            string `json:"node_uuid"`
	Address             string `json:"address"`
	PXEEnabled          bool   `json:"pxe_enabled"`
	PhysicalNetwork     string `json:"physical_network,omitempty"`
	PortgroupUUID       string `json:"portgroup_uuid,omitempty"`
	IsSmartNIC          bool   `json:"is_smartnic,omitempty"`
	Name                string `json:"name,omitempty"`
	LocalLinkConnection Object `json:"local_link_connection,omitempty"`
	Extra               Object `json:"extra,omitempty"`
	InternalInfo        Object `json:"internal_info,omitempty"`
	CreatedAt           Time   `json:"created_at"`
	UpdatedAt           Time   `json:"updated_at,omitempty"`
}

// A Portgroup is a bond of ports.
type Portgroup struct {
	UUID                     string `json:"uuid"`
	NodeUUID                 string `json:"node_uuid"`
	Name                     string `json:"name,omitempty"`
	Address                  string `json:"address,omitempty"`
	Mode                     string `json:"mode,omitempty"`
	StandalonePortsSupported bool   `json:"standalone_ports_supported"`
	Properties               Object `json:"properties,omitempty"`
	Extra                    Object `json:"extra,omitempty"`
	InternalInfo             Object `json:"internal_info,omitempty"`
	CreatedAt                Time   `json:"created_at"`
	UpdatedAt                Time   `json:"updated_at,omitempty"`
}

// A Chassis groups nodes.
type Chassis struct {
	UUID        string `json:"uuid"`
	Description string `json:"description,omitempty"`
	Extra       Object `json:"extra,omitempty"`
	CreatedAt   Time   `json:"created_at"`
	UpdatedAt   Time   `json:"updated_at,omitempty"`
}

// An Allocation is a wish for a node, and the node that it got.
type Allocation struct {
	UUID           string   `json:"uuid"`
	Name           string   `json:"name,omitempty"`
	NodeUUID       string   `json:"node_uuid,omitempty"`
	ResourceClass  string   `json:"resource_class,omitempty"`
	CandidateNodes []string `json:"candidate_nodes,omitempty"` // UUIDs
	Traits         []string `json:"traits,omitempty"`
	Owner          string   `json:"owner,omitempty"`
	State          string   `json:"state"` // allocating, active, error
	LastError      string   `json:"last_error,omitempty"`
	Extra          Object   `json:"extra,omitempty"`
	CreatedAt      Time     `json:"created_at"`
	UpdatedAt      Time     `json:"updated_at,omitempty"`
}

// A Registration is a conductor's row, good until its lease ends.
type Registration struct {
	Hostname    string   `json:"hostname"`
	Group       string   `json:"group,omitempty"`
	Drivers     []string `json:"drivers"`
	Until       Time     `json:"until"`
	Incarnation string   `json:"incarnation,omitempty"` // changes with each start
	CreatedAt   Time     `json:"created_at"`
	UpdatedAt   Time     `json:"updated_at"`
}

// Alive reports whether the lease still runs.
func (r *Registration) Alive() bool { return r.Until > Now() }

// An Incident is a line of a node's history.
type Incident struct {
	UUID      string `json:"uuid"`
	NodeUUID  string `json:"node_uuid"`
	Conductor string `json:"conductor"`
	Severity  string `json:"severity"`
	EventType string `json:"event_type"`
	Event     string `json:"event"`
	CreatedAt Time   `json:"created_at"`
}

// A NodeInventory is what inspection found, as the API answers it.
type NodeInventory struct {
	NodeUUID  string          `json:"node_uuid"`
	Inventory json.RawMessage `json:"inventory"`
	Plugin    json.RawMessage `json:"plugin_data"`
}

// A Shared is a random text that the conductors of a store know.
type Shared struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A Record is anything that is stored as a Row.
type Record interface{ row() Row }

func (p *Port) row() Row {
	return Row{Kind: KindPort, UUID: p.UUID, Name: p.Address, NodeUUID: p.NodeUUID}
}

func (p *Portgroup) row() Row {
	return Row{Kind: KindPortgroup, UUID: p.UUID, Name: p.Name, NodeUUID: p.NodeUUID}
}
func (c *Chassis) row() Row { return Row{Kind: KindChassis, UUID: c.UUID} }
func (a *Allocation) row() Row {
	return Row{Kind: KindAllocation, UUID: a.UUID, Name: a.Name, NodeUUID: a.NodeUUID}
}

func (r *Registration) row() Row {
	return Row{Kind: KindConductor, UUID: r.Hostname, Name: r.Hostname}
}
func (i *Incident) row() Row { return Row{Kind: KindHistory, UUID: i.UUID, NodeUUID: i.NodeUUID} }
func (s *Shared) row() Row   { return Row{Kind: KindShared, UUID: s.Name, Name: s.Name} }
func (i *NodeInventory) row() Row {
	return Row{Kind: KindInventory, UUID: i.NodeUUID, NodeUUID: i.NodeUUID}
}

// Put stores a record, new or changed.
func Put(tx Tx, r Record) error {
	row, err := document(r)
	if err != nil {
		return err
	}
	return tx.PutRow(row)
}

// Add stores a record that is new. ErrTaken: its UUID, or its name, is not.
func Add(tx Tx, r Record) error {
	row, err := document(r)
	if err != nil {
		return err
	}
	return tx.AddRow(row)
}

func document(r Record) (Row, error) {
	row := r.row()
	var err error
	if row.Document, err = json.Marshal(r); err != nil {
		return row, fmt.Errorf("store %s %s: %w", row.Kind, row.UUID, err)
	}
	return row, nil
}

// Get finds a record by its UUID or name. ErrNotFound.
func Get[R any, P interface {
	*R
	Record
}](tx Tx, ident string) (*R, error) {
	r := new(R)
	kind := P(r).row().Kind
	row, err := tx.Row(kind, ident)
	if err != nil {
		return nil, err
	}
	return r, decode(row, r)
}

// All lists records in order of creation.
func All[R any, P interface {
	*R
	Record
}](tx Tx, q RowQuery) ([]*R, error) {
	q.Kind = P(new(R)).row().Kind
	rows, err := tx.Rows(q)
	if err != nil {
		return nil, err
	}
	all := make([]*R, len(rows))
	for i, row := range rows {
		all[i] = new(R)
		if err := decode(row, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func decode(row Row, into any) error {
	if err := json.Unmarshal(row.Document, into); err != nil {
		return fmt.Errorf("stored %s %s: %w", row.Kind, row.UUID, err)
	}
	return nil
}
