package stemcell

import (
	"context"
	"crypto/md5" //nolint:gosec // Ironic's image_checksum, not a proof of origin
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// The image goes through a pipeline: one goroutine unpacks it into blocks, three compute the digests, and
// sink reads the same blocks in the caller's goroutine. A block is used again when all four are done with it,
// so that memory is blocks × blockSize and a slow sink holds up the rest.
const (
	blockSize = 256 << 10
	blocks    = 16
)

type block struct {
	data    []byte
	pending atomic.Int64 // how many have yet to use it
}

var errNotRead = errors.New("the image was not read to its end")

// stream sends the image under the archive's cursor through the digests and into sink.
func (a *archive) stream(ctx context.Context, size int64, format string, sink func(io.Reader, int64) error) (Image, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := &block{data: make([]byte, blockSize)}
	if err := fill(first, a.tar); err != nil && !errors.Is(err, io.EOF) {
		return Image{}, archiveError(err)
	}
	image := Image{Size: size}
	var err error
	if image.Format, image.VirtualSize, err = describe(first.data, size, format); err != nil {
		return Image{}, err
	}

	p := newPipeline(ctx, 4)
	digests := []hash.Hash{md5.New(), sha256.New(), sha512.New()} //nolint:gosec // see above
	for i, h := range digests {
		p.Go(func() { p.digest(p.out[i], h) })
	}
	p.Go(func() { p.produce(first, a.tar) })
	r := &blockReader{pipeline: p, in: p.out[3]}
	err = sink(r, size)
	if err == nil && !r.ended {
		err = errNotRead
		if _, more := r.Read(make([]byte, 1)); errors.Is(more, io.EOF) {
			err = nil // a sink that counts need not look for the end
		}
	}
	if err != nil {
		cancel()
	}
	p.Wait()
	if p.err != nil && (err == nil || errors.Is(err, errNotRead)) {
		err = p.err // the cause is the archive, whatever sink made of it
	}
	if err != nil {
		return Image{}, err
	}
	image.MD5, image.SHA256, image.SHA512 = sum(digests[0]), sum(digests[1]), sum(digests[2])
	return image, nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// A pipeline carries blocks from one producer to several users.
type pipeline struct {
	sync.WaitGroup
	ctx  context.Context //nolint:containedctx // one call's
	free chan *block
	out  []chan *block // each has room for all blocks: sending never waits
	err  error         // why the producer stopped early; set before out is closed
}

func newPipeline(ctx context.Context, users int) *pipeline {
	p := &pipeline{ctx: ctx, free: make(chan *block, blocks), out: make([]chan *block, users)}
	for i := range p.out {
		p.out[i] = make(chan *block, blocks)
	}
	for range blocks - 1 {
		p.free <- &block{}
	}
	return p
}

// produce hands on first, which is filled, and then what r holds.
func (p *pipeline) produce(first *block, r io.Reader) {
	defer func() {
		for _, out := range p.out {
			close(out)
		}
	}()
	for b, err := first, error(nil); ; {
		b.pending.Store(int64(len(p.out)))
		for _, out := range p.out {
			out <- b
		}
		if err != nil {
			return
		}
		select {
		case <-p.ctx.Done():
			p.err = p.ctx.Err()
			return
		case b = <-p.free:
		}
		if err = fill(b, r); err != nil && !errors.Is(err, io.EOF) {
			p.err = archiveError(err)
			return
		}
	}
}

// fill reads the next block. At the end of r it returns io.EOF with the last, maybe empty, block.
func fill(b *block, r io.Reader) error {
	if b.data == nil {
		b.data = make([]byte, blockSize)
	}
	b.data = b.data[:blockSize]
	n, err := 0, error(nil)
	for n < blockSize && err == nil { // not io.ReadFull, for which a cut-off archive is like a short block
		var more int
		more, err = r.Read(b.data[n:])
		n += more
	}
	b.data = b.data[:n]
	return err
}

func (p *pipeline) digest(in <-chan *block, h hash.Hash) {
	for b := range in {
		h.Write(b.data)
		p.release(b)
	}
}

func (p *pipeline) release(b *block) {
	if b.pending.Add(-1) == 0 {
		p.free <- b
	}
}

// A blockReader reads the blocks of a pipeline, for sink.
type blockReader struct {
	*pipeline
	in    <-chan *block
	now   *block
	read  int // bytes of now
	ended bool
}

// Read implements io.Reader.
func (r *blockReader) Read(p []byte) (int, error) {
	for r.now == nil || r.read == len(r.now.data) {
		if r.now != nil {
			r.release(r.now)
			r.now, r.read = nil, 0
		}
		select {
		case <-r.ctx.Done():
			return 0, fmt.Errorf("%s: %w", member, r.ctx.Err())
		case b, more := <-r.in:
			if !more {
				r.ended = r.err == nil
				if r.ended {
					return 0, io.EOF
				}
				return 0, r.err
			}
			r.now = b
		}
	}
	n := copy(p, r.now.data[r.read:])
	r.read += n
	return n, nil
}
