package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

var (
	// ErrFile says that a file cannot be imported as it is.
	ErrFile = errors.New("no file of an export, or not whole")
	// ErrConflict says that the store has something else in the place of what comes.
	ErrConflict = errors.New("conflicts with what is here")
	// ErrUnderway says that a node was on its way to another state when it was exported.
	ErrUnderway = errors.New("something was under way")
)

// ImportOptions of [Store.Import].
type ImportOptions struct {
	Force bool // let nodes in on which something was under way: as failed
}

// Summary is what came of an import.
type Summary struct {
	Nodes       []ImportedNode
	Records     int // ports, allocations, history and so on
	RecordsHere int // those that were here already
}

// An ImportedNode is what came of one node.
type ImportedNode struct {
	UUID           string                   `json:"uuid"`
	Name           string                   `json:"name"`
	ProvisionState baremetal.ProvisionState `json:"provision_state"`
	Result         ImportResult             `json:"result"`
}

// An ImportResult is what became of a node.
type ImportResult string

// The results of an import.
const (
	Imported ImportResult = "imported"
	Failed   ImportResult = "imported as failed"
	Here     ImportResult = "exists"
)

// Import adds what [Store.Export] wrote, all or nothing: UUIDs, claims and times stay as they were, locks are free. What
// is here with the same content is passed over, so an import can be repeated; the power state and what else a conductor
// sees for itself is no content. ErrFile, ErrConflict and ErrUnderway, with the names of what they are about.
func (s *Store) Import(ctx context.Context, r io.Reader, o ImportOptions) (Summary, error) {
	file, start, discard, err := seekable(r)
	if err != nil {
		return Summary{}, fmt.Errorf("import: %w", err)
	}
	defer discard()
	var i *importer
	err = s.Update(ctx, func(tx conductor.Tx) error {
		if _, err := file.Seek(start, io.SeekStart); err != nil {
			return err
		}
		i = &importer{store: s, options: o, tx: tx}
		return i.read(ctx, file)
	})
	if err != nil {
		return Summary{}, fmt.Errorf("nothing was imported: %w", err)
	}
	return i.done, nil
}

// seekable is r, or a copy of it: nobody else can write while a file is imported, so it must not wait for a slow sender,
// and it may be read twice.
func seekable(r io.Reader) (file io.ReadSeeker, start int64, discard func(), err error) {
	if file, ok := r.(io.ReadSeeker); ok {
		if start, err := file.Seek(0, io.SeekCurrent); err == nil {
			return file, start, func() {}, nil
		}
	}
	f, err := os.CreateTemp("", "import-") // readable for this user only
	if err != nil {
		return nil, 0, nil, err
	}
	discard = func() { _ = f.Close() }
	err = os.Remove(f.Name()) // it lives as long as it is open
	if err == nil {
		_, err = io.Copy(f, r)
	}
	if err != nil {
		discard()
		return nil, 0, nil, err
	}
	return f, 0, discard, nil
}

// An importer reads one file in one transaction.
type importer struct {
	store   *Store
	options ImportOptions
	tx      conductor.Tx
	head    fileHead
	done    Summary
	refused []error
}

const (
	longestLine  = 64 << 20 // an inventory has a megabyte at most
	mostRefusals = 20       // are told
)

func (i *importer) read(ctx context.Context, file io.Reader) error {
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, longestLine)
	ended, number := false, 0
	for lines.Scan() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		number++
		var err error
		switch {
		case number == 1:
			err = i.begin(lines.Bytes())
		case ended:
			err = fmt.Errorf("%w: there is more behind its end", ErrFile)
		default:
			ended, err = i.line(lines.Bytes())
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: %w: it is longer than %d MiB", number+1, ErrFile, longestLine>>20)
	case err != nil:
		return err
	case !ended:
		return fmt.Errorf("%w: its end is missing", ErrFile)
	}
	if more := len(i.refused) - mostRefusals; more > 0 {
		i.refused = append(i.refused[:mostRefusals], fmt.Errorf("and %d more", more))
	}
	return errors.Join(i.refused...)
}

