package server

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// lockInfo is the body of LOCK (RFC 4918, 14.11).
type lockInfo struct {
	XMLName   xml.Name  `xml:"DAV: lockinfo"`
	Exclusive *struct{} `xml:"DAV: lockscope>exclusive"`
	Shared    *struct{} `xml:"DAV: lockscope>shared"`
	Write     *struct{} `xml:"DAV: locktype>write"`
	Owner     struct {
		Text string `xml:",chardata"`
		Href string `xml:"DAV: href"`
	} `xml:"DAV: owner"`
}

// lock answers LOCK: a new lock, or with an empty body one that is to hold longer.
func (v *view) lock(w http.ResponseWriter, r *http.Request, key string) {
	var info lockInfo
	err := xml.NewDecoder(r.Body).Decode(&info)
	depth := r.Header.Get("Depth")
	switch {
	case errors.Is(err, io.EOF):
		v.refresh(w, r)
		return
	case err != nil || (info.Exclusive == nil) == (info.Shared == nil) || info.Write == nil:
		http.Error(w, "want a lock that is exclusive or shared, for writing", http.StatusBadRequest)
		return
	case depth != "" && depth != "0" && !strings.EqualFold(depth, "infinity"):
		http.Error(w, "want Depth: 0 or infinity", http.StatusBadRequest)
		return
	}
	now := time.Now()
	made, err := v.tree.locks.add(now, lock{
		name: nameOf(key), deep: depth != "0", shared: info.Shared != nil,
		owner: strings.TrimSpace(info.Owner.Text + info.Owner.Href), timeout: timeoutOf(r.Header.Get("Timeout")),
	})
	if err != nil {
		http.Error(w, "somebody holds a lock", http.StatusLocked)
		return
	}
	status := http.StatusOK
	if _, err := v.tree.spool.Root.Stat(key); isMissing(err) { // a name that is free gets an empty file
		status = http.StatusCreated
		file, err := v.OpenFile(r.Context(), key, os.O_CREATE, 0)
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			v.tree.locks.remove(now, made.token)
			(&davAnswer{ResponseWriter: w, view: v}).WriteHeader(http.StatusConflict) //nolint:contextcheck // the view has it
			return
		}
	}
	w.Header().Set("Lock-Token", "<"+made.token+">")
	v.tree.tell(w, status, *made)
}

var tokenInIf = regexp.MustCompile(`<(opaquelocktoken:[^>]+)>`)

// refresh has a lock hold longer; If names it.
func (v *view) refresh(w http.ResponseWriter, r *http.Request) {
	var tokens []string
	for _, found := range tokenInIf.FindAllStringSubmatch(r.Header.Get("If"), -1) {
		tokens = append(tokens, found[1])
	}
	held := v.tree.locks.refresh(time.Now(), nameOf(v.source), tokens, timeoutOf(r.Header.Get("Timeout")))
	if held == nil {
		http.Error(w, "no such lock", http.StatusPreconditionFailed)
		return
	}
	v.tree.tell(w, http.StatusOK, *held)
}

// nameOf is the name of a key as the locks have it.
func nameOf(key string) string {
	if key == "." {
		return "/"
	}
	return "/" + key
}

// timeoutOf reads the first wish of a Timeout header that we understand; 0 is as long as possible.
func timeoutOf(header string) time.Duration {
	for wish := range strings.SplitSeq(header, ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(wish), "Second-"); ok {
			if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
				return time.Duration(seconds) * time.Second
			}
		}
	}
	return 0
}

// tell answers LOCK with the lock.
func (t *Tree) tell(w http.ResponseWriter, status int, l lock) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:prop xmlns:D=\"DAV:\"><D:lockdiscovery>%s</D:lockdiscovery></D:prop>\n", t.active(l))
}

// active describes a lock (RFC 4918, 14.1), with the prefix D for DAV:.
func (t *Tree) active(l lock) string {
	scope, depth := "exclusive", "0"
	if l.shared {
		scope = "shared"
	}
	if l.deep {
		depth = "infinity"
	}
	var owner strings.Builder
	_ = xml.EscapeText(&owner, []byte(l.owner)) // a builder takes all
	root := url.URL{Path: "/" + t.Name + l.name}
	return fmt.Sprintf("<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:%s/></D:lockscope><D:depth>%s</D:depth>"+
		"<D:owner>%s</D:owner><D:timeout>Second-%d</D:timeout><D:locktoken><D:href>%s</D:href></D:locktoken>"+
		"<D:lockroot><D:href>%s</D:href></D:lockroot></D:activelock>",
		scope, depth, owner.String(), int(l.timeout.Seconds()), l.token, root.EscapedPath())
}
