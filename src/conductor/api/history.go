package api

import (
	"errors"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// incidentView shows what happened; a plain list shows the beginning of long texts.
func incidentView(event func(*conductor.Incident) string) view[*conductor.Incident] {
	return view[*conductor.Incident]{
		text("uuid", 78, func(i *conductor.Incident) string { return i.UUID }),
		moment("created_at", 78, func(i *conductor.Incident) conductor.Time { return i.CreatedAt }),
		text("severity", 78, func(i *conductor.Incident) string { return i.Severity }),
		text("event", 78, event),
		text("event_type", 78, func(i *conductor.Incident) string { return i.EventType }),
		text("conductor", 78, func(i *conductor.Incident) string { return i.Conductor }),
		optional("user", 78, func(*conductor.Incident) string { return "" }),
		{"links", 78, func(b []byte, c *call, i *conductor.Incident) []byte { // one, unlike everything else
			return appendJSON(b, c.links("nodes/" + i.NodeUUID + "/history/" + i.UUID)[:1])
		}},
	}
}

func incidents(event func(*conductor.Incident) string) listing[*conductor.Incident] {
	return listing[*conductor.Incident]{
		"history", incidentView(event), []string{"uuid", "created_at", "severity", "event"}, func(i *conductor.Incident) string { return i.UUID },
	}
}

func wholeEvent(i *conductor.Incident) string { return i.Event }

// shortEvent is what a list shows of an event.
func shortEvent(i *conductor.Incident) string {
	const most = 255
	runes := []rune(i.Event)
	if len(runes) > most {
		return string(runes[:most-4]) + "..."
	}
	return i.Event
}

func (c *call) listHistory() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	listing := incidents(shortEvent)
	if detail, err := truthOf("detail", c.param("detail")); c.has("detail") && err == nil && detail {
		listing = incidents(wholeEvent)
	}
	return list[conductor.Incident](c, listing, false, conductor.RowQuery{NodeUUID: n.UUID}, nil)
}

func (c *call) showHistory() error {
	if _, err := c.node(); err != nil {
		return err
	}
	found, err := find[conductor.Incident](c, c.id(1))
	if errors.Is(err, baremetal.ErrNotFound) {
		return &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Node history record " + c.id(1) + " could not be found."}
	}
	if err != nil {
		return err
	}
	return show(c, incidents(wholeEvent), found)
}
