package cpi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/stemcell"
)

// maxDescription bounds what is read of a sidecar or .meta file, in bytes.
const maxDescription = 1 << 20

// stemcell reads a stemcell's description: its sidecar, or for those of the CPI of 2016 the .meta file.
func (c *CPI) stemcell(ctx context.Context, cid string) (stemcell.Description, error) {
	text, err := c.readSmall(ctx, stemcell.Sidecar(cid))
	if err == nil {
		return stemcell.Decode(text)
	}
	if errors.Is(err, repository.ErrNotFound) {
		text, err = c.readSmall(ctx, stemcell.Meta(cid))
	}
	switch {
	case errors.Is(err, repository.ErrNotFound), errors.Is(err, repository.ErrBadKey):
		return stemcell.Description{}, fmt.Errorf("%w: %q", ErrStemcellNotFound, cid)
	case err != nil:
		return stemcell.Description{}, fmt.Errorf("stemcell %s: %w", cid, err)
	}
	return stemcell.FromMeta(cid, string(text))
}

func (c *CPI) readSmall(ctx context.Context, key string) ([]byte, error) {
	r, err := c.Stemcells.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxDescription))
}

// writeSmall stores a small file.
func (c *CPI) writeSmall(ctx context.Context, key string, content []byte) error {
	draft, err := c.Stemcells.Upload(ctx, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	return commit(ctx, draft, key)
}

// commit gives an upload its name, or removes it.
func commit(ctx context.Context, draft repository.Draft, key string) error {
	err := draft.Commit(ctx, key)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpLimit)
	defer cancel()
	return errors.Join(err, draft.Discard(ctx))
}

// imageInfo is what Ironic must know of the image, in instance_info.
func (c *CPI) imageInfo(ctx context.Context, b *build) (map[string]any, error) {
	s := b.stemcell
	url := s.ImageURL
	if url == "" {
		var err error
		if url, err = c.Stemcells.URL(ctx, s.File, c.Options.Timeouts.Deploy+c.Options.Timeouts.Claim); err != nil {
			return nil, fmt.Errorf("stemcell %s: %w", b.StemcellCID, err)
		}
	}
	info := map[string]any{"image_source": url, "display_name": b.cid}
	if s.DiskFormat != "" {
		info["image_disk_format"] = s.DiskFormat
	}
	algorithm, value := s.Hash()
	if algorithm == "md5" {
		info["image_checksum"] = value
	} else {
		info["image_os_hash_algo"], info["image_os_hash_value"] = algorithm, value
	}
	if b.plan.rootHint != nil {
		info["root_device"] = b.plan.rootHint
	}
	return info, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
