package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// The microversions spoken.
const (
	oldest = 1
	newest = 82
)

// The headers of negotiation.
const (
	versionHeader = "X-Openstack-Ironic-Api-Version"
	minimumHeader = "X-Openstack-Ironic-Api-Minimum-Version"
	maximumHeader = "X-Openstack-Ironic-Api-Maximum-Version"
)

// negotiate finds the version to speak: absent means 1.1, as with Ironic.
func (c *call) negotiate() error {
	h := c.w.Header()
	h.Set(minimumHeader, version(oldest))
	h.Set(maximumHeader, version(newest))
	asked := c.r.Header.Get(versionHeader)
	switch asked {
	case "":
		c.minor = oldest
	case "latest":
		c.minor = newest
	default:
		major, minor, found := strings.Cut(strings.TrimSpace(asked), ".")
		m, err := strconv.Atoi(minor)
		if !found || err != nil || strings.Trim(major, "0123456789") != "" {
			return &fault{status: http.StatusNotAcceptable, routing: true, text: "Invalid value for X-OpenStack-Ironic-API-Version header"}
		}
		span := fmt.Sprintf("The supported version range is: [%s, %s].", version(oldest), version(newest))
		switch {
		case major != "1":
			return &fault{status: http.StatusNotAcceptable, routing: true, text: "Mutually exclusive versions requested. Version " + asked +
				" requested but not supported by this service. " + span}
		case m < oldest || m > newest:
			return &fault{status: http.StatusNotAcceptable, routing: true, text: "Version " + asked +
				" was requested but the minor version is not supported by this service. " + span}
		}
		c.minor = m
	}
	h.Set(versionHeader, version(c.minor))
	return nil
}

func version(minor int) string { return "1." + strconv.Itoa(minor) }

func (c *call) versionDocument() map[string]any {
	return map[string]any{
		"id": "v1", "links": []any{link(c.base()+"/v1/", "self")}, "status": "CURRENT",
		"min_version": version(oldest), "version": version(newest),
	}
}

func link(href, rel string) map[string]string { return map[string]string{"href": href, "rel": rel} }

// links are the two that everything has.
func (c *call) links(path string) []map[string]string {
	return []map[string]string{link(c.base()+"/v1/"+path, "self"), link(c.base()+"/"+path, "bookmark")}
}

// root is the document at /.
func (c *call) root() error {
	v := c.versionDocument()
	return c.answerJSON(http.StatusOK, map[string]any{
		"name": "OpenStack Ironic API", "default_version": v, "versions": []any{v},
		"description": "Ironic is an OpenStack project which enables the provision and management of baremetal machines.",
	})
}

// v1 lists the resources that the version spoken knows.
func (c *call) v1(routes []route) error {
	doc := map[string]any{
		"id": "v1", "version": c.versionDocument(),
		"media_types": map[string]string{"base": "application/json", "type": "application/vnd.openstack.ironic.v1+json"},
		"links": []any{link(c.base()+"/v1/", "self"), map[string]string{
			"href": "https://docs.openstack.org//ironic/latest/contributor//webapi.html", "rel": "describedby", "type": "text/html",
		}},
	}
	for _, r := range routes {
		if len(r.path) <= 2 && c.minor >= r.since && r.path[0] != continuePath { // Ironic lists that in later versions only
			doc[r.path[0]] = c.links(r.path[0] + "/")
		}
	}
	return c.answerJSON(http.StatusOK, doc)
}

// str writes a value as Python prints it.
func str(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return python(v)
}

// python writes a value as Ironic's texts show it: as Python shows what is in a list.
func python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return "'" + v + "'"
	case []any:
		parts := make([]string, len(v))
		for i, one := range v {
			parts[i] = python(one)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for key, one := range v {
			parts = append(parts, python(key)+": "+python(one))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	text, _ := json.Marshal(v)
	return string(text)
}
