package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
)

// An aspect is what a request is sent for.
type aspect string

const (
	good       aspect = "a good request"
	badBody    aspect = "a bad body"
	wrongState aspect = "a wrong state"
	unknownID  aspect = "an unknown id"
	oldVersion aspect = "an old version"
	waiting    aspect = "a waiting node" // which takes some of what a locked one refuses
)

// Every route of the server is in the script that OpenStack Ironic is asked too: with a good request, a bad body, in a wrong
// state, with an unknown UUID and name for each {}, and at an old version. What a request shows is judged by what became
// of it: a good one is accepted, all others are refused.
func TestEveryRouteIsAsked(t *testing.T) {
	shown := showings(t)
	for _, r := range api.Routes() {
		for _, what := range wanted(r) {
			there, why := shown[r.String()][what], exemptions[r.String()][what]
			switch {
			case !there && why == "":
				t.Errorf("%s: no request of the script shows %s", r, what)
			case there && why != "":
				t.Errorf("%s: a request of the script shows %s; the list says that none does: %s", r, what, why)
			}
		}
	}
	for route := range exemptions {
		if !slices.ContainsFunc(api.Routes(), func(r api.Route) bool { return r.String() == route }) {
			t.Errorf("%s is exempt, and no route", route)
		}
	}
}

// wanted is what the script must show of a route.
func wanted(r api.Route) []aspect {
	all := []aspect{good}
	if r.Method != http.MethodGet && r.Method != http.MethodDelete { // these take no body
		all = append(all, badBody)
	}
	if r.Method != http.MethodGet { // it reads, whatever the state
		all = append(all, wrongState)
	}
	if r.Since > 1 {
		all = append(all, oldVersion)
	}
	for i := range strings.Count(r.Path, "{}") {
		all = append(all, unknown(i, nobody), unknown(i, unknownName))
	}
	return all
}

// unknown is the i-th id in a path being a UUID, or a name, of nothing.
func unknown(i int, id string) aspect {
	kind := "name"
	if id == nobody {
		kind = "UUID"
	}
	return aspect(fmt.Sprintf("%s (%s, number %d in the path)", unknownID, kind, i+1))
}

// showings plays the script to the conductor alone, and returns by route what was shown.
func showings(t *testing.T) map[string]map[aspect]bool {
	t.Helper()
	ours := &side{url: start(t, func(c *conductor.Config) { c.LockWait = time.Millisecond }).url, images: newImages(t)}
	shown, doubtful := map[string]map[aspect]bool{}, []string{}
	for _, x := range exchanges() {
		o := ours.play(t, x)
		if x.method == "" {
			continue
		}
		r, args, ok := api.RouteOf(httptest.NewRequest(x.method, x.path, nil))
		if !ok {
			continue
		}
		if shown[r.String()] == nil {
			shown[r.String()] = map[aspect]bool{}
		}
		what := judged(x, r, args, o.Status)
		switch {
		case what == wrongState && o.Status == http.StatusBadRequest: // perhaps it is refused in every state
			doubtful = append(doubtful, r.String())
		case what != "":
			shown[r.String()][what] = true
		}
	}
	for _, route := range doubtful {
		shown[route][wrongState] = shown[route][wrongState] || shown[route][good]
	}
	return shown
}

// judged is what the answer to a request shows; empty: nothing.
func judged(x request, r api.Route, args []string, status int) aspect {
	strangers := 0
	var which aspect
	for i, arg := range args {
		if arg == nobody || arg == unknownName {
			strangers++
			which = unknown(i, arg)
		}
	}
	refused := status >= http.StatusBadRequest && status < http.StatusInternalServerError
	switch {
	case x.minor() < r.Since:
		if refused {
			return oldVersion
		}
	case strangers == 1 && refused:
		return which
	case x.about == badBody && status == http.StatusBadRequest, x.about == wrongState && refused:
		return x.about
	case strangers == 0 && status < http.StatusBadRequest:
		return good
	}
	return ""
}

// Reasons for several exemptions.
const (
	noDriver = "no driver can"
	onlyPOST = "the methods of fake hardware are for POST"
	nodeOnly = "no driver has methods without a node"
)

// exemptions are what nobody can show of a route, and why.
var exemptions = map[string]map[aspect]string{
	"PUT nodes/{}/states/console":                 {good: notServed},
	"GET drivers/{}/raid/logical_disk_properties": {good: notServed},
	"PUT nodes/{}/states/secure_boot":             {good: noDriver},
	"PUT nodes/{}/management/inject_nmi":          {good: noDriver},
	"GET nodes/{}/vendor_passthru":                {good: onlyPOST},
	"PUT nodes/{}/vendor_passthru":                {good: onlyPOST, wrongState: onlyPOST},
	"DELETE nodes/{}/vendor_passthru":             {good: onlyPOST, wrongState: onlyPOST},
	"GET nodes/{}/vendor_passthru/{}":             {good: onlyPOST},
	"PUT nodes/{}/vendor_passthru/{}":             {good: onlyPOST, wrongState: onlyPOST},
	"DELETE nodes/{}/vendor_passthru/{}":          {good: onlyPOST, wrongState: onlyPOST},
	"POST drivers/{}/vendor_passthru":             {good: nodeOnly, wrongState: nodeOnly},
	"POST drivers/{}/vendor_passthru/{}":          {good: nodeOnly, wrongState: nodeOnly},
	"DELETE nodes/{}/vifs/{}":                     {unknown(1, nobody): "interface noop knows no VIF", unknown(1, unknownName): "interface noop knows no VIF"},
	"GET nodes/{}/volume":                         {unknown(0, nobody): "the links are told of any node", unknown(0, unknownName): "the links are told of any node"},
	"PATCH chassis/{}":                            {wrongState: "a chassis has no state"},
	"PATCH allocations/{}":                        {wrongState: "an allocation is renamed in any state"},
	"POST continue_inspection":                    {good: "Ironic has it since 24.1, and no node waits for it here: TestContinueInspection"},
	"POST events":                                 {wrongState: "events change nothing"},
}
