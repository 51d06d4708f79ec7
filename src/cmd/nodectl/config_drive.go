package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"bosh-ironic-cpi/src/configdrive"
)

// configDriveOf makes of what an operator has what Ironic takes: an address, or base64 of a gzipped image. name is an
// address, a directory (its files become the drive), an image, a gzipped image, or a file with that base64 in it.
func configDriveOf(name string) (string, error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return name, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		image, err := imageOf(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		return configdrive.Encode(image)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	const gzipped = "\x1f\x8b"
	if bytes.HasPrefix(content, []byte(gzipped)) {
		return base64.StdEncoding.EncodeToString(content), nil
	}
	line := strings.Join(strings.Fields(string(content)), "")
	if raw, err := base64.StdEncoding.DecodeString(line); err == nil && bytes.HasPrefix(raw, []byte(gzipped)) {
		return line, nil
	}
	if len(content) == 0 || len(content)%512 != 0 {
		return "", fmt.Errorf("%s: neither an image, nor a gzipped one, nor base64 of that; give a directory to make an image of it", name)
	}
	return configdrive.Encode(content)
}

// imageOf makes a config drive of the files below a directory.
func imageOf(directory string) ([]byte, error) {
	root := os.DirFS(directory)
	files := map[string][]byte{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(root, path)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("there is no file in it; config drives have openstack/latest/meta_data.json and so on")
	}
	return configdrive.Build(files)
}
