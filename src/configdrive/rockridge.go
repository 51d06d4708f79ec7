package configdrive

// Rock Ridge gives files their real names and modes (IEEE P1282, 1.09), in fields that SUSP (IEEE P1281) hangs
// behind the directory records.

// posix is the field PX: mode, links, owner, group. Drives hold passwords: nobody but root reads them. One link says
// of a directory that its subdirectories are not counted.
func posix(e *entry) []byte {
	mode := uint32(0o100400)
	if e.dir {
		mode = 0o040500
	}
	px := append([]byte("PX\x24\x01"), make([]byte, 32)...)
	put32(px[4:], mode)
	put32(px[12:], 1)
	return px
}

// alternateName is the field NM.
func alternateName(name string) []byte {
	return append([]byte{'N', 'M', u8(5 + len(name)), 1, 0}, name...)
}

// self is the system use area of a directory's own record. The root's says that SUSP is in use (SP) and where the
// rest is to be read (CE).
func (e *entry) self() []byte {
	if e.parent != e {
		return posix(e)
	}
	ce := append([]byte("CE\x1c\x01"), make([]byte, 24)...)
	put32(ce[4:], erSector)
	put32(ce[20:], u32(len(extensionReference())))
	use := append([]byte("SP\x07\x01\xbe\xef\x00"), posix(e)...)
	return append(use, ce...)
}

// extensionReference is the field ER, which names Rock Ridge.
func extensionReference() []byte {
	const (
		id   = "RRIP_1991A"
		text = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
		from = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
	)
	er := []byte{'E', 'R', u8(8 + len(id) + len(text) + len(from)), 1, byte(len(id)), byte(len(text)), byte(len(from)), 1}
	return append(er, id+text+from...)
}
