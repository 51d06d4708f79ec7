package driver

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text reads a key of driver_info, and otherwise the default: when the key is missing, null or empty. A number reads as
// its digits, as it stands in JSON: operators write passwords and names without quotes.
func (n *Node) Text(key, otherwise string) string {
	text := written(n.Info[key])
	if text == "" {
		return otherwise
	}
	return text
}

// Integer reads a whole number between least and most, written as a number or as digits. A missing key is the default; a
// [ParameterError] names a key whose value is no such number.
func (n *Node) Integer(key string, otherwise, least, most int) (int, error) {
	value, given := n.Info[key]
	if !given {
		return otherwise, nil
	}
	text := strings.TrimSpace(written(value))
	number, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, &ParameterError{Key: key, Problem: fmt.Sprintf("is %q, which is not a valid integer", text)}
	case number < least || number > most:
		return 0, &ParameterError{Key: key, Problem: fmt.Sprintf("is %d, which is out of range: it must be between %d and %d", number, least, most)}
	}
	return number, nil
}

// Port reads a TCP or UDP port, as Integer does.
func (n *Node) Port(key string, otherwise int) (int, error) {
	return n.Integer(key, otherwise, 1, 65535)
}

// Seconds reads a time in seconds, as Integer does; fractions of a second are taken too.
func (n *Node) Seconds(key string, otherwise, most time.Duration) (time.Duration, error) {
	value, given := n.Info[key]
	if !given {
		return otherwise, nil
	}
	text := strings.TrimSpace(written(value))
	seconds, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(seconds):
		return 0, &ParameterError{Key: key, Problem: fmt.Sprintf("is %q, which is no number of seconds", text)}
	case seconds < 0 || seconds > most.Seconds():
		return 0, &ParameterError{Key: key, Problem: fmt.Sprintf("is %s, which is out of range: it must be between 0 and %g seconds", text, most.Seconds())}
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// written is a value of driver_info as its operator wrote it; empty: nothing, or neither text nor number.
func written(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int, int64, uint64:
		return fmt.Sprint(v)
	}
	return ""
}
