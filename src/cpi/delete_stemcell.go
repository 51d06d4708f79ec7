package cpi

import (
	"context"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/stemcell"
)

// DeleteStemcell removes a stemcell's files, the description first. A stemcell that is not there is no error.
func (c *CPI) DeleteStemcell(ctx context.Context, cid string) error {
	files := []string{stemcell.Sidecar(cid), stemcell.Meta(cid), cid + "." + stemcell.QCOW2, cid + "." + stemcell.Raw}
	d, err := c.stemcell(ctx, cid)
	switch {
	case err == nil && d.File != "":
		files = append(files, d.File)
	case err != nil && !errors.Is(err, ErrStemcellNotFound) && !errors.Is(err, repository.ErrNotFound):
		return err
	}
	for _, f := range files {
		if err := c.Stemcells.Delete(ctx, f); err != nil && !errors.Is(err, repository.ErrBadKey) {
			return fmt.Errorf("stemcell %s: %w", cid, err)
		}
	}
	return nil
}
