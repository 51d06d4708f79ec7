package store

import (
	"fmt"
	"os"
)

// KeyFile reads a key for [Options]: the first 32 bytes of a file, such as openssl rand 32 makes.
func KeyFile(path string) ([]byte, error) {
	const size = 32
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(text) < size {
		return nil, fmt.Errorf("%s has %d bytes, and %d are needed: openssl rand 32 > FILE", path, len(text), size)
	}
	return text[:size], nil
}
