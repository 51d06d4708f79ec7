package fakeramdisk

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const driveMiB = 64 // the agent's limit, and the size of the partition

// writeConfigDrive unpacks the config drive (base64 of a gzipped image, or the URL of such a text), keeps it as
// configdrive.iso and copies it into a new partition at the end of the disk
// (ironic-lib, disk_utils.py, create_config_drive_partition).
func (m *machine) writeConfigDrive(ctx context.Context, disk Disk, drive string) error {
	if strings.Contains(drive, "://") {
		body, err := get(ctx, drive)
		if err != nil {
			return fmt.Errorf("can't download the configdrive content for node %s: %w", m.node.UUID, err)
		}
		defer body.Close()
		text, err := io.ReadAll(body)
		if err != nil {
			return fmt.Errorf("can't download the configdrive content for node %s: %w", m.node.UUID, err)
		}
		drive = string(text)
	}
	iso, err := unpackDrive(drive)
	if err != nil {
		return fmt.Errorf("Config drive for node %s is not base64 encoded or the content is malformed: %w", m.node.UUID, err)
	}
	if size := (len(iso) + mib - 1) / mib; size > driveMiB {
		return fmt.Errorf("Config drive size exceeds maximum limit of 64MiB. Size of the given config drive is %d MiB for node %s.", size, m.node.UUID) //nolint:staticcheck,revive // the agent's words
	}
	if err := os.WriteFile(filepath.Join(m.dir, "configdrive.iso"), iso, 0o600); err != nil {
		return err
	}
	start, err := addPartition(ctx, m.file(disk))
	if err != nil {
		return fmt.Errorf("Failed to create config drive on disk /dev/%s for node %s: %w", disk.Name, m.node.UUID, err) //nolint:staticcheck // the agent's words
	}
	f, err := os.OpenFile(m.file(disk), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(iso, start); err != nil {
		return err
	}
	return f.Close()
}

func unpackDrive(text string) ([]byte, error) {
	packed, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(zip, 256*mib))
}

// addPartition makes a partition of 64 MiB at the end of the disk and tells the byte at which it starts.
func addPartition(ctx context.Context, disk string) (int64, error) {
	before, err := partitionTable(ctx, disk)
	if err != nil {
		return 0, err
	}
	if before.Label == "gpt" {
		// The image's second table lies where the image ends: move it to the end of the disk first.
		if err := program(ctx, "", "sgdisk", "-e", disk); err != nil {
			return 0, err
		}
		err = program(ctx, "", "sgdisk", "-n", "0:-64MB:0", disk)
	} else {
		info, statErr := os.Stat(disk)
		if statErr != nil {
			return 0, statErr
		}
		line := fmt.Sprintf("start=%d, type=c\n", (info.Size()-driveMiB*mib)/512)
		err = program(ctx, line, "sfdisk", "--append", "--no-reread", disk)
	}
	if err != nil {
		return 0, err
	}
	after, err := partitionTable(ctx, disk)
	if err != nil {
		return 0, err
	}
	var last int64
	for _, p := range after.Partitions {
		last = max(last, p.Start)
	}
	return last * 512, nil
}

type table struct {
	Label      string
	Partitions []struct{ Start int64 }
}

func partitionTable(ctx context.Context, disk string) (table, error) {
	cmd := exec.CommandContext(ctx, "sfdisk", "-J", disk)
	out, err := cmd.Output()
	if err != nil {
		return table{}, fmt.Errorf("the image has no partition table that sfdisk can read: %w", err)
	}
	var t struct{ PartitionTable table }
	return t.PartitionTable, json.Unmarshal(out, &t)
}
