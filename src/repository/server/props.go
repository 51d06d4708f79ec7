package server

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/webdav"
	"golang.org/x/sys/unix"

	"bosh-ironic-cpi/src/repository/spool"
)

type propMap = map[xml.Name]webdav.Property

// deadProps are the properties that clients have given a file (RFC 4918, 4). They lie in an extended attribute, so
// that they go where the file goes, and end with it.
type deadProps map[string]deadProp // by namespace, a space, and name

type deadProp struct {
	Space string `json:"space"`
	Local string `json:"local"`
	Lang  string `json:"lang,omitempty"`
	XML   []byte `json:"xml"`
}

const attribute = "user.webdav"

func (d deadProps) all() propMap {
	all := propMap{}
	for _, p := range d {
		name := xml.Name{Space: p.Space, Local: p.Local}
		all[name] = webdav.Property{XMLName: name, Lang: p.Lang, InnerXML: p.XML}
	}
	return all
}

// patched is d with patches applied, in their order.
func (d deadProps) patched(patches []webdav.Proppatch) deadProps {
	made := deadProps{}
	maps.Copy(made, d)
	for _, patch := range patches {
		for _, p := range patch.Props {
			key := p.XMLName.Space + " " + p.XMLName.Local
			if patch.Remove {
				delete(made, key)
				continue
			}
			made[key] = deadProp{Space: p.XMLName.Space, Local: p.XMLName.Local, Lang: p.Lang, XML: p.InnerXML}
		}
	}
	return made
}

// write puts the properties on an open file.
func (d deadProps) write(f *os.File) error {
	if len(d) == 0 {
		err := unix.Fremovexattr(int(f.Fd()), attribute)
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			return nil
		}
		return err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return unix.Fsetxattr(int(f.Fd()), attribute, text, 0)
}

// read gives the properties of an open file; none where the file system has no room for such.
func read(f *os.File) deadProps {
	size, err := unix.Fgetxattr(int(f.Fd()), attribute, nil)
	if err != nil || size == 0 {
		return nil
	}
	text := make([]byte, size)
	size, err = unix.Fgetxattr(int(f.Fd()), attribute, text)
	var d deadProps
	if err != nil || json.Unmarshal(text[:size], &d) != nil {
		return nil
	}
	return d
}

// propsOf gives the properties of the file at key.
func (t *Tree) propsOf(key string) deadProps {
	f, err := t.spool.Root.Open(key)
	if err != nil {
		return nil
	}
	defer f.Close()
	return read(f)
}

// done says that all patches were applied.
func done(patches []webdav.Proppatch) []webdav.Propstat {
	stat := webdav.Propstat{Status: http.StatusOK}
	for _, patch := range patches {
		for _, p := range patch.Props {
			stat.Props = append(stat.Props, webdav.Property{XMLName: p.XMLName})
		}
	}
	return []webdav.Propstat{stat}
}

// A file is one that is there, as PROPFIND, PROPPATCH and COPY see it.
type file struct {
	*os.File
	tree *Tree
	key  string
}

var _ webdav.DeadPropsHolder = (*file)(nil)

// Readdir implements http.File, without the uploads under way.
func (f *file) Readdir(n int) ([]os.FileInfo, error) {
	all, err := f.File.Readdir(n)
	if f.key != "." {
		return all, err
	}
	shown := all[:0]
	for _, info := range all {
		if info.Name() != spool.Folder {
			shown = append(shown, info)
		}
	}
	return shown, err
}

// Stat implements http.File.
func (f *file) Stat() (os.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil {
		return nil, err
	}
	return tagged{info}, nil
}

// Properties that are ours, and not the client's. To the library they are dead ones: it has no place for others.
var (
	quotaAvailable = xml.Name{Space: "DAV:", Local: "quota-available-bytes"} // of folders (RFC 4331)
	quotaUsed      = xml.Name{Space: "DAV:", Local: "quota-used-bytes"}
	lockDiscovery  = xml.Name{Space: "DAV:", Local: "lockdiscovery"}
	supportedLock  = xml.Name{Space: "DAV:", Local: "supportedlock"}
)

const bothLocks = `<D:lockentry xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>` +
	`<D:lockentry xmlns:D="DAV:"><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>`

// DeadProps implements webdav.DeadPropsHolder.
func (f *file) DeadProps() (propMap, error) {
	all := read(f.File).all()
	info, err := f.File.Stat()
	if err != nil {
		return nil, err
	}
	set := func(name xml.Name, value string) {
		all[name] = webdav.Property{XMLName: name, InnerXML: []byte(value)}
	}
	var active strings.Builder
	for _, l := range f.tree.locks.covering(time.Now(), nameOf(f.key)) {
		active.WriteString(strings.Replace(f.tree.active(l), "<D:activelock>", `<D:activelock xmlns:D="DAV:">`, 1))
	}
	set(lockDiscovery, active.String())
	set(supportedLock, bothLocks)
	if info.IsDir() {
		set(quotaAvailable, strconv.FormatInt(f.tree.space.available(), 10))
		set(quotaUsed, strconv.FormatInt(f.tree.space.used(), 10))
	}
	return all, nil
}

// Patch implements webdav.DeadPropsHolder: all patches, or none.
func (f *file) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	for _, patch := range patches {
		for _, p := range patch.Props {
			if p.XMLName == quotaAvailable || p.XMLName == quotaUsed {
				return refusedProps(patches, http.StatusForbidden), nil
			}
		}
	}
	switch err := read(f.File).patched(patches).write(f.File); {
	case err == nil:
		return done(patches), nil
	case errors.Is(err, unix.ENOTSUP):
		return refusedProps(patches, http.StatusForbidden), nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, unix.E2BIG), errors.Is(err, unix.ERANGE), errors.Is(err, unix.EDQUOT):
		return refusedProps(patches, http.StatusInsufficientStorage), nil
	default:
		return nil, err
	}
}

// refusedProps says that none of the patches was applied.
func refusedProps(patches []webdav.Proppatch, status int) []webdav.Propstat {
	all := done(patches)
	all[0].Status = status
	return all
}