func (i *importer) begin(line []byte) error {
	if err := json.Unmarshal(line, &i.head); err != nil || i.head.Format != fileFormat {
		return fmt.Errorf(`%w: its first line does not say "format": %q`, ErrFile, fileFormat)
	}
	if i.head.Version > fileVersion {
		return fmt.Errorf("%w: it has version %d, and this program knows %d: use a newer one", ErrFile, i.head.Version, fileVersion)
	}
	if i.head.DriverInfo != infoClear && i.head.DriverInfo != infoSealed {
		return fmt.Errorf("%w: driver_info is neither %s nor %s", ErrFile, infoClear, infoSealed)
	}
	return nil
}

// line takes up a node or record. It reports whether it was the end.
func (i *importer) line(text []byte) (ended bool, err error) {
	var line struct {
		Node   map[string]json.RawMessage `json:"node"`
		Record *fileRecord                `json:"record"`
		End    *fileEnd                   `json:"end"`
	}
	if err := strictly(text, &line); err != nil {
		return false, err
	}
	switch {
	case line.Node != nil:
		n, err := i.decode(line.Node)
		if err != nil {
			return false, err
		}
		return false, i.node(n)
	case line.Record != nil:
		return false, i.record(line.Record)
	case line.End != nil:
		if got := (fileEnd{len(i.done.Nodes), i.done.Records + i.done.RecordsHere}); len(i.refused) == 0 && got != *line.End {
			return false, fmt.Errorf("%w: it has %d nodes and %d records, and was written with %d and %d",
				ErrFile, got.Nodes, got.Records, line.End.Nodes, line.End.Records)
		}
		return true, nil
	}
	return false, fmt.Errorf("%w: neither node nor record", ErrFile)
}

// strictly decodes JSON in which every key is known.
func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if _, more := decoder.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("there is more behind it")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil
}

