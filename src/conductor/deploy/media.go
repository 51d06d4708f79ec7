package deploy

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/virtualmedia"
)

// Media are the images that servers boot the ramdisk from. It is an http.Handler for the machines' face: whoever has a
// signed address gets the file, and a stranger learns nothing.
type Media struct {
	BootISO  string        // path of the ramdisk's boot image
	URL      string        // of the machines' face, as servers and their BMCs reach it
	Key      signedurl.Key // signs addresses; must not be zero
	Lifetime time.Duration // of an address: at least as long as a server may take to boot
}

// MediaPath is where the machines' face serves [Media].
const MediaPath = "/media/"

// The files of each node.
const (
	bootISO         = "boot.iso"
	parametersImage = "parameters.img" // a floppy
)

// address opens a file for one node.
func (m *Media) address(node, file string) string {
	u, err := url.Parse(strings.TrimRight(m.URL, "/") + MediaPath + node + "/" + file)
	if err != nil {
		return ""
	}
	m.Key.Sign(u, time.Now().Add(m.Lifetime))
	return u.String()
}

// ServeHTTP implements http.Handler.
func (m *Media) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, MediaPath), "/")
	if !ok || m.Key.Verify(r.URL, time.Now()) != nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	switch file {
	case bootISO:
		http.ServeFile(w, r, m.BootISO)
	case parametersImage:
		image, err := virtualmedia.Floppy(m.parameters())
		if err != nil {
			http.Error(w, fmt.Sprintf("floppy: %v", err), http.StatusInternalServerError)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(image))
	default:
		http.NotFound(w, r)
	}
}

// parameters are the ramdisk's (ironic-python-agent, virtual media).
func (m *Media) parameters() map[string]string {
	base := strings.TrimRight(m.URL, "/")
	return map[string]string{
		"boot_method": "vmedia", "ipa-api-url": base, "ipa-inspection-callback-url": base + "/v1/continue_inspection",
	}
}
