package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/baremetal"
)

// A shelf is a far end with many nodes that pages as Ironic does.
type shelf struct {
	ids   []string
	max   int               // max_limit
	gone  map[string]bool   // nodes that are deleted once they were shown; set to true then
	more  string            // fields of every node, JSON
	query []url.Values      // of every request
	twice map[string]string // marker to a node that the page after it shows again
}

func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set(headerMaximum, "1.82")
	q := r.URL.Query()
	s.query = append(s.query, q)
	limit, _ := strconv.Atoi(q.Get("limit"))
	limit = min(limit, s.max)
	from := 0
	if marker := q.Get("marker"); marker != "" {
		if s.gone[marker] {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"error_message": "{\"faultstring\": \"Node %s could not be found.\"}"}`, marker)
			return w.Result(), nil
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(marker, "node-"))
		from = n + 1
	}
	var page []string
	for _, id := range s.ids[from:] {
		if len(page) < limit && !s.gone[id] {
			page = append(page, id)
		}
	}
	items := make([]string, 0, limit+1)
	if again := s.twice[q.Get("marker")]; again != "" {
		items = append(items, fmt.Sprintf(`{"uuid": %q%s}`, again, s.more))
	}
	for _, id := range page {
		items = append(items, fmt.Sprintf(`{"uuid": %q%s}`, id, s.more))
		if _, goes := s.gone[id]; goes {
			s.gone[id] = true
		}
	}
	next := ""
	if len(page) == limit { // Ironic's next has lost the filters
		next = `, "next": "http://ironic.test/v1/nodes?limit=1000&marker=` + page[len(page)-1] + `"`
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	fmt.Fprintf(w, `{%q: [%s]%s}`, kind, strings.Join(items, ","), next)
	return w.Result(), nil
}

func shelfOf(n, maxLimit int) *shelf {
	s := &shelf{max: maxLimit}
	for i := range n {
		s.ids = append(s.ids, fmt.Sprintf("node-%d", i))
	}
	return s
}

func list(t *testing.T, s *shelf, q NodeQuery) []string {
	t.Helper()
	c := must(t, Config{URL: "http://ironic.test", Transport: s})
	var got []string
	err := c.EachNode(t.Context(), q, func(n baremetal.Node) error {
		got = append(got, n.UUID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEachNodeGivesAllInFewRequests(t *testing.T) {
	s := shelfOf(10_000, 1000)
	if d := cmp.Diff(s.ids, list(t, s, NodeQuery{ResourceClass: "gold", ConductorGroup: "g", ProvisionState: "available"})); d != "" {
		t.Errorf("nodes (-want +got):\n%s", d)
	}
	if n := len(s.query); n != 11 {
		t.Errorf("%d requests; want 11", n)
	}
	for i, q := range s.query { // the filters are on every page
		if q.Get("resource_class") != "gold" || q.Get("conductor_group") != "g" || q.Get("provision_state") != "available" || q.Get("fields") == "" {
			t.Errorf("request %d asked for %v", i, q)
		}
	}
}

func TestEachNodeGivesEachOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := shelfOf(rapid.IntRange(0, 40).Draw(rt, "nodes"), rapid.IntRange(1, 10).Draw(rt, "max_limit"))
		s.twice, s.gone = map[string]string{}, map[string]bool{}
		for _, id := range s.ids {
			if rapid.Bool().Draw(rt, "shown again") {
				s.twice[id] = s.ids[0]
			}
			if rapid.Bool().Draw(rt, "goes") { // with no node left there is no marker: from the start again
				s.gone[id] = false
			}
		}
		if d := cmp.Diff(s.ids, list(t, s, NodeQuery{})); d != "" {
			rt.Fatalf("nodes (-want +got):\n%s", d)
		}
	})
}

func TestEachNodeEndsWhereMarkersAreIgnored(t *testing.T) {
	c, f := newFar(t, Config{}, `200 {"nodes": [{"uuid": "a"}, {"uuid": "b"}]}`)
	n := 0
	if err := c.EachNode(t.Context(), NodeQuery{}, func(baremetal.Node) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	if n != 2 || len(f.requests()) != 2 {
		t.Errorf("%d nodes in %d requests; want 2 in 2", n, len(f.requests()))
	}
}

func TestEachNodeStopsWhenToldTo(t *testing.T) {
	enough := errors.New("enough")
	c, f := newFar(t, Config{}, `200 {"nodes": [{"uuid": "a"}, {"uuid": "b"}]}`)
	err := c.EachNode(t.Context(), NodeQuery{}, func(baremetal.Node) error { return enough })
	if !errors.Is(err, enough) || len(f.requests()) != 1 {
		t.Errorf("error = %v after %d requests; want ours after 1", err, len(f.requests()))
	}
}

func TestListQueries(t *testing.T) {
	tests := []struct {
		name  string
		query NodeQuery
		path  string
		want  url.Values
	}{
		{"whole", NodeQuery{Whole: true}, "GET /nodes/detail", url.Values{"limit": {"1000"}}},
		{"fields", NodeQuery{Fields: []string{"extra"}}, "GET /nodes", url.Values{"limit": {"1000"}, "fields": {"uuid,extra"}}},
		{"filters", NodeQuery{Owner: "o", ChassisUUID: "c", Fields: []string{"uuid"}}, "GET /nodes", url.Values{"limit": {"1000"}, "fields": {"uuid"}, "owner": {"o"}, "chassis_uuid": {"c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, f := newFar(t, Config{}, "nodes/page-last")
			if err := c.EachNode(t.Context(), tt.query, nil); err != nil {
				t.Fatal(err)
			}
			if f.requests()[0] != tt.path {
				t.Errorf("asked %s; want %s", f.requests()[0], tt.path)
			}
			if d := cmp.Diff(tt.want, f.full[0].URL.Query()); d != "" {
				t.Errorf("query (-want +got):\n%s", d)
			}
		})
	}
}

func TestPorts(t *testing.T) {
	c, f := newFar(t, Config{}, "ports/of-node-fields", `200 {"ports": []}`, "ports/of-node-fields", `200 {"ports": []}`)
	ports, err := c.Ports(t.Context(), nodeID)
	if err != nil || len(ports) == 0 || ports[0].Address == "" {
		t.Fatalf("Ports = %v, %v; want the recorded ones", ports, err)
	}
	if p, err := c.PortByMAC(t.Context(), ports[0].Address); err != nil || p.Address != ports[0].Address {
		t.Errorf("PortByMAC = %v, %v", p, err)
	}
	if _, err := c.PortByMAC(t.Context(), "52:54:00:00:00:00"); !errors.Is(err, baremetal.ErrNotFound) {
		t.Errorf("PortByMAC of nobody's = %v; want ErrNotFound", err)
	}
	if got := f.full[0].URL.Query().Get("node"); got != nodeID {
		t.Errorf("asked for the ports of node %q; want %s", got, nodeID)
	}
}

func TestNullsAreZero(t *testing.T) {
	c, _ := newFar(t, Config{}, "nodes/show-by-uuid")
	n, err := c.Node(t.Context(), nodeID)
	if err != nil {
		t.Fatal(err)
	}
	want := baremetal.Node{
		UUID: nodeID, Name: "rec-a", Driver: "fake-hardware", DeployInterface: "fake", ProvisionState: baremetal.Enroll,
		Traits: []string{}, Properties: map[string]any{}, Extra: map[string]json.RawMessage{},
		InstanceInfo: map[string]any{}, DriverInfo: map[string]any{},
	}
	if d := cmp.Diff(want, n); d != "" {
		t.Errorf("node (-want +got):\n%s", d)
	}
}

func TestNumbersArePlain(t *testing.T) { // gophercloud's own decoding gives json.Number
	c, _ := newFar(t, Config{}, `200 {"uuid": "x", "properties": {"memory_mb": 4096, "cpus": "8"}}`)
	n, err := c.Node(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"memory_mb": 4096.0, "cpus": "8"}, n.Properties); d != "" {
		t.Errorf("properties (-want +got):\n%s", d)
	}
}

func BenchmarkEachNode(b *testing.B) {
	s := shelfOf(10_000, 1000)
	s.more = `, "name": "rack-7", "instance_uuid": null, "driver": "ipmi", "deploy_interface": "direct",
		"provision_state": "available", "target_provision_state": null, "power_state": "power off", "reservation": null,
		"last_error": null, "maintenance": false, "fault": null, "retired": false, "protected": false,
		"resource_class": "baremetal", "conductor_group": "", "owner": null, "traits": ["CUSTOM_SSD"],
		"properties": {"cpus": 16, "memory_mb": 65536, "local_gb": 960, "cpu_arch": "x86_64", "capabilities": "boot_mode:uefi"},
		"extra": {"rack": "7", "unit": 12}, "links": [{"href": "http://ironic.test/v1/nodes/x", "rel": "self"}]`
	c := must(b, Config{URL: "http://ironic.test", Transport: memory{shelf: s, pages: map[string][]byte{}}})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := c.EachNode(b.Context(), NodeQuery{}, func(baremetal.Node) error { n++; return nil }); err != nil || n != 10_000 {
			b.Fatal(n, err)
		}
	}
}

// A memory gives a shelf's pages without making them twice.
type memory struct {
	*shelf
	pages map[string][]byte
}

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	page, ok := m.pages[r.URL.RawQuery]
	if !ok {
		resp, err := m.shelf.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if page, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
		m.pages[r.URL.RawQuery] = page
	}
	return response(http.StatusOK, nil, string(page)), nil
}
