package stemcell

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	gzip "github.com/klauspost/compress/gzip"
)

// member is the name of the image in a stemcell's archive.
const member = "root.img"

// What may be wrong with an archive.
var (
	ErrArchive   = errors.New("stemcell archive not readable") // no tar, damaged or cut off
	ErrUnsafe    = errors.New("stemcell archive not safe")     // absolute names, "..", links, devices
	ErrNoImage   = errors.New("no " + member + " in the stemcell archive")
	ErrEmpty     = errors.New(member + " is empty")
	ErrDuplicate = errors.New("more than one " + member + " in the stemcell archive")
)

// Image describes a stemcell's disk image. Sizes are in bytes, digests in hexadecimal.
type Image struct {
	Format              string // QCOW2 or Raw
	Size                int64  // of the file
	VirtualSize         int64  // of the disk
	MD5, SHA256, SHA512 string
}

// Read streams root.img of the archive at path to sink and describes it.
//
// sink gets a reader and its size in bytes, is called once, and must read to the end; it runs before the end
// of the archive has been checked, so what it stores counts only when Read returns nil. format is
// the announced disk format, "" for whatever the content is. An archive that is bad in front of the image, or
// an image that is not usable, never reaches sink.
//
// Errors: [ErrArchive], [ErrUnsafe], [ErrNoImage], [ErrDuplicate], [ErrEmpty], [ErrFormat], [ErrImage], those
// of sink and of ctx, wrapped with the name of the archive.
func Read(ctx context.Context, path, format string, sink func(r io.Reader, size int64) error) (Image, error) {
	image, err := read(ctx, path, format, sink)
	if err != nil {
		return Image{}, fmt.Errorf("stemcell %s: %w", path, err)
	}
	return image, nil
}

func read(ctx context.Context, path, format string, sink func(r io.Reader, size int64) error) (Image, error) {
	if format != "" && format != QCOW2 && format != Raw {
		_, _, err := describe(nil, 0, format)
		return Image{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Image{}, err
	}
	defer f.Close()
	a, err := openArchive(f)
	if err != nil {
		return Image{}, err
	}
	header, err := a.next(ctx)
	for ; err == nil && header != nil && !isImage(header); header, err = a.next(ctx) {
	}
	switch {
	case err != nil:
		return Image{}, err
	case header == nil:
		return Image{}, ErrNoImage
	case header.Size == 0:
		return Image{}, ErrEmpty
	}
	image, err := a.stream(ctx, header.Size, format, sink)
	if err != nil {
		return Image{}, fmt.Errorf("%s: %w", member, err)
	}
	for header != nil { // the rest, and with it the checksum of the compression
		if header, err = a.next(ctx); err != nil {
			return Image{}, err
		}
		if header != nil && isImage(header) {
			return Image{}, ErrDuplicate
		}
	}
	return image, nil
}

func isImage(h *tar.Header) bool { return path.Clean(h.Name) == member }

// An archive is a tar archive, plain or gzipped.
type archive struct {
	tar   *tar.Reader
	plain io.Reader // what tar reads
}

func openArchive(f io.Reader) (*archive, error) {
	buffered := bufio.NewReaderSize(f, 256<<10)
	a := &archive{plain: buffered}
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrArchive, err)
		}
		a.plain = unpacked
	}
	a.tar = tar.NewReader(a.plain)
	return a, nil
}

// next returns the next member, nil behind the last one. Members that no stemcell has are ErrUnsafe.
func (a *archive) next(ctx context.Context) (*tar.Header, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h, err := a.tar.Next()
	if errors.Is(err, io.EOF) {
		_, err := io.Copy(io.Discard, watched{ctx, a.plain})
		return nil, archiveError(err)
	}
	if err != nil {
		return nil, archiveError(err)
	}
	name := strings.TrimPrefix(h.Name, "./")
	switch {
	case path.IsAbs(h.Name), name == "..", strings.HasPrefix(path.Clean(name), "../"), strings.Contains(name, "\\"):
		return nil, fmt.Errorf("%w: member %q points out of the archive", ErrUnsafe, h.Name)
	case h.Typeflag == tar.TypeSymlink, h.Typeflag == tar.TypeLink:
		return nil, fmt.Errorf("%w: member %q is a link", ErrUnsafe, h.Name)
	case isImage(h) && h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse:
		return nil, fmt.Errorf("%w: member %q is no regular file", ErrNoImage, h.Name)
	case h.Typeflag == tar.TypeChar, h.Typeflag == tar.TypeBlock, h.Typeflag == tar.TypeFifo:
		return nil, fmt.Errorf("%w: member %q is a device", ErrUnsafe, h.Name)
	}
	return h, nil
}

// watched is a reader that ends with its context.
type watched struct {
	ctx context.Context //nolint:containedctx // io.Reader has no room for it; lives for one loop
	r   io.Reader
}

// Read implements io.Reader.
func (w watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// archiveError names a fault in reading, nil for nil. A context's end is none of the archive's.
func archiveError(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it is cut off: %w", ErrArchive, err)
	}
	return fmt.Errorf("%w: %w", ErrArchive, err)
}
