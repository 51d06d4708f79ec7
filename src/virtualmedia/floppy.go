// Package virtualmedia makes the images that servers see in their virtual drives. So far that is the floppy with a
// ramdisk's parameters (ironic/common/images.py, create_vfat_image); a boot ISO is the operator's.
//
// Start at [Floppy].
package virtualmedia

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
)

// FloppySize is that of a 3.5 inch floppy, in bytes.
const FloppySize = 1440 << 10

// floppyLabel is what ramdisks look for among block devices.
const floppyLabel = "ir-vfd-dev"

// Floppy is a FAT12 image of [FloppySize] bytes, labelled ir-vfd-dev, with the parameters in /parameters.txt: a line
// KEY=VALUE each. The error names a key whose value holds blanks, which ramdisks cannot read.
func Floppy(parameters map[string]string) ([]byte, error) {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		if value := parameters[key]; strings.ContainsAny(key+value, " \t\r\n") {
			return nil, fmt.Errorf("parameter %s of the ramdisk holds a blank, which ramdisks take for its end", key)
		}
		lines = append(lines, key+"="+parameters[key])
	}
	dir, err := os.MkdirTemp("", "floppy-") // the library wants a file
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "floppy.img")
	if err := writeFloppy(path, strings.Join(lines, "\n")); err != nil {
		return nil, fmt.Errorf("floppy image: %w", err)
	}
	return os.ReadFile(path)
}

func writeFloppy(path, text string) (err error) {
	disk, err := file.CreateFromPath(path, FloppySize)
	if err != nil {
		return err
	}
	defer func() {
		if e := disk.Close(); err == nil {
			err = e
		}
	}()
	floppy, err := fat12.Create(disk, FloppySize, 0, 512, floppyLabel, true)
	if err != nil {
		return err
	}
	f, err := floppy.OpenFile("/parameters.txt", os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(text)); err != nil {
		return err
	}
	return f.Close()
}
