package journal

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// recover reads the file from its start, and cuts off what a power cut has left after the last whole frame.
func (j *Journal) recover() error {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(io.NewSectionReader(j.file, 0, headerSize), head); err != nil || !bytes.HasPrefix(head, []byte(magic)) {
		return fmt.Errorf("%w: it does not start as a settings journal; move it away and restore a backup", ErrDamaged)
	}
	j.mark = mark(head[len(magic):])
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	j.end = headerSize
	for {
		changes, ok, err := readFrame(j.file, j.end, info.Size(), j.mark, j.number+1)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		err = eachChange(changes, func(id string, kind byte, text []byte, at int64) {
			j.set(id, place{offset: j.end + frameHead + at, length: int64(len(text)), sum: crc32.Checksum(text, castagnoli)}, kind == kindText)
		})
		if err != nil {
			return fmt.Errorf("%w at byte %d: %w", ErrDamaged, j.end, err)
		}
		j.end += frameHead + int64(len(changes))
		j.number++
	}
	if err := j.onlyRemains(info.Size()); err != nil {
		return err
	}
	if err := j.file.Truncate(j.end); err != nil {
		return err
	}
	j.free = j.end
	return j.file.Sync()
}

// readFrame reads the frame at an offset; ok is false when there is no whole one with that number.
func readFrame(file *os.File, at, size int64, m mark, number uint64) (changes []byte, ok bool, err error) {
	head := make([]byte, frameHead)
	if at+frameHead > size {
		return nil, false, nil
	}
	if _, err := file.ReadAt(head, at); err != nil {
		return nil, false, err
	}
	h, ok := parseHead(head, m)
	if !ok || h.number != number || at+frameHead+h.length > size {
		return nil, false, nil
	}
	changes = make([]byte, h.length)
	if _, err := file.ReadAt(changes, at+frameHead); err != nil {
		return nil, false, err
	}
	return changes, h.whole(head, changes), nil
}

// onlyRemains makes sure that what follows the last whole frame was never answered: there is no whole frame with a
// higher number behind it, because one is written only when the one before is on disk.
func (j *Journal) onlyRemains(size int64) error {
	const piece = 1 << 20
	buffer := make([]byte, piece+len(j.mark)-1) // pieces overlap by less than a mark
	for at := j.end; at < size; at += piece {
		n, err := j.file.ReadAt(buffer[:min(int64(len(buffer)), size-at)], at)
		if err != nil && err != io.EOF {
			return err
		}
		for from := 0; ; from++ {
			found := bytes.Index(buffer[from:n], j.mark[:])
			if found < 0 {
				break
			}
			from += found
			if err := j.notWhole(at+int64(from), size); err != nil {
				return err
			}
		}
	}
	return nil
}

// notWhole returns ErrDamaged for a whole frame at an offset behind the end.
func (j *Journal) notWhole(at, size int64) error {
	head := make([]byte, frameHead)
	if at+frameHead > size {
		return nil
	}
	if _, err := j.file.ReadAt(head, at); err != nil {
		return err
	}
	h, ok := parseHead(head, j.mark)
	if !ok || h.number <= j.number {
		return nil
	}
	_, ok, err := readFrame(j.file, at, size, j.mark, h.number)
	if err != nil || !ok {
		return err
	}
	return fmt.Errorf("%w at byte %d: what was written later, at byte %d, is whole; restore a backup, or give up what follows: truncate -s %d %s",
		ErrDamaged, j.end, at, j.end, j.path)
}
