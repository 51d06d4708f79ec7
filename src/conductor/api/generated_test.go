package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/conductor/api"
)

// A subject is what stands for the {} of a route.
type subject struct{ node, port, portgroup, chassis, allocation string }

// The script's resting subject, and the one that is worked on.
var (
	resting = subject{
		"11111111-0000-4000-8000-000000000003", "33333333-0000-4000-8000-000000000003", "66666666-0000-4000-8000-000000000003",
		"44444444-0000-4000-8000-000000000003", "55555555-0000-4000-8000-000000000003",
	}
	worked = subject{
		"11111111-0000-4000-8000-000000000004", "33333333-0000-4000-8000-000000000004", "66666666-0000-4000-8000-000000000004",
		"44444444-0000-4000-8000-000000000004", "55555555-0000-4000-8000-000000000004",
	}
)

// unknownName is what nothing is called.
const unknownName = "nobody"

// args are what stands for each {} of a route, all of which is there.
func (s subject) args(r api.Route) []string {
	first := map[string]string{
		"nodes": s.node, "heartbeat": s.node, "ports": s.port, "portgroups": s.portgroup, "chassis": s.chassis, "allocations": s.allocation,
		"drivers": "fake-hardware", "conductors": "127.0.0.1",
	}
	inside := map[string]string{"traits": "CUSTOM_A", "vifs": "net", "vendor_passthru": "second_method", "history": "(incident)"}
	var args []string
	parts := strings.Split(r.Path, "/")
	for i, part := range parts {
		switch {
		case part != "{}":
		case i == 1:
			args = append(args, first[parts[0]])
		default:
			args = append(args, inside[parts[i-1]])
		}
	}
	return args
}

// bodies are what routes take.
var bodies = map[string]any{
	"PATCH nodes/{}":                      []any{op("add", "/extra/x", 1)},
	"PATCH ports/{}":                      []any{op("add", "/extra/x", 1)},
	"PATCH portgroups/{}":                 []any{op("add", "/extra/x", 1)},
	"PATCH chassis/{}":                    []any{op("add", "/extra/x", 1)},
	"PATCH allocations/{}":                []any{op("add", "/extra/x", 1)},
	"POST nodes":                          m{"driver": "fake-hardware"},
	"POST ports":                          m{"node_uuid": resting.node, "address": "52:54:00:aa:00:99"},
	"POST portgroups":                     m{"node_uuid": resting.node},
	"POST chassis":                        m{"description": "rack"},
	"POST allocations":                    m{"resource_class": "none"},
	"POST events":                         m{"events": []any{m{"event": "network.bind_port", "port_id": nobody, "mac_address": "52:54:00:aa:00:98", "status": "ACTIVE"}}},
	"PUT nodes/{}/maintenance":            m{"reason": "fans"},
	"PUT nodes/{}/traits":                 m{"traits": []any{"CUSTOM_A"}},
	"PUT nodes/{}/states/power":           m{"target": "power on"},
	"PUT nodes/{}/states/provision":       m{"target": "inspect"},
	"PUT nodes/{}/states/raid":            m{"logical_disks": []any{m{"size_gb": 100, "raid_level": "1"}}},
	"PUT nodes/{}/states/console":         m{"enabled": true},
	"PUT nodes/{}/states/boot_mode":       m{"target": "uefi"},
	"PUT nodes/{}/states/secure_boot":     m{"target": true},
	"PUT nodes/{}/management/boot_device": m{"boot_device": "pxe"},
	"PUT nodes/{}/management/inject_nmi":  m{},
	"POST nodes/{}/vifs":                  m{"id": "net"},
	"POST nodes/{}/vendor_passthru":       m{"bar": "kazoo"},
	"PUT nodes/{}/vendor_passthru":        m{"bar": "kazoo"},
	"POST nodes/{}/vendor_passthru/{}":    m{"bar": "kazoo"},
	"PUT nodes/{}/vendor_passthru/{}":     m{"bar": "kazoo"},
	"POST drivers/{}/vendor_passthru":     m{"bar": "kazoo"},
	"POST drivers/{}/vendor_passthru/{}":  m{"bar": "kazoo"},
	"POST heartbeat/{}":                   m{"callback_url": "http://127.0.0.1:9", "agent_token": "x", "agent_version": "9.4.0"},
}

// to is a request for a route with what stands for each {}.
func to(r api.Route, args ...string) request {
	path := r.Path
	for _, arg := range args {
		path = strings.Replace(path, "{}", arg, 1)
	}
	if strings.HasSuffix(path, "/vendor_passthru") {
		path += "?method=second_method"
	}
	return request{method: r.Method, path: "/v1/" + path, body: bodies[r.String()]}
}

// unknownIDs asks for what there is not: for each {} by a UUID, and by a name.
func unknownIDs(r api.Route) []request {
	var all []request
	for i := range resting.args(r) {
		for _, id := range []string{nobody, unknownName} {
			args := resting.args(r)
			args[i] = id
			all = append(all, excused(to(r, args...).showing(unknownID), r))
		}
	}
	return all
}

// oldVersions asks before the route was there: just before, and at the oldest version of all.
func oldVersions(r api.Route) []request {
	x := to(r, resting.args(r)...).showing(oldVersion)
	switch {
	case r.Since > 2:
		return []request{x.at(version(r.Since - 1)), x.at("1.1")}
	case r.Since > 1:
		return []request{x.at("1.1")}
	}
	return nil
}

func version(minor int) string { return fmt.Sprintf("1.%d", minor) }

