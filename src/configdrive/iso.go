package configdrive

import (
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Label is the volume label by which readers find a config drive.
const Label = "config-2"

const (
	sector    = 2048
	maxName   = 128 // bytes: what fits into a directory record beside the rest
	maxDepth  = 8   // directories, the root included (ECMA-119, 6.8.2.1)
	pvdSector = 16
	ptLSector = 18 // path tables, one sector each
	ptMSector = 19
	erSector  = 20 // the Rock Ridge identification, too long for a directory record
	firstDir  = 21
)

// An entry is a directory or file of the image.
type entry struct {
	name     string
	id       string // its name without Rock Ridge
	parent   *entry
	children []*entry // sorted; nil for a file
	content  []byte
	dir      bool
	number   int // of a directory, in the path table
	sector   uint32
	size     int // bytes on disk; whole sectors for a directory
}

// Build makes the image of a file system that holds files, keyed by slash-separated paths such as
// ec2/latest/user-data. Names are kept as they are; all files are root's, mode 0400, directories 0500. It returns
// ErrPath for a path that cannot be stored and ErrTooLarge for more than MaxSize bytes.
func Build(files map[string][]byte) ([]byte, error) {
	root, err := makeTree(files)
	if err != nil {
		return nil, err
	}
	dirs, all := root.layers()
	next := uint32(firstDir)
	for _, d := range dirs {
		d.size = d.directorySize()
		d.sector, next = next, next+sectors(d.size)
	}
	for _, f := range all {
		f.size = len(f.content)
		f.sector, next = next, next+sectors(f.size)
	}
	if int64(next)*sector > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, int64(next)*sector)
	}
	little, big := pathTables(dirs)
	if len(little) > sector {
		return nil, fmt.Errorf("%w: too many directories", ErrPath)
	}

	image := make([]byte, int(next)*sector)
	at := func(n uint32) []byte { return image[int(n)*sector:] }
	copy(at(pvdSector), primaryDescriptor(root, next, len(little)))
	copy(at(pvdSector+1), "\xffCD001\x01") // the set of descriptors ends
	copy(at(ptLSector), little)
	copy(at(ptMSector), big)
	copy(at(erSector), extensionReference())
	for _, d := range dirs {
		d.writeDirectory(at(d.sector))
	}
	for _, f := range all {
		copy(at(f.sector), f.content)
	}
	return image, nil
}

func sectors(size int) uint32 { return u32((size + sector - 1) / sector) }

// makeTree turns paths into directories and files.
func makeTree(files map[string][]byte) (*entry, error) {
	root := &entry{dir: true, id: "\x00"}
	root.parent = root
	dirs := map[string]*entry{".": root}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "..") || strings.ContainsRune(name, 0) {
			return nil, fmt.Errorf("%w: %q", ErrPath, name)
		}
		if strings.Count(name, "/") >= maxDepth {
			return nil, fmt.Errorf("%w: %q is deeper than %d directories", ErrPath, name, maxDepth)
		}
		if int64(len(files[name])) > MaxSize {
			return nil, fmt.Errorf("%w: %q has %d bytes", ErrTooLarge, name, len(files[name]))
		}
		parent := root
		for i, part := range strings.Split(name, "/") {
			if len(part) > maxName {
				return nil, fmt.Errorf("%w: %q: a name has more than %d bytes", ErrPath, name, maxName)
			}
			full := strings.Join(strings.Split(name, "/")[:i+1], "/")
			if full == name {
				if dirs[full] != nil {
					return nil, fmt.Errorf("%w: %q is a file and a directory", ErrPath, full)
				}
				parent.children = append(parent.children, &entry{name: part, parent: parent, content: files[name]})
				break
			}
			if _, isFile := files[full]; isFile {
				return nil, fmt.Errorf("%w: %q is a file and a directory", ErrPath, full)
			}
			dir := dirs[full]
			if dir == nil {
				dir = &entry{name: part, parent: parent, dir: true}
				dirs[full] = dir
				parent.children = append(parent.children, dir)
			}
			parent = dir
		}
	}
	for _, dir := range dirs {
		for i, child := range dir.children {
			child.id = plainName(child.name, i)
		}
		slices.SortFunc(dir.children, func(a, b *entry) int { return strings.Compare(a.id, b.id) })
		for _, child := range dir.children {
			if !child.dir {
				child.id += ";1" // the version
			}
		}
	}
	return root, nil
}

// plainName is a name for readers without Rock Ridge: the name itself as mkisofs -l -allow-lowercase writes it
// (newer Ironics look for openstack/latest/network_data.json;1), or a number when it is too long or too odd.
func plainName(name string, number int) string {
	odd := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", r)
	}
	if len(name) > 30 || strings.ContainsFunc(name, odd) {
		return fmt.Sprintf("~%d", number)
	}
	return name
}

