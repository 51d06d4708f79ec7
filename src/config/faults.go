package config

import (
	"fmt"
	"strings"
)

// A Fault is one thing wrong with one key.
type Fault struct {
	Path    string // where, such as "agent.ntp[1]"; empty: the document as a whole
	Problem string // what is wrong, and what would be right
}

// String joins path and problem.
func (f Fault) String() string {
	if f.Path == "" {
		return f.Problem
	}
	return f.Path + ": " + f.Problem
}

// Faults is the error of a decoding: everything that is wrong, in the order of the struct's fields.
type Faults []Fault

// Error implements error and names every fault.
func (fs Faults) Error() string {
	texts := make([]string, len(fs))
	for i, f := range fs {
		texts[i] = f.String()
	}
	return strings.Join(texts, "; ")
}

// add notes a fault.
func (fs *Faults) add(path, format string, args ...any) {
	*fs = append(*fs, Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
}

// err is nil when there is no fault; a Faults in an error variable never is.
func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}
