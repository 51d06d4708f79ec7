package rpc

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// maxLog is how much of a log the answer carries, in bytes; stderr gets all of it.
const maxLog = 1 << 20

// A journal is the log of one call: each line goes to stderr at once, and is kept for the answer. Lines are
// masked after they are formatted, so that no way of logging gets around it.
type journal struct {
	log   *slog.Logger
	level *slog.LevelVar
	masks *masks
	live  io.Writer

	started time.Time

	mu   sync.Mutex
	kept bytes.Buffer
	cut  bool
}

func newJournal(live io.Writer) *journal {
	j := &journal{level: new(slog.LevelVar), masks: new(masks), live: live, started: time.Now()}
	j.log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: j.level}))
	return j
}

// name gives all further lines the request's id, by which the Director's log is searched.
func (j *journal) name(c *Call) {
	j.log = j.log.With("request_id", c.RequestID, "method", c.Method)
	c.Log = j.log
}

// Write implements io.Writer for slog, which writes a whole line each time.
func (j *journal) Write(line []byte) (int, error) {
	masked := j.masks.apply(string(line))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.kept.Len()+len(masked) <= maxLog {
		j.kept.WriteString(masked)
	} else {
		j.cut = true
	}
	// A log that nobody reads is no reason to fail a call.
	_, _ = io.WriteString(j.live, masked)
	return len(line), nil
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cut {
		return j.kept.String() + "(log cut here; standard error had all of it)\n"
	}
	return j.kept.String()
}
