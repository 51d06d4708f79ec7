package driver

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Reader reads driver_info and keeps the first thing that is wrong with it, so that a driver asks for all its keys and
// looks once, at Err. Values may be what JSON has for them, or text: operators write numbers with and without quotes, also
// those that are names and passwords.
type Reader struct {
	info map[string]any
	err  error
}

// Reader reads the node's driver_info.
func (n *Node) Reader() *Reader { return &Reader{info: n.Info} }

// Err is the first thing that was wrong, a [ParameterError]; nil: nothing.
func (r *Reader) Err() error { return r.err }

// Wrong says what is wrong with a key; empty: it is missing.
func (r *Reader) Wrong(key, problem string) {
	if r.err == nil {
		r.err = &ParameterError{Key: key, Problem: problem}
	}
}

// Text reads a key as it was written, and otherwise the default: when the key is missing, null or empty.
func (r *Reader) Text(key, otherwise string) string {
	if text := written(r.info[key]); text != "" {
		return text
	}
	return otherwise
}

// Required is Text of a key that has to be there.
func (r *Reader) Required(key string) string {
	text := r.Text(key, "")
	if text == "" {
		r.Wrong(key, "")
	}
	return text
}

// OneOf is Text of a key that knows a few words.
func (r *Reader) OneOf(key, otherwise string, words ...string) string {
	text := r.Text(key, otherwise)
	if !slices.Contains(words, text) {
		r.Wrong(key, fmt.Sprintf("is %q: want one of %s", text, strings.Join(words, ", ")))
	}
	return text
}

// Integer reads a whole number between least and most. A missing key is the default; one that is null or empty is wrong.
func (r *Reader) Integer(key string, otherwise, least, most int) int {
	value, given := r.info[key]
	if !given {
		return otherwise
	}
	text := strings.TrimSpace(written(value))
	number, err := strconv.Atoi(text)
	switch {
	case err != nil:
		r.Wrong(key, fmt.Sprintf("is %q, which is not a valid integer", text))
	case number < least || number > most:
		r.Wrong(key, fmt.Sprintf("is %d, which is out of range: it must be between %d and %d", number, least, most))
	default:
		return number
	}
	return otherwise
}

// Port reads a TCP or UDP port, as Integer does.
func (r *Reader) Port(key string, otherwise int) int { return r.Integer(key, otherwise, 1, 65535) }

// Seconds reads a time in seconds, as Integer does; fractions of a second are taken too.
func (r *Reader) Seconds(key string, otherwise, least, most time.Duration) time.Duration {
	value, given := r.info[key]
	if !given {
		return otherwise
	}
	text := strings.TrimSpace(written(value))
	seconds, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(seconds):
		r.Wrong(key, fmt.Sprintf("is %q, which is no number of seconds", text))
	case seconds < least.Seconds() || seconds > most.Seconds():
		r.Wrong(key, fmt.Sprintf("is %s, which is out of range: it must be between %g and %g seconds", text, least.Seconds(), most.Seconds()))
	default:
		return time.Duration(seconds * float64(time.Second))
	}
	return otherwise
}

// Boolean reads yes or no, in the words of Ironic (oslo.utils).
func (r *Reader) Boolean(key string, otherwise bool) bool {
	text := r.Text(key, strconv.FormatBool(otherwise))
	value, ok := boolean(text)
	if !ok {
		r.Wrong(key, fmt.Sprintf("is %q: want true or false", text))
	}
	return value
}

func boolean(text string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "1", "t", "true", "on", "y", "yes":
		return true, true
	case "0", "f", "false", "off", "n", "no":
		return false, true
	}
	return false, false
}

// written is a value of driver_info as its operator wrote it; empty: nothing, or a list or map.
func written(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int, int64, uint64, bool:
		return fmt.Sprint(v)
	}
	return ""
}
