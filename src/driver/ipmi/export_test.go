package ipmi

import "time"

// Impatient is a driver that asks four times, so long apart, instead of within seven seconds.
func Impatient(each time.Duration) Driver {
	return Driver{tries: []time.Duration{each, each, each, each}}
}
