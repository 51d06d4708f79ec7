// Package journal keeps small texts under names in one file on disk, and answers a write only when it would
// survive a power cut.
package journal
