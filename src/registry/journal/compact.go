package journal

import (
	"errors"
	"fmt"
	"os"
)

// compactIfWorth copies what is current to a new file when more than half of this one is old. The caller leads;
// readers go on meanwhile. A disk without room for it is no error: it is tried again later.
func (j *Journal) compactIfWorth() {
	j.mu.RLock()
	dead := j.end - headerSize - j.live
	worth := dead > max(j.options.MinDead, j.live, j.retry)
	j.mu.RUnlock()
	if !worth {
		return
	}
	if err := j.compact(); err != nil {
		_ = os.Remove(j.path + next)
		j.mu.Lock()
		j.retry = dead + j.options.MinDead
		if errors.Is(err, ErrFailed) {
			j.failed = err
		}
		j.mu.Unlock()
	}
}

func (j *Journal) compact() error {
	file, mark, err := newFile(j.path + next)
	if err != nil {
		return err
	}
	made := &Journal{path: j.path, options: j.options, file: file, mark: mark, index: map[string]place{}, end: headerSize, free: headerSize}
	if err := j.copyTo(made); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := j.takeName(file); err != nil {
		// Which of the two files has the name after a power cut, nobody knows.
		return errors.Join(fmt.Errorf("%w: %w", ErrFailed, err), file.Close())
	}
	j.mu.Lock()
	old := j.file
	j.file, j.mark, j.index, j.end, j.live, j.retry = file, mark, made.index, made.end, made.live, 0
	j.mu.Unlock()
	j.free, j.number = made.free, made.number
	return old.Close()
}

// copyTo writes every current text to another journal, in frames of the usual size.
func (j *Journal) copyTo(made *Journal) error {
	var batch []*update
	write := func() error {
		if len(batch) == 0 {
			return nil
		}
		sealFrame(made.buffer, made.mark, made.number+1)
		if _, err := made.file.WriteAt(made.buffer, made.end); err != nil {
			return err
		}
		made.apply(batch)
		made.free = made.end
		batch, made.buffer = nil, startFrame(made.buffer)
		return nil
	}
	made.buffer = startFrame(made.buffer)
	for id, at := range j.index { // nobody changes it while we lead
		text, err := readText(j.file, at)
		if err != nil {
			return err
		}
		var offset int64
		made.buffer, offset = appendChange(made.buffer, id, kindText, text)
		batch = append(batch, &update{id: id, keep: true, write: true, ours: place{offset: offset, length: at.length, sum: at.sum}})
		if len(made.buffer) > enough {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return write()
}
