package conductor

import (
	"context"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
)

// A Store keeps everything, durably, and may be shared by several processes. Package store has one.
type Store interface {
	// View reads one consistent state.
	View(ctx context.Context, read func(Tx) error) error
	// Update reads and writes all or nothing; it is on disk when Update returns nil. change may run more than once, and
	// sees nodes that nobody else can change meanwhile.
	Update(ctx context.Context, change func(Tx) error) error
}

// A Tx is one transaction. Its errors are [Error] with ErrNotFound, ErrTaken or ErrAssociated, or the store's own.
type Tx interface {
	Node(ident string) (*Node, error) // by UUID or name
	Nodes(q NodeQuery) ([]*Node, error)
	EachNode(q NodeQuery, each func(*Node) error) error // one after the other; the next one overwrites it
	PutNode(n *Node) error                              // new if its ID is zero
	DeleteNode(uuid string) error

	Row(kind Kind, ident string) (Row, error) // by UUID or name
	Rows(q RowQuery) ([]Row, error)
	PutRow(r Row) error // new or changed
	AddRow(r Row) error // new: ErrTaken where its UUID or name is not, also by who is faster at the same moment
	DeleteRow(kind Kind, uuid string) error
	DeleteRowsOf(nodeUUID string) error
}

// A NodeQuery selects nodes. Columns bear the names of the API's fields.
type NodeQuery struct {
	Where  []Condition
	SortBy string // default: order of creation
	Desc   bool
	After  string // UUID of the last node of the page before
	Limit  int    // zero: all
	Brief  bool   // without Details

	Only        []string // the columns that are read; nil: all
	OnlyDetails []string // the members of Details that are read, by their names in JSON; nil: all
}

// A Condition is one that a column must meet.
type Condition struct {
	Column string
	Op     string // = != contains
	Value  any
}

// A RowQuery selects rows of a kind, in order of creation.
type RowQuery struct {
	Kind     Kind
	NodeUUID string
	Name     string
	After    string // UUID
	Limit    int    // zero: all
}

// An Error is a refusal: one of the kinds below, and Ironic's words.
type Error struct {
	Kind error
	Text string
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// NotFound is the refusal for a node, by whatever name it was asked for.
func NotFound(ident string) *Error {
	return refuse(baremetal.ErrNotFound, "Node %s could not be found.", ident)
}

func invalid(format string, args ...any) *Error { return refuse(baremetal.ErrInvalid, format, args...) }

func locked(n *Node) *Error {
	return refuse(baremetal.ErrLocked, "Node %s is locked by host %s, please retry after the current operation is completed.", n.UUID, n.Reservation)
}
