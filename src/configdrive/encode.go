package configdrive

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
)

// MaxSize is how many bytes an image may have unpacked: the deploy ramdisk refuses more.
const MaxSize = 64 << 20

var (
	// ErrTooLarge says that the image would have more than MaxSize bytes.
	ErrTooLarge = errors.New("config drive is larger than 64 MiB")

	// ErrPath says that a file's name cannot stand in a config drive.
	ErrPath = errors.New("path is not possible in a config drive")
)

// Encode packs an image into one line of text: gzip, then base64. Ironic takes it as the configdrive of the verb
// active, and the deploy ramdisk from an URL. It returns ErrTooLarge for an image of more than MaxSize bytes.
func Encode(image []byte) (string, error) {
	if len(image) > MaxSize {
		return "", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(image))
	}
	var b bytes.Buffer
	text := base64.NewEncoder(base64.StdEncoding, &b)
	zip := gzip.NewWriter(text)
	if _, err := zip.Write(image); err != nil {
		return "", fmt.Errorf("pack the config drive: %w", err)
	}
	if err := errors.Join(zip.Close(), text.Close()); err != nil {
		return "", fmt.Errorf("pack the config drive: %w", err)
	}
	return b.String(), nil
}
