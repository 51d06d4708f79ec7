package daemon

import (
	"cmp"
	"time"
)

// Limits protect the daemon from slow and from large requests. A zero value is the default.
type Limits struct {
	Header      time.Duration // longest time for a request's head; 10 s
	Idle        time.Duration // how long a connection may wait for its next request; 75 s
	Stall       time.Duration // a client slower than MinRate for so long is cut off; 60 s
	MinRate     int64         // bytes in a second; 1 KiB; negative: any rate
	HeaderBytes int           // longest head; 32 KiB
	Connections int           // most connections to one address at a time; 0: no limit
}

func (l Limits) withDefaults() Limits {
	l.Header = cmp.Or(l.Header, 10*time.Second)
	l.Idle = cmp.Or(l.Idle, 75*time.Second)
	l.Stall = cmp.Or(l.Stall, time.Minute)
	l.MinRate = cmp.Or(l.MinRate, 1<<10)
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 32<<10)
	return l
}
