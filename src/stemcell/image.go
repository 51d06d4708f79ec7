package stemcell

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Disk formats.
const (
	QCOW2 = "qcow2"
	Raw   = "raw"
)

// What may be wrong with an image.
var (
	// ErrFormat is a disk or container format that is not supported, or not the one announced.
	ErrFormat = errors.New("image format not supported")
	// ErrImage is a qcow2 image that is damaged, or cannot stand alone.
	ErrImage = errors.New("image not usable")
)

var qcow2Magic = []byte("QFI\xfb")

// describe returns the format and virtual size, in bytes, of the image of size bytes that starts with head.
// The format must be the wanted one, unless that is empty.
func describe(head []byte, size int64, want string) (format string, virtualSize int64, err error) {
	format = Raw
	if bytes.HasPrefix(head, qcow2Magic) {
		format = QCOW2
	}
	switch {
	case want != "" && want != QCOW2 && want != Raw:
		return "", 0, fmt.Errorf("%w: disk_format %q (want qcow2 or raw)", ErrFormat, want)
	case want != "" && want != format:
		return "", 0, fmt.Errorf("%w: disk_format says %s, the content is %s", ErrFormat, want, format)
	case format == Raw:
		return Raw, size, nil
	}
	virtualSize, err = qcow2Size(head)
	return QCOW2, virtualSize, err
}

// qcow2Size reads a qcow2 header, versions 2 and 3, and returns the size of the disk in bytes.
func qcow2Size(head []byte) (int64, error) {
	if len(head) < 72 {
		return 0, fmt.Errorf("%w: the qcow2 header ends after %d bytes", ErrImage, len(head))
	}
	version := binary.BigEndian.Uint32(head[4:])
	clusterBits := binary.BigEndian.Uint32(head[20:])
	size := binary.BigEndian.Uint64(head[24:])
	switch {
	case version != 2 && version != 3:
		return 0, fmt.Errorf("%w: qcow2 version %d (want 2 or 3)", ErrImage, version)
	case version == 3 && len(head) < 104:
		return 0, fmt.Errorf("%w: the qcow2 header ends after %d bytes", ErrImage, len(head))
	case version == 3 && binary.BigEndian.Uint64(head[72:])&externalData != 0:
		return 0, fmt.Errorf("%w: its data are in another file (qcow2 data_file)", ErrImage)
	case version == 3 && binary.BigEndian.Uint64(head[72:])&corrupt != 0:
		return 0, fmt.Errorf("%w: it is marked corrupt; repair it with qemu-img check -r", ErrImage)
	case binary.BigEndian.Uint64(head[8:]) != 0:
		return 0, fmt.Errorf("%w: it needs a backing file; flatten it with qemu-img convert", ErrImage)
	case binary.BigEndian.Uint32(head[32:]) != 0:
		return 0, fmt.Errorf("%w: it is encrypted", ErrImage)
	case clusterBits < 9 || clusterBits > 21:
		return 0, fmt.Errorf("%w: qcow2 cluster_bits is %d (want 9 to 21)", ErrImage, clusterBits)
	case size == 0 || size > 1<<62:
		return 0, fmt.Errorf("%w: its disk has %d bytes", ErrImage, size)
	}
	return int64(size), nil
}

// Bits of a version 3 header's incompatible features.
const (
	corrupt      = 1 << 1
	externalData = 1 << 2
)
