package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"syscall"
	"time"
)

// A change is told the text of an id and says what it is to be; keep false: no text any more. old is what the
// change may keep and must not alter. An error leaves all as it is.
type change = func(old []byte, exists bool) (text []byte, keep bool, err error)

// An update waits until it is on disk, or until it is to lead.
type update struct {
	id     string
	change change
	err    error
	turn   chan bool // true: lead; false: done
	ours   place     // what the index will say
	keep   bool
	write  bool // it takes part in the frame
}

// Update replaces the text of id by what change makes of it. No other Update of id comes between, and when it
// returns nil, the change survives a power cut. An error of change is returned as it is; another one says that
// nothing has changed, except with ErrFailed: then a reopened journal may have the one or the other.
//
// ctx is looked at once, at the beginning: what is on its way to the disk cannot be called back.
func (j *Journal) Update(ctx context.Context, id string, change change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(id) > maxID {
		return fmt.Errorf("id of %d bytes %w", len(id), ErrTooLong)
	}
	u := &update{id: id, change: change, turn: make(chan bool, 1)}
	j.mu.Lock()
	j.queue = append(j.queue, u)
	lead := !j.led
	j.led = true
	j.mu.Unlock()
	if !lead {
		lead = <-u.turn
	}
	if !lead {
		return u.err
	}
	j.commit()
	j.follow()
	<-u.turn
	return u.err
}

// follow hands the lead to who has waited longest.
func (j *Journal) follow() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		j.led = false
		j.idle.Broadcast()
		return
	}
	j.queue[0].turn <- true
}

// enough is how many bytes one frame gathers before it goes to disk.
const enough = 4 << 20

// commit writes one frame for those that wait. The caller leads, and is the first of them.
func (j *Journal) commit() {
	j.mu.Lock()
	waiting := j.queue
	j.mu.Unlock()
	begun := time.Now()
	batch := j.gather(waiting)
	j.mu.Lock()
	taken := waiting[:len(batch)]
	j.queue = append([]*update(nil), j.queue[len(taken):]...)
	failed := j.failed
	j.mu.Unlock()

	err := failed
	if err == nil && len(j.buffer) > frameHead {
		err = j.write()
	}
	j.mu.Lock()
	if err == nil {
		j.apply(batch)
	} else if errors.Is(err, ErrFailed) {
		j.failed = err
	}
	j.mu.Unlock()
	for _, u := range taken {
		if u.err == nil && err != nil {
			u.err = fmt.Errorf("journal %s: %w", j.path, err)
		}
		u.turn <- false
	}
	j.metrics.commit(len(taken), time.Since(begun))
	if err == nil {
		j.compactIfWorth()
	}
}

// gather asks each update for its text, in order, and puts the frame into j.buffer. An update sees what those
// before it in the same frame have made.
func (j *Journal) gather(waiting []*update) []*update {
	j.buffer = startFrame(j.buffer)
	newest := map[string]*update{}
	for n, u := range waiting {
		if len(j.buffer) > enough {
			return waiting[:n]
		}
		old, exists, err := j.current(newest, u.id)
		if err != nil {
			u.err = err
			continue
		}
		text, keep, err := ask(u.change, old, exists)
		switch {
		case err != nil:
			u.err = err
			continue
		case len(text) > maxText:
			u.err = fmt.Errorf("text of %s, %d bytes, %w", u.id, len(text), ErrTooLong)
			continue
		case !keep && !exists:
			continue
		}
		kind := byte(kindText)
		if !keep {
			kind, text = kindGone, nil
		}
		var at int64
		j.buffer, at = appendChange(j.buffer, u.id, kind, text)
		u.ours = place{offset: at, length: int64(len(text)), sum: crc32.Checksum(text, castagnoli)}
		u.keep, u.write = keep, true
		newest[u.id] = u
	}
	return waiting
}

// current is the text of an id with the updates that are about to be written.
func (j *Journal) current(newest map[string]*update, id string) (text []byte, exists bool, err error) {
	if u := newest[id]; u != nil {
		at := u.ours
		return append([]byte(nil), j.buffer[at.offset:at.offset+at.length]...), u.keep, nil
	}
	return j.get(id)
}

// ask keeps a change that panics from taking the others' writes with it.
func ask(c change, old []byte, exists bool) (text []byte, keep bool, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("change: %v", failure)
		}
	}()
	return c(old, exists)
}

// write puts the frame behind the last one, and on disk.
func (j *Journal) write() error {
	sealFrame(j.buffer, j.mark, j.number+1)
	if err := j.reserve(j.end + int64(len(j.buffer))); err != nil {
		return err
	}
	if _, err := j.file.WriteAt(j.buffer, j.end); err != nil {
		return err // the next frame goes over it
	}
	if err := syscall.Fdatasync(int(j.file.Fd())); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err) // the kernel may have dropped what it could not write
	}
	return nil
}

// reserve fills the file with zeros beyond where the frame will end. Where there is no room for that, the frame's
// own length must do.
func (j *Journal) reserve(end int64) error {
	if end <= j.free {
		return nil
	}
	err := j.fill(end + j.options.Reserve)
	if err != nil {
		err = j.fill(end)
	}
	return err
}

var zeros = make([]byte, 1<<20)

func (j *Journal) fill(to int64) error {
	for at := j.free; at < to; {
		n, err := j.file.WriteAt(zeros[:min(to-at, int64(len(zeros)))], at)
		at += int64(n)
		if err != nil {
			return errors.Join(err, j.file.Truncate(j.free))
		}
	}
	j.free = to
	return nil
}

// apply makes a frame that is on disk visible. The caller holds j.mu.
func (j *Journal) apply(batch []*update) {
	if len(j.buffer) == frameHead {
		return
	}
	for _, u := range batch {
		if !u.write {
			continue
		}
		at := u.ours
		at.offset += j.end
		j.set(u.id, at, u.keep)
	}
	j.end += int64(len(j.buffer))
	j.number++
	if cap(j.buffer) > 2*enough {
		j.buffer = nil // one long text must not stay for ever
	}
}

// set notes where the text of id is now.
func (j *Journal) set(id string, at place, keep bool) {
	if old, ok := j.index[id]; ok {
		j.live -= size(id, old)
	}
	if !keep {
		delete(j.index, id)
		return
	}
	j.index[id] = at
	j.live += size(id, at)
}

// size is what a current text needs in the file.
func size(id string, at place) int64 { return changeHead + int64(len(id)) + at.length }
