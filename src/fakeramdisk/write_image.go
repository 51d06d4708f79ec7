package fakeramdisk

import (
	"bufio"
	"context"
	"crypto/md5"  //nolint:gosec // Ironic's image_checksum is MD5
	"crypto/sha1" //nolint:gosec // os_hash_algo may name it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// imageArgs are the arguments of write_image.
type imageArgs struct {
	Image       imageInfo `json:"image_info"`
	ConfigDrive string    `json:"configdrive"`
}

type imageInfo struct {
	ID         string   `json:"id"`
	URLs       []string `json:"urls"`
	Checksum   string   `json:"checksum"` // MD5, SHA-256 or SHA-512 by its length, or the URL of a list of them
	HashAlgo   string   `json:"os_hash_algo"`
	HashValue  string   `json:"os_hash_value"`
	DiskFormat string   `json:"disk_format"`
}

// writeImage puts the image, and the config drive if there is one, onto the root disk.
func (m *machine) writeImage(ctx context.Context, a imageArgs) (string, error) {
	disk, err := m.root()
	if err != nil {
		return "", err
	}
	file := filepath.Join(m.dir, "image.download")
	defer os.Remove(file)
	if err := download(ctx, a.Image, file); err != nil {
		return "", err
	}
	args := []string{"convert", "-n", "-O", "raw"}
	if a.Image.DiskFormat != "" {
		args = append(args, "-f", a.Image.DiskFormat)
	}
	if err := program(ctx, "", "qemu-img", append(args, file, m.file(disk))...); err != nil {
		return "", fmt.Errorf("writing image to device /dev/%s: %w", disk.Name, err)
	}
	// Another image, another file system.
	for _, old := range []string{"root", "files.json", "configdrive.iso"} {
		if err := os.RemoveAll(filepath.Join(m.dir, old)); err != nil {
			return "", err
		}
	}
	if err := os.Mkdir(filepath.Join(m.dir, "root"), 0o700); err != nil {
		return "", err
	}
	if a.ConfigDrive != "" {
		if err := m.writeConfigDrive(ctx, disk, a.ConfigDrive); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("image (%s) written to device /dev/%s", a.Image.ID, disk.Name), nil
}

// download fetches the image into file and verifies its checksum.
func download(ctx context.Context, info imageInfo, file string) error {
	if len(info.URLs) == 0 {
		return errors.New("image_info has no urls")
	}
	from := info.URLs[0]
	sum, want, err := expected(ctx, info, from)
	if err != nil {
		return err
	}
	body, err := get(ctx, from)
	if err != nil {
		return fmt.Errorf("download of image %s: %w", info.ID, err)
	}
	defer body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(io.MultiWriter(f, sum), body); err != nil {
		return fmt.Errorf("download of image %s: %w", info.ID, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("image %s failed checksum verification: expected %s, got %s", info.ID, want, got)
	}
	return f.Close()
}

// expected tells the hash to build and the value that it must have.
func expected(ctx context.Context, info imageInfo, from string) (hash.Hash, string, error) {
	algo, want := info.HashAlgo, info.HashValue
	if want == "" || algo == "" {
		want = info.Checksum
		if strings.Contains(want, "://") {
			body, err := get(ctx, want)
			if err != nil {
				return nil, "", fmt.Errorf("download of the checksum: %w", err)
			}
			defer body.Close()
			if want, err = findChecksum(body, from); err != nil {
				return nil, "", err
			}
		}
		algo = map[int]string{32: "md5", 64: "sha256", 128: "sha512"}[len(want)]
	}
	want = strings.ToLower(want)
	switch algo {
	case "md5":
		return md5.New(), want, nil //nolint:gosec // see the import
	case "sha1":
		return sha1.New(), want, nil //nolint:gosec // see the import
	case "sha256":
		return sha256.New(), want, nil
	case "sha512":
		return sha512.New(), want, nil
	}
	return nil, "", fmt.Errorf("image %s: no usable checksum: algorithm %q, %d characters", info.ID, algo, len(want))
}

var checksumLine = regexp.MustCompile(`^([a-fA-F\d]+)\s+\*?(.+)$`)

// findChecksum reads a checksum alone, or lines "checksum  file name", of which the image's counts
// (ironic-python-agent, extensions/standby.py, _fetch_checksum).
func findChecksum(r io.Reader, image string) (string, error) {
	u, err := url.Parse(image)
	if err != nil {
		return "", err
	}
	name := path.Base(u.Path)
	var lines []string
	scan := bufio.NewScanner(io.LimitReader(r, mib))
	for scan.Scan() {
		if line := strings.TrimSpace(scan.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	if err := scan.Err(); err != nil {
		return "", err
	}
	if len(lines) == 1 && !strings.Contains(lines[0], " ") {
		return lines[0], nil
	}
	for _, line := range lines {
		if match := checksumLine.FindStringSubmatch(line); match != nil && match[2] == name {
			return match[1], nil
		}
	}
	return "", fmt.Errorf("checksum file does not contain name %s", name)
}

// get fetches an URL; credentials in it go as basic authentication. The error does not show them.
func get(ctx context.Context, from string) (io.ReadCloser, error) {
	u, err := url.Parse(from)
	if err != nil {
		return nil, errors.New("malformed URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, errors.New("malformed URL")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", u.Redacted(), resp.Status)
	}
	return resp.Body, nil
}

// program runs one that must succeed, with stdin as its input.
func program(ctx context.Context, stdin, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
