package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bosh-ironic-cpi/src/tlsclient"
)

// Trust reads whom to trust, in Ironic's words: true (also when it is missing) is the system's certificate authorities, false
// anybody; else it is the path of a file, or of a directory, with certificates in PEM, of which there is one at least.
func (r *Reader) Trust(key string) tlsclient.Config {
	text := strings.TrimSpace(r.Text(key, "true"))
	if verify, ok := boolean(text); ok {
		return tlsclient.Config{Insecure: !verify}
	}
	pem, err := certificates(text)
	if err != nil {
		r.Wrong(key, fmt.Sprintf("is %q, which is not true, false, or a path that can be read: %v", text, err))
		return tlsclient.Config{}
	}
	c := tlsclient.Config{CA: pem}
	if _, err := c.TLS(); err != nil || pem == "" {
		r.Wrong(key, fmt.Sprintf("is %q, which holds no certificate in PEM", text))
		return tlsclient.Config{}
	}
	return c
}

// certificates is the text of a file, or of all files of a directory.
func certificates(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*")); err != nil {
			return "", err
		}
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !info.IsDir() {
			return "", errors.Unwrap(err)
		}
		all.Write(text)
		all.WriteString("\n")
	}
	return all.String(), nil
}
