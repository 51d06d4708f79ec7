package fakeramdisk

import (
	"os"
	"path/filepath"
)

// An extent says how much of a disk to erase.
type extent int

const (
	metadataOnly extent = iota // both ends, where partition tables are
	everything
)

// erase overwrites every disk that properties.skip_block_devices does not spare.
func (m *machine) erase(how extent) error {
	disks, err := m.usable()
	if err != nil {
		return err
	}
	for _, d := range disks {
		if err := eraseFile(m.file(d), how); err != nil {
			return err
		}
	}
	for _, old := range []string{"root", "files.json"} {
		if err := os.RemoveAll(filepath.Join(m.dir, old)); err != nil {
			return err
		}
	}
	return nil
}

func eraseFile(name string, how extent) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if how == everything { // a file that is cut and made longer again reads as zeros
		if err := f.Truncate(0); err != nil {
			return err
		}
		return f.Truncate(info.Size())
	}
	zeros := make([]byte, min(mib, info.Size()))
	if _, err := f.WriteAt(zeros, 0); err != nil {
		return err
	}
	_, err = f.WriteAt(zeros, info.Size()-int64(len(zeros)))
	return err
}
