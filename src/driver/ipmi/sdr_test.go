package ipmi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// discovery is Node Manager's record, as on an Intel board, without its number; long is one that takes several reads.
var (
	discovery = []byte{0x51, 0xc0, 0x0b, 0x57, 0x01, 0x00, 0x0d, 0x01, 0x2c, 0x00, 0x17, 0x18, 0x19, 0x1a}
	long      = append([]byte{0x51, 0xc0, 200}, bytes.Repeat([]byte{0xab, 0xcd}, 100)...)
)

func walked(t *testing.T, n *driver.Node) (all [][]byte, err error) {
	t.Helper()
	err = ipmi.Driver{}.WalkSDR(t.Context(), n, func(record []byte) bool {
		all = append(all, slices.Clone(record))
		return true
	})
	return all, err
}

func TestWalkSDR(t *testing.T) {
	want := [][]byte{append([]byte{1, 0}, long...), append([]byte{2, 0}, discovery...), append([]byte{3, 0}, long...)}
	b := start(t, bmc.Config{Records: [][]byte{long, discovery, long}})
	got, err := walked(t, node(b))
	if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%v\n% x; want\n% x", err, got, want)
	}
	count := 0
	err = ipmi.Driver{}.WalkSDR(t.Context(), node(b), func([]byte) bool { count++; return count < 2 })
	if err != nil || count != 2 {
		t.Errorf("enough after two: %d, %v", count, err)
	}
	if got, err := walked(t, node(start(t, bmc.Config{}))); err != nil || len(got) != 0 {
		t.Errorf("none: % x, %v", got, err)
	}
}

// Repositories that are read at the same time, give few bytes at a time, lead in a circle, or are cut short.
func TestWalkSDROddRepositories(t *testing.T) {
	record := append([]byte{7, 0}, long...)
	tests := []struct {
		name    string
		most    int  // bytes at a time
		cancel  int  // so many reads into it, the reservation is cancelled
		circle  bool // the record's next is itself
		cut     int  // bytes that the record really has
		reserve byte // completion code
		err     error
	}{
		{name: "plain", most: 255},
		{name: "seven bytes at a time", most: 7},
		{name: "cancelled", most: 255, cancel: 3},
		{name: "a circle", most: 255, circle: true},
		{name: "cut short", most: 255, cut: 50, err: driver.ErrUnsupported},
		{name: "no reservations", most: 255, reserve: 0xc1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reads, reserved := 0, byte(0)
			get := func(_ bmc.Command, data []byte) (byte, []byte) {
				reads++
				if reads == tt.cancel {
					reserved++
				}
				offset, count := int(data[4]), int(data[5])
				have := record
				if tt.cut > 0 {
					have = record[:tt.cut]
				}
				switch {
				case offset > 0 && tt.reserve == 0 && data[0] != reserved:
					return 0xc5, nil
				case count > tt.most:
					return 0xca, nil
				}
				next := []byte{0xff, 0xff}
				if tt.circle {
					binary.LittleEndian.PutUint16(next, 7)
				}
				offset = min(offset, len(have))
				return 0, append(next, have[offset:min(offset+count, len(have))]...)
			}
			b := start(t, bmc.Config{Commands: map[bmc.Command]bmc.Handler{
				{NetFn: 0x0a, Cmd: 0x22}: func(bmc.Command, []byte) (byte, []byte) {
					reserved++
					return tt.reserve, []byte{reserved, 0}
				},
				{NetFn: 0x0a, Cmd: 0x23}: get,
			}})
			got, err := walked(t, node(b))
			if !errors.Is(err, tt.err) {
				t.Fatalf("%v; want %v", err, tt.err)
			}
			if err == nil && !bytes.Equal(got[0], record) {
				t.Errorf("% x; want % x", got, record)
			}
			if len(got) > 2 {
				t.Errorf("%d records", len(got))
			}
		})
	}
}
