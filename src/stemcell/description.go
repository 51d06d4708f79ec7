package stemcell

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// schema is the version of the sidecar's form. A reader takes all up to its own.
const schema = 1

// What may be wrong with what is kept beside an image.
var (
	ErrSidecar = errors.New("stemcell's description not readable")
	ErrMeta    = errors.New("stemcell's .meta not readable")
)

// A Description is the sidecar of a stemcell, <id>.json. Sizes are in bytes, digests in hexadecimal.
type Description struct {
	Schema  int               `json:"schema"`
	ID      string            `json:"id"` // the stemcell's CID
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Tags    map[string]string `json:"tags,omitempty"` // of the Director's runtime config

	OSType       string   `json:"os_type,omitempty"`
	OSDistro     string   `json:"os_distro,omitempty"`
	Architecture string   `json:"architecture,omitempty"`
	BootModes    []string `json:"boot_modes,omitempty"` // BIOS, UEFI; empty: not known

	DiskFormat  string `json:"disk_format"`
	MinDisk     int64  `json:"min_disk_mib,omitempty"`
	File        string `json:"file,omitempty"` // the image's key; empty for a light stemcell
	Size        int64  `json:"size,omitempty"`
	VirtualSize int64  `json:"virtual_size,omitempty"`
	MD5         string `json:"md5,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	SHA512      string `json:"sha512,omitempty"`

	ImageURL string `json:"image_url,omitempty"` // a light stemcell's
}

// Describe returns the description of a stemcell whose image has been read. The same content under the same
// name and version always gets the same id.
func Describe(p Properties, image Image) Description {
	d := describeProperties(p)
	d.ID = id(p, image.SHA256)
	d.DiskFormat, d.Size, d.VirtualSize = image.Format, image.Size, image.VirtualSize
	d.MD5, d.SHA256, d.SHA512 = image.MD5, image.SHA256, image.SHA512
	d.File = d.ID + "." + image.Format
	return d
}

// DescribeLight returns the description of a light stemcell: the same address and checksum under the same name
// and version always get the same id. ErrProperties.
func DescribeLight(p Properties) (Description, error) {
	if err := p.Check(); err != nil {
		return Description{}, err
	}
	algo, value, err := p.hash()
	if err != nil {
		return Description{}, err
	}
	d := describeProperties(p)
	d.ID = id(p, fmt.Sprintf("%x", sha256.Sum256([]byte(string(p.ImageURL)+" "+algo+":"+value))))
	d.ImageURL = string(p.ImageURL)
	d.DiskFormat = string(p.DiskFormat)
	if d.DiskFormat == "" {
		d.DiskFormat = QCOW2
	}
	switch algo {
	case "md5":
		d.MD5 = value
	case "sha256":
		d.SHA256 = value
	case "sha512":
		d.SHA512 = value
	}
	return d, nil
}

func describeProperties(p Properties) Description {
	d := Description{
		Schema: schema, Name: string(p.Name), Version: string(p.Version),
		OSType: string(p.OSType), OSDistro: string(p.OSDistro), Architecture: string(p.Architecture),
		BootModes: p.BootModes, MinDisk: int64(p.Disk),
	}
	if len(d.BootModes) == 0 {
		d.BootModes = BootModes(d.Name, d.OSDistro)
	}
	return d
}

var notSafe = regexp.MustCompile(`[^A-Za-z0-9_.]+`)

// id makes a name that people can read, that is safe as a file's and in an address, and that differs wherever
// the content does.
func id(p Properties, digest string) string {
	slug := func(s, otherwise string, longest int) string {
		s = notSafe.ReplaceAllString(s, "-")
		s = strings.Trim(s[:min(len(s), longest)], "-._")
		if s == "" {
			return otherwise
		}
		return s
	}
	return slug(string(p.Name), "stemcell", 100) + "-" + slug(string(p.Version), "0", 40) + "-" + digest[:16]
}

// Sidecar is the key of the description of the stemcell with this id.
func Sidecar(id string) string { return id + ".json" }

// Meta is the key of its .meta file.
func Meta(id string) string { return id + ".meta" }

// MetaLine returns the text of the .meta file: the MD5 and the stemcell's name.
func (d Description) MetaLine() string { return d.MD5 + " " + d.Name + "\n" }

// Light reports whether the image is somebody else's, at ImageURL.
func (d Description) Light() bool { return d.ImageURL != "" }

// Hash returns the strongest digest that is known, as Ironic's image_os_hash_algo and image_os_hash_value.
func (d Description) Hash() (algo, value string) {
	switch {
	case d.SHA512 != "":
		return "sha512", d.SHA512
	case d.SHA256 != "":
		return "sha256", d.SHA256
	}
	return "md5", d.MD5
}

// Encode returns the sidecar's bytes.
func (d Description) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return b.Bytes(), err
}

// Decode reads a sidecar. ErrSidecar, also for one that a later version of this program wrote.
func Decode(b []byte) (Description, error) {
	var d Description
	err := json.Unmarshal(b, &d)
	switch {
	case err != nil:
		return Description{}, fmt.Errorf("%w: %w", ErrSidecar, err)
	case d.Schema > schema:
		return Description{}, fmt.Errorf("%w: schema %d, and this program knows %d: upgrade it, or upload the stemcell anew",
			ErrSidecar, d.Schema, schema)
	case d.Schema < 1 || d.ID == "" || d.File == "" && d.ImageURL == "" || d.MD5+d.SHA256+d.SHA512 == "":
		return Description{}, fmt.Errorf("%w: schema, id, file or digest is missing", ErrSidecar)
	}
	return d, nil
}

var foundingID = regexp.MustCompile(`^stemcell_(.+)-([^-]+)-([^-]+)$`)

// FromMeta describes a stemcell of the founding CPI, which kept <id>.qcow2 and <id>.meta and nothing else. Its
// id reads stemcell_<os_distro>-<architecture>-<version>; meta is the text of the .meta file. ErrMeta, with
// what a web server may have answered in its place.
func FromMeta(id, meta string) (Description, error) {
	digest, name, _ := strings.Cut(strings.TrimSpace(meta), " ")
	digest = strings.ToLower(digest)
	if len(digest) != digits["md5"] || !hexadecimal.MatchString(digest) {
		return Description{}, fmt.Errorf("%w: %s: want an MD5 first, not %.40q", ErrMeta, Meta(id), meta)
	}
	d := Description{
		Schema: schema, ID: id, Name: strings.TrimSpace(name), MD5: digest,
		DiskFormat: QCOW2, File: id + "." + QCOW2,
	}
	if m := foundingID.FindStringSubmatch(id); m != nil {
		d.OSDistro, d.Architecture, d.Version = m[1], m[2], m[3]
	}
	d.BootModes = BootModes(d.Name, d.OSDistro)
	return d, nil
}
