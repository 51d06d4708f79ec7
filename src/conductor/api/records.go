package api

import (
	"net/http"

	"bosh-ironic-cpi/src/conductor"
)

// A listing is how a kind of record is listed.
type listing[P any] struct {
	name  string // of the list in the answer
	view  view[P]
	brief []string // fields of a plain list; nil: all
	id    func(P) string
}

// shown are the fields that were asked for.
func (l listing[P]) shown(c *call, p page, detail bool) (view[P], error) {
	switch {
	case p.fields != nil:
		return l.view.only(c.minor, p.fields...)
	case detail || p.detail || l.brief == nil:
		return l.view.seen(c.minor), nil
	}
	return l.view.only(c.minor, l.brief...)
}

// list answers with a page of records. keep leaves out what a filter does not want; nil: nothing.
func list[R any, P interface {
	*R
	conductor.Record
}](c *call, l listing[P], detail bool, q conductor.RowQuery, keep func(P) bool) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	shown, err := l.shown(c, p, detail)
	if err != nil {
		return err
	}
	var found []P
	err = c.store.View(c.r.Context(), func(tx conductor.Tx) error {
		found, q.After, q.Limit = nil, p.marker, p.limit
		for {
			all, err := conductor.All[R, P](tx, q)
			for _, r := range all {
				if q.After = l.id(r); len(found) < p.limit && (keep == nil || keep(r)) {
					found = append(found, r)
				}
			}
			if err != nil || len(found) == p.limit || len(all) < q.Limit {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	last := ""
	if len(found) > 0 {
		last = l.id(found[len(found)-1])
	}
	return c.answer(http.StatusOK, shown.list(c, l.name, found, c.next(p, len(found), last)))
}

// show answers with one record, with the fields that were asked for.
func show[P any](c *call, l listing[P], r P) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	shown, err := l.shown(c, p, true)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, shown.append(nil, c, r))
}

// find reads a record by its UUID or name.
func find[R any, P interface {
	*R
	conductor.Record
}](c *call, ident string) (r P, err error) {
	err = c.store.View(c.r.Context(), func(tx conductor.Tx) error {
		found, err := conductor.Get[R, P](tx, ident)
		r = found
		return err
	})
	return r, err
}