// badBodies are refused by whatever takes a body: no JSON, other JSON, unknown keys.
func badBodies(r api.Route) []request {
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, r.Method) {
		return nil
	}
	var all []request
	for _, bad := range []any{[]byte("{"), []any{}, "text", m{"colour": "red"}, []any{m{"colour": "red"}}} {
		x := to(r, resting.args(r)...)
		x.body = bad
		all = append(all, excused(x.showing(badBody), r))
	}
	return all
}

// fieldVersions are those that answers are compared at, besides the newest.
var fieldVersions = []int{1, 9, 31, 46, 58, 69, 72, 81}

// reads asks for what a route shows, at several versions.
func reads(r api.Route) []request {
	x := to(r, resting.args(r)...).showing(good)
	all := []request{excused(x, r)}
	for _, minor := range fieldVersions {
		if minor >= r.Since {
			all = append(all, excused(x.at(version(minor)), r))
		}
	}
	return all
}

// generated sends to every route what can be made from the table of routes.
func generated() []request {
	var refused, shown, changed, deleted []request
	for _, r := range api.Routes() {
		refused = slices.Concat(refused, unknownIDs(r), oldVersions(r), badBodies(r))
		x := excused(to(r, resting.args(r)...).showing(good), r)
		switch {
		case r.Method == http.MethodGet:
			shown = append(shown, reads(r)...)
		case r.Method == http.MethodDelete:
			deleted = append(deleted, x)
		case strings.Contains(r.Path, "{}"):
			changed = append(changed, x, rests(resting.node, "manageable"))
		}
	}
	slices.Reverse(deleted) // a node last: what is on it goes along
	return slices.Concat(enrol(resting, "three"), refused, shown, changed, deleted)
}

// enrol makes a subject, its node in state manageable.
func enrol(s subject, name string) []request {
	return []request{
		post("/v1/chassis", m{"uuid": s.chassis}),
		post("/v1/nodes", m{"uuid": s.node, "name": name, "driver": "fake-hardware", "chassis_uuid": s.chassis, "resource_class": name}),
		post("/v1/portgroups", m{"uuid": s.portgroup, "node_uuid": s.node, "name": "bond-" + name, "address": "52:54:00:aa:01:" + s.node[34:]}),
		post("/v1/ports", m{"uuid": s.port, "node_uuid": s.node, "address": "52:54:00:aa:00:" + s.node[34:], "portgroup_uuid": s.portgroup}),
		verb(s.node, "manage"), rests(s.node, "manageable"),
	}
}

// excuses are the generated requests that are answered otherwise than by Ironic, and why: by route, by what the request is
// about, and from which version on. The first that fits counts.
var excuses = []struct {
	route string
	about aspect
	body  string // empty: any
	since int
	why   string
}{
	{"PUT nodes/{}/maintenance", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/states/power", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/states/provision", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/states/console", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/states/boot_mode", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/states/secure_boot", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/management/boot_device", badBody, "{", 1, noJSON},
	{"PUT nodes/{}/management/inject_nmi", badBody, "{", 1, noJSON},
	{"POST heartbeat/{}", badBody, "{", 1, noJSON},
	{"POST continue_inspection", badBody, "", 2, ""}, // not there in these versions
	{"", badBody, "{", 1, clientsFault},
	{"POST nodes/{}/vendor_passthru", badBody, "[]", 1, clientsFault},
	{"POST nodes/{}/vendor_passthru", badBody, `"text"`, 1, clientsFault},
	{"POST nodes/{}/vendor_passthru", badBody, `[{"colour":"red"}]`, 1, clientsFault},
	{"POST nodes/{}/vendor_passthru/{}", badBody, "[]", 1, clientsFault},
	{"POST nodes/{}/vendor_passthru/{}", badBody, `"text"`, 1, clientsFault},
	{"POST nodes/{}/vendor_passthru/{}", badBody, `[{"colour":"red"}]`, 1, clientsFault},
	{"DELETE portgroups/{}", good, "", 1, clientsFault}, // ports are in it
	{"GET nodes/{}/ports", unknownID, "", 1, ourWords},
	{"GET nodes/{}/ports/detail", unknownID, "", 1, ourWords},
	{"GET nodes/{}/portgroups", unknownID, "", 1, ourWords},
	{"GET nodes/{}/inventory", good, "", 1, ourWords},
	{"PUT nodes/{}/states/boot_mode", wrongState, "", 1, ourWords},
	{"PUT nodes/{}/states/secure_boot", wrongState, "", 1, ourWords},
	{"PUT nodes/{}/states/boot_mode", waiting, "", 1, ourWords},
	{"PUT nodes/{}/states/secure_boot", waiting, "", 1, ourWords},
	{"PUT nodes/{}/states/console", waiting, "", 1, notServed},
	{"PUT nodes/{}/states/secure_boot", good, "", 1, atOnce},
	{"GET nodes/{}/management/boot_device/supported", good, "", 1, otherHardware},
	{"GET nodes/{}/validate", good, "", 1, foreignHere},
	{"GET conductors/{}", good, "", 1, otherHardware},
	{"GET drivers", good, "", 1, otherHardware},
	{"GET drivers/{}", good, "", 30, otherHardware},
	{"GET drivers/{}/properties", good, "", 1, otherHardware},
	{"GET drivers/{}/raid/logical_disk_properties", good, "", 1, notServed},
	{"PUT nodes/{}/states/console", good, "", 1, notServed},
	{"POST heartbeat/{}", unknownID, "", 1, noStranger},
}

// excused marks a request that is meant to be answered otherwise.
func excused(x request, r api.Route) request {
	for _, e := range excuses {
		if (e.route == "" || e.route == r.String()) && e.about == x.about && (e.body == "" || e.body == x.text()) && x.minor() >= e.since {
			return x.but(e.why)
		}
	}
	return x
}
