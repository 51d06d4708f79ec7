package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes, written with its unit: "512KiB", "10MiB", "1.5GB", "0".
type Bytes int64

// units are powers of 1024 with an i, and of 1000 without.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads a size. A number without a unit is refused, except 0: nobody can know what was meant.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), 0.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil, unit == 0 && n != 0, math.IsNaN(n):
		return errors.New(`want a size with its unit, such as "10MiB" or "50GB"`)
	case n < 0, n*unit >= math.MaxInt64:
		return errors.New("size out of range")
	}
	*b = Bytes(n * unit)
	return nil
}

// String writes the size with the largest unit of 1024 that leaves a whole number.
func (b Bytes) String() string {
	name, by := "B", Bytes(1)
	for _, u := range units[:4] {
		if b != 0 && b%Bytes(u.bytes) == 0 {
			name, by = u.name, Bytes(u.bytes)
		}
	}
	return fmt.Sprintf("%d%s", b/by, name)
}