// layers lists directories in the order of path tables (level by level, numbered from 1), and all files.
func (e *entry) layers() (dirs, files []*entry) {
	dirs = []*entry{e}
	for i := 0; i < len(dirs); i++ {
		dirs[i].number = i + 1
		for _, child := range dirs[i].children {
			if child.dir {
				dirs = append(dirs, child)
			} else {
				files = append(files, child)
			}
		}
	}
	return dirs, files
}

// pathTables lists the directories once with little-endian and once with big-endian numbers (ECMA-119, 9.4).
func pathTables(dirs []*entry) (little, big []byte) {
	for _, d := range dirs {
		head := []byte{u8(len(d.id)), 0}
		little = binary.LittleEndian.AppendUint32(append(little, head...), d.sector)
		little = binary.LittleEndian.AppendUint16(little, u16(d.parent.number))
		big = binary.BigEndian.AppendUint32(append(big, head...), d.sector)
		big = binary.BigEndian.AppendUint16(big, u16(d.parent.number))
		little, big = append(little, d.id...), append(big, d.id...)
		if len(d.id)%2 == 1 {
			little, big = append(little, 0), append(big, 0)
		}
	}
	return little, big
}

// directorySize returns the bytes of all records: none crosses a sector's end.
func (e *entry) directorySize() int {
	used := 0
	for _, r := range e.records() {
		if used%sector+len(r) > sector {
			used += sector - used%sector
		}
		used += len(r)
	}
	return int(sectors(used)) * sector
}

func (e *entry) writeDirectory(to []byte) {
	used := 0
	for _, r := range e.records() {
		if used%sector+len(r) > sector {
			used += sector - used%sector
		}
		used += copy(to[used:], r)
	}
}

// records are the directory's own record, its parent's, and those of its children.
func (e *entry) records() [][]byte {
	records := [][]byte{record(e, "\x00", e.self()), record(e.parent, "\x01", posix(e.parent))}
	for _, child := range e.children {
		records = append(records, record(child, child.id, append(posix(child), alternateName(child.name)...)))
	}
	return records
}

// record is a directory record with its system use area (ECMA-119, 9.1).
func record(e *entry, id string, use []byte) []byte {
	length := 33 + len(id) + (len(id)+1)%2
	r := make([]byte, length, length+len(use)+1)
	put32(r[2:], e.sector)
	put32(r[10:], u32(e.size))
	copy(r[18:], "\x46\x01\x01\x00\x00\x00\x00") // a fixed date, 1 January 1970: equal input, equal bytes
	if e.dir {
		r[25] = 2
	}
	put16(r[28:], 1)
	r[32] = u8(len(id))
	copy(r[33:], id)
	r = append(r, use...)
	if len(r)%2 == 1 {
		r = append(r, 0)
	}
	r[0] = u8(len(r))
	return r
}

// What goes into these is small: names have at most 128 bytes, images 64 MiB.
func u8(n int) byte    { return byte(n) }   //nolint:gosec // see above
func u16(n int) uint16 { return uint16(n) } //nolint:gosec // see above
func u32(n int) uint32 { return uint32(n) } //nolint:gosec // see above

// put32 and put16 write a number in both byte orders.
func put32(b []byte, n uint32) {
	binary.LittleEndian.PutUint32(b, n)
	binary.BigEndian.PutUint32(b[4:], n)
}

func put16(b []byte, n uint16) {
	binary.LittleEndian.PutUint16(b, n)
	binary.BigEndian.PutUint16(b[2:], n)
}

// primaryDescriptor describes the volume (ECMA-119, 8.4).
func primaryDescriptor(root *entry, total uint32, pathTableSize int) []byte {
	d := make([]byte, sector)
	copy(d, "\x01CD001\x01")
	for _, field := range [][2]int{{8, 40}, {40, 72}, {190, 813}} { // texts are padded with spaces
		for i := field[0]; i < field[1]; i++ {
			d[i] = ' '
		}
	}
	copy(d[40:], Label)
	put32(d[80:], total)
	put16(d[120:], 1)
	put16(d[124:], 1)
	put16(d[128:], sector)
	put32(d[132:], u32(pathTableSize))
	binary.LittleEndian.PutUint32(d[140:], ptLSector)
	binary.BigEndian.PutUint32(d[148:], ptMSector)
	copy(d[156:], record(root, "\x00", nil))
	for _, date := range []int{813, 830, 847, 864} { // not specified (8.4.26.1)
		copy(d[date:], "0000000000000000\x00")
	}
	d[881] = 1
	return d
}
