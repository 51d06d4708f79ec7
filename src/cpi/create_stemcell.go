package cpi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/stemcell"
)

// cleanUpLimit is how long create_stemcell may take to remove what a failure left.
const cleanUpLimit = time.Minute

// CreateStemcell stores the image of a stemcell and returns its CID, which is made of the image's content: to
// upload a stemcell again changes nothing. imagePath is the archive "image" of the stemcell; a light stemcell
// has an image URL instead, and nothing but a description is stored.
//
// The image streams from the archive into the repository; neither memory nor disk holds a copy. After an
// error nothing is left behind. tags (API version 3) are kept in the description.
func (c *CPI) CreateStemcell(ctx context.Context, imagePath string, properties json.RawMessage, tags map[string]string) (cid string, err error) {
	var p stemcell.Properties
	if err := unmarshal("cloud_properties", properties, &p); err != nil {
		return "", err
	}
	if err := p.Check(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrProperties, err)
	}
	if p.Light() {
		d, err := stemcell.DescribeLight(p)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrProperties, err)
		}
		d.Tags = tags
		return d.ID, c.describeStemcell(ctx, d)
	}

	undo := undo{limit: cleanUpLimit}
	defer func() { err = undo.unless(ctx, err) }()

	var draft repository.Draft
	image, err := stemcell.Read(ctx, imagePath, string(p.DiskFormat), func(r io.Reader, size int64) (err error) {
		draft, err = c.Stemcells.Upload(ctx, r, size)
		return err
	})
	if draft != nil && err != nil {
		err = errors.Join(err, draft.Discard(context.WithoutCancel(ctx)))
	}
	if err != nil {
		return "", err
	}
	d := stemcell.Describe(p, image)
	d.Tags = tags
	if err := c.keepImage(ctx, draft, d, &undo); err != nil {
		return "", fmt.Errorf("stemcell %s: %w", d.ID, err)
	}
	return d.ID, c.describeStemcell(ctx, d)
}

// keepImage gives the uploaded image its name, unless the very image is there already.
func (c *CPI) keepImage(ctx context.Context, draft repository.Draft, d stemcell.Description, u *undo) error {
	there, err := c.Stemcells.Stat(ctx, d.File)
	if err == nil && there.Size == d.Size {
		return draft.Discard(ctx)
	}
	if err != nil && !errors.Is(err, repository.ErrNotFound) {
		return errors.Join(err, draft.Discard(context.WithoutCancel(ctx)))
	}
	u.add("delete "+d.File, func(ctx context.Context) error { return c.Stemcells.Delete(ctx, d.File) })
	u.add("delete "+stemcell.Meta(d.ID), func(ctx context.Context) error { return c.Stemcells.Delete(ctx, stemcell.Meta(d.ID)) })
	if err := commit(ctx, draft, d.File); err != nil {
		return err
	}
	return c.writeSmall(ctx, stemcell.Meta(d.ID), []byte(d.MetaLine()))
}

// describeStemcell writes the sidecar; from then on the stemcell exists.
func (c *CPI) describeStemcell(ctx context.Context, d stemcell.Description) error {
	text, err := d.Encode()
	if err != nil {
		return err
	}
	if err := c.writeSmall(ctx, stemcell.Sidecar(d.ID), text); err != nil {
		return fmt.Errorf("stemcell %s: describe it: %w", d.ID, err)
	}
	return nil
}
