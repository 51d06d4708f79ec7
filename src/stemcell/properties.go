package stemcell

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// ErrProperties is a fault in a stemcell's cloud properties; the text names the key.
var ErrProperties = errors.New("stemcell's cloud properties")

// Properties are a stemcell's cloud properties, as far as they matter here; other keys are ignored. All may be
// missing: a Director sends null for a stemcell that has none. Numbers may come as strings and the reverse.
type Properties struct {
	Name            Text `json:"name"`
	Version         Text `json:"version"`
	Infrastructure  Text `json:"infrastructure"`
	Hypervisor      Text `json:"hypervisor"`
	OSType          Text `json:"os_type"`
	OSDistro        Text `json:"os_distro"`
	Architecture    Text `json:"architecture"`
	DiskFormat      Text `json:"disk_format"`      // qcow2 or raw; "": what the content is
	ContainerFormat Text `json:"container_format"` // bare, or ""
	Disk            MiB  `json:"disk"`             // smallest root disk

	// BootModes, ours: how the image can boot, of "bios" and "uefi". Empty: [BootModes] knows, or nobody.
	BootModes []string `json:"boot_modes"`

	// A light stemcell's, see the package comment.
	ImageURL         Text `json:"image_url"`
	ImageChecksum    Text `json:"image_checksum"`
	ImageOSHashAlgo  Text `json:"image_os_hash_algo"`
	ImageOSHashValue Text `json:"image_os_hash_value"`
}

// Text is a string that may come as a JSON number, as versions such as 1.1 do.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if b[0] != '"' {
		var n json.Number
		if err := json.Unmarshal(b, &n); err != nil {
			return fmt.Errorf("%w: want a string, not %s", ErrProperties, b)
		}
		*t = Text(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// MiB is a size in MiB that may come as a JSON string.
type MiB int64

// UnmarshalJSON implements json.Unmarshaler.
func (m *MiB) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" || text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), (*int64)(m)); err != nil || *m < 0 {
		return fmt.Errorf("%w: disk: want a size in MiB, not %s", ErrProperties, b)
	}
	return nil
}

// Light reports whether the stemcell is an address of an image instead of an image.
func (p Properties) Light() bool { return p.ImageURL != "" }

// Check returns ErrProperties or ErrFormat for values that no stemcell can have, before an archive is read.
func (p Properties) Check() error {
	if f := p.DiskFormat; f != "" && f != QCOW2 && f != Raw {
		return fmt.Errorf("%w: disk_format %q (want qcow2 or raw)", ErrFormat, f)
	}
	if f := p.ContainerFormat; f != "" && f != "bare" {
		return fmt.Errorf("%w: container_format %q (want bare)", ErrFormat, f)
	}
	for _, mode := range p.BootModes {
		if mode != BIOS && mode != UEFI {
			return fmt.Errorf("%w: boot_modes: %q (want bios or uefi)", ErrProperties, mode)
		}
	}
	if !p.Light() {
		return nil
	}
	u, err := url.Parse(string(p.ImageURL))
	switch {
	case err != nil:
		return fmt.Errorf("%w: image_url: not an address", ErrProperties) // err would show it, password and all
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", u.Scheme == "file" && u.Path != "":
	default:
		return fmt.Errorf("%w: image_url: want http://, https:// or file://", ErrProperties)
	}
	_, _, err = p.hash()
	return err
}

// digits gives the length of each digest in hexadecimal digits.
var digits = map[string]int{"md5": 32, "sha256": 64, "sha512": 128}

var hexadecimal = regexp.MustCompile(`^[0-9a-f]+$`)

// hash returns a light image's digest, in lower case.
func (p Properties) hash() (algo, value string, err error) {
	key := "image_os_hash_value"
	algo = strings.ToLower(string(p.ImageOSHashAlgo))
	value = strings.ToLower(strings.TrimSpace(string(p.ImageOSHashValue)))
	if value == "" && algo == "" {
		key, value = "image_checksum", strings.ToLower(strings.TrimSpace(string(p.ImageChecksum)))
		for a, n := range digits {
			if len(value) == n {
				algo = a
			}
		}
	}
	switch {
	case value == "":
		return "", "", fmt.Errorf("%w: %s: an image_url needs a checksum", ErrProperties, key)
	case algo == "":
		return "", "", fmt.Errorf("%w: %s: want an MD5, SHA-256 or SHA-512 in hexadecimal", ErrProperties, key)
	case digits[algo] == 0:
		return "", "", fmt.Errorf("%w: image_os_hash_algo: %q (want md5, sha256 or sha512)", ErrProperties, algo)
	case len(value) != digits[algo] || !hexadecimal.MatchString(value):
		return "", "", fmt.Errorf("%w: %s: want the %d hexadecimal digits of a %s", ErrProperties, key, digits[algo], algo)
	}
	return algo, value, nil
}
