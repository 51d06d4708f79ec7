package nodemanager

import (
	"errors"
	"fmt"
	"slices"
)

// codes are the values of a field, at the places of their codes.
type codes []string

var (
	domains     = codes{"platform", "cpu", "memory", "protection", "io"}
	triggers    = codes{"none", "temperature", "power", "reset", "boot"}
	corrections = codes{"auto", "unagressive", "aggressive"} // spelled as the first driver did
	weekdays    = codes{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	powerSides  = codes{"primary", "secondary"}
	storages    = codes{"persistent", "volatile"}
	bootModes   = codes{"power", "performance"}
)

// of gives the code of a value that has passed the schema, or was left out and stands for the first one.
func (c codes) of(value string) byte { return byte(min(max(slices.Index(c, value), 0), 0xff)) }

// What can be wrong with an answer.
var (
	errLength  = errors.New("has wrong length")
	errCorrupt = errors.New("is corrupted")
)

// name gives the value of a code.
func (c codes) name(field string, code byte) (string, error) {
	if int(code) >= len(c) {
		return "", fmt.Errorf("%w: %s %#02x is unknown", errCorrupt, field, code)
	}
	return c[code], nil
}

// bit is the value of a field of one bit.
func (c codes) bit(set bool) string {
	if set {
		return c[1]
	}
	return c[0]
}
