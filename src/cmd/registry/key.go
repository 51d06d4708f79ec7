package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
)

// signing is the configured key, or the one in data.
func (p *parts) signing() (signedurl.Key, error) {
	if !p.key.IsZero() {
		return p.key, nil
	}
	return signingKey(p.configuration.Data)
}

// signingKey reads the key in data, and makes it at the first start.
func signingKey(data string) (signedurl.Key, error) {
	path := filepath.Join(data, "signing.key")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return signedurl.Key{}, fmt.Errorf("data: %w", err)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text, err = makeKey(path)
	}
	if err != nil {
		return signedurl.Key{}, fmt.Errorf("signing key: %w", err)
	}
	key, err := signedurl.NewKey(secret.New(string(text)))
	if err != nil {
		return key, fmt.Errorf("%s: %w; remove the file and a new key is made", path, err)
	}
	return key, nil
}

// makeKey writes a new key whole or not at all, and returns it.
func makeKey(path string) ([]byte, error) {
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	text := []byte(hex.EncodeToString(random))
	f, err := os.CreateTemp(filepath.Dir(path), ".signing.key-") // readable for this user only
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return nil, err
	}
	return text, nil
}
