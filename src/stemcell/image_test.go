package stemcell

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// Headers of images that qemu-img 7.2 made: create -f qcow2 -o compat=0.10 x 3G, and compat=1.1.
const (
	v2 = "514649fb000000020000000000000000000000000000001000000000c0000000000000000000000600000000000300000000000000010000" +
		"0000000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	v3 = "514649fb000000030000000000000000000000000000001000000000c0000000000000000000000600000000000300000000000000010000" +
		"0000000100000000000000000000000000000000000000000000000000000000000000000000000000000004000000700000000000000000"
)

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestQCOW2Size(t *testing.T) {
	for name, header := range map[string]string{"v2": v2, "v3": v3} {
		if got, err := qcow2Size(decode(t, header)); err != nil || got != 3<<30 {
			t.Errorf("%s: qcow2Size() = %d, %v; want 3 GiB", name, got, err)
		}
	}
}

func TestQCOW2SizeRefuses(t *testing.T) {
	tests := []struct {
		name   string
		offset int
		value  uint32
		says   string
	}{
		{"version 1", 4, 1, "version 1"},
		{"version 4", 4, 4, "version 4"},
		{"backing file", 12, 0x68, "backing file"},
		{"backing file far away", 8, 1, "backing file"},
		{"encrypted, AES", 32, 1, "encrypted"},
		{"encrypted, LUKS", 32, 2, "encrypted"},
		{"cluster bits", 20, 40, "cluster_bits"},
		{"no disk", 28, 0, "0 bytes"},
		{"endless disk", 24, 1 << 31, "bytes"},
		{"corrupt", 76, 2, "corrupt"},
		{"external data", 76, 4, "data_file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := decode(t, v3)
			binary.BigEndian.PutUint32(b[tt.offset:], tt.value)
			if _, err := qcow2Size(b); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("qcow2Size() error = %v; want one about %q", err, tt.says)
			}
		})
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add(decode(f, v2), "qcow2")
	f.Add(decode(f, v3), "")
	f.Add(decode(f, v3)[:80], "qcow2")
	f.Add([]byte("x"), "raw")
	f.Fuzz(func(t *testing.T, head []byte, want string) {
		format, size, err := describe(head, int64(len(head)), want)
		switch {
		case err != nil:
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrImage) {
				t.Errorf("describe() error = %v; want ErrFormat or ErrImage", err)
			}
		case want != "" && format != want:
			t.Errorf("describe() = %s; %s was asked for", format, want)
		case format == Raw && (strings.HasPrefix(string(head), "QFI\xfb") || size != int64(len(head))):
			t.Errorf("describe() = raw of %d bytes", size)
		case format == QCOW2 && size <= 0:
			t.Errorf("describe() = qcow2 of %d bytes", size)
		}
	})
}
