package client

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// API versions are 1.minor; these are minors.
const (
	// newest is the one that we speak when the server does: the one whose answers were recorded.
	newest = 82
	// oldest is the least that will do: Queens (2018), the first release that has all without which a node
	// cannot be chosen: names, fields=, enroll, resource classes, interfaces of hardware types (1.31), traits (1.37).
	oldest = 38

	sinceConductorGroup = 46
	sinceOwner          = 50
	sinceDeploySteps    = 69 // deploy_steps with the verbs active and rebuild
	sinceInventory      = 81
)

const (
	headerVersion = "X-OpenStack-Ironic-API-Version"
	headerMinimum = "X-OpenStack-Ironic-API-Minimum-Version"
	headerMaximum = "X-OpenStack-Ironic-API-Maximum-Version"
)

// fieldSince names the node fields that are younger than the oldest version (recorded: fields-by-version.json).
// Asking for one that the spoken version does not know is 406.
var fieldSince = map[string]int64{
	"bios_interface":   40,
	"fault":            42,
	"deploy_step":      44,
	"conductor_group":  sinceConductorGroup,
	"automated_clean":  47,
	"protected":        48,
	"protected_reason": 48,
	"conductor":        49,
	"owner":            sinceOwner,
	"description":      51,
	"allocation_uuid":  52,
	"retired":          61,
	"retired_reason":   61,
	"lessee":           65,
	"network_data":     66,
	"boot_mode":        75,
	"secure_boot":      75,
	"shard":            82,
}

// fieldsAt joins those of fields that version 1.minor knows.
func fieldsAt(fields []string, minor int64) string {
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		if fieldSince[f] <= minor {
			known = append(known, f)
		}
	}
	return strings.Join(known, ",")
}

// isBareMetal reports whether the answer comes from a Bare Metal API that understood the path. A proxy's or
// another service's 404, and Ironic's own for a path that does not exist, lack the header.
func isBareMetal(h http.Header) bool { return h.Get(headerMaximum) != "" }

// lower takes a 406 to a request that spoke 1.spoke and reports whether there is a lower version to try.
//
// It is false when the server knows 1.spoke: then something in the request was too new for it. It is an error
// when there is no version that both sides know.
func (c *Client) lower(op string, spoke int64, h http.Header) (bool, error) {
	highest, ok := minorOf(h.Get(headerMaximum))
	if !ok {
		return false, nil
	}
	lowest, ok := minorOf(h.Get(headerMinimum))
	switch {
	case highest < oldest:
		return false, versionError(op, fmt.Sprintf("the server speaks up to 1.%d; 1.%d, of the release Queens, is the least that will do", highest, oldest))
	case ok && lowest > newest:
		return false, versionError(op, fmt.Sprintf("the server speaks from 1.%d; 1.%d is the newest that this program knows", lowest, newest))
	case highest >= spoke:
		return false, nil
	}
	c.minor.Store(highest)
	return true, nil
}

// minorOf reads the N of 1.N.
func minorOf(text string) (int64, bool) {
	minor, ok := strings.CutPrefix(text, "1.")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(minor, 10, 64)
	return n, err == nil && n >= 0
}

func versionError(op, text string) error {
	return &baremetal.APIError{Op: op, Text: text, Kind: baremetal.ErrVersion}
}

// DeploySteps reports whether the server takes deploy steps with a verb (API 1.69). Before its first answer the
// newest server is assumed.
func (c *Client) DeploySteps() bool { return c.minor.Load() >= sinceDeploySteps }