func (i *importer) decode(line map[string]json.RawMessage) (*conductor.Node, error) {
	n := &conductor.Node{}
	for key, value := range line {
		if key == "details" {
			if err := strictly(value, &n.Details); err != nil {
				return nil, err
			}
			continue
		}
		c, err := known(key)
		if err == nil {
			err = json.Unmarshal(value, c.field(n))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
	}
	if len(n.UUID) != 36 || strings.Count(n.UUID, "-") != 4 {
		return nil, fmt.Errorf("%w: a node's UUID is %q", ErrFile, n.UUID)
	}
	n.Reservation = ""
	var err error
	if i.head.DriverInfo == infoSealed {
		n.Details.DriverInfo, err = i.store.open(n.Details.DriverInfo, n.UUID)
	}
	return n, err
}

// refuse keeps what is wrong, so that all of it can be told.
func (i *importer) refuse(format string, args ...any) {
	i.refused = append(i.refused, fmt.Errorf(format, args...))
}

// node takes up a node, unless it is here or must not come.
func (i *importer) node(n *conductor.Node) error {
	here, err := i.tx.Node(n.UUID)
	switch {
	case err == nil:
		return i.compare(n, here)
	case !errors.Is(err, baremetal.ErrNotFound):
		return err
	}
	free, err := i.free(n)
	if err != nil || !free {
		return err
	}
	result := Imported
	if n.Underway() {
		if !i.options.Force {
			i.refuse("node %s is in state %s: %w", n.Label(), n.ProvisionState, ErrUnderway)
			return nil
		}
		interrupt(n)
		result = Failed
	}
	forgetPower(n)
	n.ID = 0
	if err := i.tx.PutNode(n); err != nil {
		return err
	}
	i.took(n, result)
	return nil
}

func (i *importer) took(n *conductor.Node, result ImportResult) {
	i.done.Nodes = append(i.done.Nodes, ImportedNode{n.UUID, n.Name, n.ProvisionState, result})
}

// interrupt fails a node whose conductor stayed behind.
func interrupt(n *conductor.Node) {
	n.Interrupt(fmt.Sprintf("The node was imported while it was in state %s: what was under way there is lost.", n.ProvisionState))
}

// forgetPower ends a change of power that was under way, as a conductor does for one that is gone.
func forgetPower(n *conductor.Node) {
	if n.TargetPowerState == "" {
		return
	}
	if n.LastError == "" {
		n.LastError = fmt.Sprintf("The node was imported while it was to become %s: look at its power.", n.TargetPowerState)
	}
	n.TargetPowerState = ""
}

// compare decides upon a node that is here: equal as it was exported, or as an import makes it.
func (i *importer) compare(n, here *conductor.Node) error {
	differ, err := differences(n, here)
	if err == nil && len(differ) > 0 {
		arrived := n.Clone()
		if i.options.Force {
			interrupt(arrived)
		}
		forgetPower(arrived)
		var still []string
		if still, err = differences(arrived, here); len(still) == 0 {
			differ = nil
		}
	}
	switch {
	case err != nil:
		return err
	case len(differ) > 0:
		i.refuse("node %s %w: %s", n.Label(), ErrConflict, strings.Join(differ, ", "))
	default:
		i.took(here, Here)
	}
	return nil
}

// free reports whether nobody here has the name or the instance of a node that is new.
func (i *importer) free(n *conductor.Node) (bool, error) {
	free := true
	for _, c := range []conductor.Condition{{Column: "name", Op: "=", Value: n.Name}, {Column: "instance_uuid", Op: "=", Value: n.InstanceUUID}} {
		if c.Value == "" {
			continue
		}
		others, err := i.tx.Nodes(conductor.NodeQuery{Where: []conductor.Condition{c}, Limit: 1, Brief: true})
		if err != nil {
			return false, err
		}
		if len(others) > 0 {
			i.refuse("node %s %w: %s %s is that of node %s", n.Label(), ErrConflict, c.Column, c.Value, others[0].UUID)
			free = false
		}
	}
	return free, nil
}

// record takes up what is no node.
func (i *importer) record(r *fileRecord) error {
	if r.Kind == "" || r.Kind == conductor.KindConductor || r.Kind == conductor.KindShared || r.UUID == "" || len(r.Document) == 0 {
		return fmt.Errorf("%w: a record of kind %q", ErrFile, r.Kind)
	}
	row := conductor.Row{Kind: r.Kind, UUID: r.UUID, Name: r.Name, NodeUUID: r.NodeUUID, Document: r.Document}
	label := fmt.Sprintf("%s %s", r.Kind, r.UUID)
	if r.Name != "" {
		label = fmt.Sprintf("%s %s (%s)", r.Kind, r.Name, r.UUID)
	}
	here, err := i.tx.Row(r.Kind, r.UUID)
	if err == nil && here.UUID == r.UUID { // a row is found by its name, too
		same, err := sameJSON(row.Document, here.Document)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", label, err)
		case same && here.Name == row.Name && here.NodeUUID == row.NodeUUID:
			i.done.RecordsHere++
		default:
			i.refuse("%s of node %s %w", label, r.NodeUUID, ErrConflict)
		}
		return nil
	}
	if err != nil && !errors.Is(err, baremetal.ErrNotFound) {
		return err
	}
	if r.Name != "" {
		others, err := i.tx.Rows(conductor.RowQuery{Kind: r.Kind, Name: r.Name, Limit: 1})
		if err != nil {
			return err
		}
		if len(others) > 0 {
			i.refuse("%s of node %s %w: %s %s of node %s has it", label, r.NodeUUID, ErrConflict, r.Kind, others[0].UUID, others[0].NodeUUID)
			return nil
		}
	}
	if err := i.tx.AddRow(row); err != nil {
		return err
	}
	i.done.Records++
	return nil
}

// seen lists what a conductor sees or counts for itself: two nodes that differ in it are still the same.
var seen = []string{"reservation", "power_state", "updated_at", "provision_updated_at", "agent"}

// differences names the fields in which two nodes differ.
func differences(a, b *conductor.Node) ([]string, error) {
	var differ []string
	for _, c := range columns {
		if !slices.Contains(seen, c.name) && !reflect.DeepEqual(c.field(a), c.field(b)) {
			differ = append(differ, c.name)
		}
	}
	left, err := tree(a.Details)
	if err != nil {
		return nil, err
	}
	right, err := tree(b.Details)
	if err != nil {
		return nil, err
	}
	for key := range right {
		if _, ok := left[key]; !ok {
			left[key] = nil
		}
	}
	for key, value := range left {
		if !slices.Contains(seen, key) && !reflect.DeepEqual(value, right[key]) {
			differ = append(differ, key)
		}
	}
	slices.Sort(differ)
	return differ, nil
}

// tree is JSON's view of a value, with numbers as they are written.
func tree(value any) (map[string]any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, exactly(text, &m)
}

func exactly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// sameJSON reports whether two documents say the same.
func sameJSON(a, b []byte) (bool, error) {
	var left, right any
	if err := errors.Join(exactly(a, &left), exactly(b, &right)); err != nil {
		return false, err
	}
	return reflect.DeepEqual(left, right), nil
}
