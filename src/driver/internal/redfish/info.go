package redfish

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// Text reads a key of driver_info: text, or a number or truth value where somebody wrote one. Empty: it is not there.
func Text(n *driver.Node, key string) string {
	value := n.Info[key]
	if value == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(value))
}

// Password reads a key of driver_info as it stands.
func Password(n *driver.Node, key string) secret.Text {
	if value := n.Info[key]; value != nil {
		return secret.New(fmt.Sprint(value))
	}
	return secret.Text{}
}

// Seconds reads a number of seconds, from 1 to an hour.
func Seconds(n *driver.Node, key string, otherwise time.Duration) (time.Duration, error) {
	text := Text(n, key)
	if text == "" {
		return otherwise, nil
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || !(number >= 1 && number <= 3600) {
		return 0, &driver.ParameterError{Key: key, Problem: fmt.Sprintf("is %q: want seconds, 1 to 3600", text)}
	}
	return time.Duration(number * float64(time.Second)), nil
}

// Trust reads whom to trust, in Ironic's words: true for the system's authorities, false for anybody, or the path of a file
// or a directory with certificates in PEM.
func Trust(n *driver.Node, key string) (*tls.Config, error) {
	c := tlsclient.Config{}
	switch text := Text(n, key); strings.ToLower(text) {
	case "", "true", "yes", "on", "y", "t", "1":
	case "false", "no", "off", "n", "f", "0":
		c.Insecure = true
	default:
		pem, err := certificates(text)
		if err != nil {
			return nil, &driver.ParameterError{
				Key: key, Problem: fmt.Sprintf("is %q: want true, false, or the path of certificates in PEM (%s)", text, err),
			}
		}
		c.CA = pem
	}
	settings, err := c.TLS()
	if err != nil {
		return nil, &driver.ParameterError{Key: key, Problem: "names a file without certificates in PEM"}
	}
	return settings, nil
}

func certificates(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	files := []string{path}
	if info.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*"))
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
