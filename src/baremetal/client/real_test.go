//go:build integration

package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(fixtures{m}) }

// fixtures ends what the tests have started.
type fixtures struct{ *testing.M }

func (f fixtures) Run() int { return backend.Main(f.M) }

// real starts an Ironic and gives a client of it, with the fault proxy in between.
func real(t *testing.T, opts ...backend.Option) (*Client, *backend.Backend) {
	t.Helper()
	b := backend.Start(t, opts...)
	c := must(t, Config{URL: b.URL})
	t.Cleanup(c.Close)
	return c, b
}

func TestRealNodeFromEnrollToActiveAndBack(t *testing.T) {
	c, b := real(t)
	ctx := t.Context()
	name, mac := "node-"+uuid.NewString()[:8], backend.NewMAC()
	n, err := c.CreateNode(ctx, map[string]any{"name": name, "driver": "fake-hardware", "properties": map[string]any{"cpus": 4}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.RemoveNode(t, n.UUID) })
	if n.Name != name || n.ProvisionState != baremetal.Enroll || n.Properties["cpus"] != 4.0 {
		t.Errorf("created %+v", n)
	}
	port, err := c.CreatePort(ctx, baremetal.Port{NodeUUID: n.UUID, Address: strings.ToUpper(mac), PXEEnabled: true})
	if err != nil || port.Address != mac || !port.PXEEnabled {
		t.Errorf("CreatePort = %+v, %v", port, err)
	}
	if found, err := c.PortByMAC(ctx, strings.ToUpper(mac)); err != nil || found.NodeUUID != n.UUID {
		t.Errorf("PortByMAC = %+v, %v; want the node's", found, err)
	}
	if ports, err := c.Ports(ctx, n.UUID); err != nil || len(ports) != 1 || ports[0].UUID != port.UUID {
		t.Errorf("Ports = %+v, %v; want the one", ports, err)
	}
	verbs := []struct {
		verb baremetal.Verb
		want baremetal.ProvisionState
	}{{baremetal.VerbManage, baremetal.Manageable}, {baremetal.VerbProvide, baremetal.Available}}
	for _, v := range verbs {
		settled(t, c, n.UUID, v.verb, v.want)
	}
	instance := uuid.NewString()
	if n, err = c.Claim(ctx, n.UUID, instance, baremetal.Patch{baremetal.Add("/extra/mark", map[string]int{"a": 1})}); err != nil {
		t.Fatal(err)
	}
	if n.InstanceUUID != instance || strings.ReplaceAll(string(n.Extra["mark"]), " ", "") != `{"a":1}` {
		t.Errorf("claimed %+v", n)
	}
	settled(t, c, n.UUID, baremetal.VerbActive, baremetal.Active)

	b.Proxy.Reset()
	found, err := must(t, Config{URL: b.URL}).NodeByInstance(ctx, instance)
	if err != nil || found.UUID != n.UUID || len(b.Proxy.Requests()) != 1 {
		t.Errorf("NodeByInstance = %v, %v in %d requests; want the node in 1", found.UUID, err, len(b.Proxy.Requests()))
	}
	if err := c.Power(ctx, n.UUID, baremetal.TargetReboot); err != nil {
		t.Error(err)
	}
	if _, err := c.WaitPower(ctx, n.UUID, baremetal.PowerOn, time.Minute); err != nil {
		t.Error(err)
	}
	n = settled(t, c, n.UUID, baremetal.VerbDeleted, baremetal.Available)
	if n.InstanceUUID != "" || strings.ReplaceAll(string(n.Extra["mark"]), " ", "") != `{"a":1}` {
		t.Errorf("after tear-down: %+v; want no instance, and extra as it was", n)
	}
	if err := errors.Join(c.SetMaintenance(ctx, n.UUID, true, "why"), c.SetMaintenance(ctx, n.UUID, true, "again")); err != nil {
		t.Error(err)
	}
	if n, err := c.Node(ctx, name); err != nil || !n.Maintenance || n.MaintenanceReason != "again" {
		t.Errorf("Node = %+v, %v; want maintenance", n, err)
	}
	if err := errors.Join(c.SetMaintenance(ctx, n.UUID, false, ""), c.DeleteNode(ctx, n.UUID), c.DeleteNode(ctx, n.UUID)); err != nil {
		t.Error(err)
	}
	if _, err := c.Node(ctx, n.UUID); !errors.Is(err, baremetal.ErrNotFound) {
		t.Errorf("after deletion: %v; want ErrNotFound", err)
	}
}

func settled(t *testing.T, c *Client, node string, verb baremetal.Verb, want baremetal.ProvisionState) baremetal.Node {
	t.Helper()
	if err := c.Provision(t.Context(), node, baremetal.Provision{Target: verb}); err != nil {
		t.Fatal(err)
	}
	n, err := c.Settle(t.Context(), node, time.Minute, want)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRealRefusals(t *testing.T) {
	c, b := real(t)
	ctx := t.Context()
	mac := backend.NewMAC()
	first := b.AddNode(t, backend.NodeSpec{Name: "first-" + uuid.NewString()[:8], Deploy: "fake", State: "manageable", MACs: []string{mac}})
	second := b.AddNode(t, backend.NodeSpec{Deploy: "fake", State: "available"})
	instance := uuid.NewString()
	if _, err := c.Claim(ctx, first, instance, nil); err != nil {
		t.Fatal(err)
	}
	n, err := c.Node(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	_, nameTaken := c.Patch(ctx, second, baremetal.Patch{baremetal.Add("/name", n.Name)})
	_, macTaken := c.CreatePort(ctx, baremetal.Port{NodeUUID: second, Address: mac})
	_, claimed := c.Claim(ctx, first, uuid.NewString(), nil)
	_, elsewhere := c.Claim(ctx, second, instance, nil)
	_, noKey := c.Patch(ctx, second, baremetal.Patch{baremetal.Remove("/extra/nothing")})
	_, noNode := c.Patch(ctx, uuid.NewString(), nil)
	_, noInventory := c.Inventory(ctx, first)
	_, noPorts := c.Ports(ctx, uuid.NewString())
	_, noMAC := c.PortByMAC(ctx, "52:54:00:00:00:00")
	tests := []struct {
		name      string
		err, want error
	}{
		{"name taken", nameTaken, baremetal.ErrTaken},
		{"MAC taken", macTaken, baremetal.ErrTaken},
		{"claimed", claimed, baremetal.ErrAssociated},
		{"the instance is elsewhere", elsewhere, baremetal.ErrAssociated},
		{"deletion of a claimed node", c.DeleteNode(ctx, first), baremetal.ErrAssociated},
		{"no such key", noKey, baremetal.ErrInvalid},
		{"no such node", noNode, baremetal.ErrNotFound},
		{"never inspected", noInventory, baremetal.ErrNotFound},
		{"ports of no node", noPorts, baremetal.ErrNotFound},
		{"nobody's MAC", noMAC, baremetal.ErrNotFound},
		{"verb in the wrong state", c.Provision(ctx, second, baremetal.Provision{Target: baremetal.VerbProvide}), baremetal.ErrWrongState},
	}
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: error = %v; want %v", tt.name, tt.err, tt.want)
		}
	}
}

func TestRealOneOfManyClaimsWins(t *testing.T) {
	c, b := real(t)
	node := b.AddNode(t, backend.NodeSpec{Deploy: "fake", State: "available"})
	errs := make([]error, 20)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = c.Claim(t.Context(), node, uuid.NewString(), nil) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, baremetal.ErrAssociated):
			t.Errorf("a loser's error = %v; want ErrAssociated", err)
		}
	}
	if won != 1 {
		t.Errorf("%d claims won; want 1", won)
	}
}

func TestRealAnswersThatNeverCome(t *testing.T) {
	for _, fault := range []backend.Fault{{CloseAfter: true}, {CloseBefore: true}, {Status: 503}} {
		fault.Times = 1
		t.Run(fmt.Sprintf("after=%v before=%v status=%d", fault.CloseAfter, fault.CloseBefore, fault.Status), func(t *testing.T) {
			c, b := real(t)
			ctx := t.Context()
			hit := func(method string) func() {
				t.Helper()
				fault.Method = method
				rule := b.Proxy.Fail(fault)
				return func() {
					t.Helper()
					if rule.Hits() != 1 {
						t.Errorf("%s: the fault was hit %d times; want once", method, rule.Hits())
					}
				}
			}
			check := hit("POST")
			n, err := c.CreateNode(ctx, map[string]any{"driver": "fake-hardware"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { b.RemoveNode(t, n.UUID) })
			check()
			check = hit("POST")
			if _, err := c.CreatePort(ctx, baremetal.Port{NodeUUID: n.UUID, Address: backend.NewMAC()}); err != nil {
				t.Error(err)
			}
			check()
			for _, verb := range []baremetal.Verb{baremetal.VerbManage, baremetal.VerbProvide} {
				check = hit("PUT")
				settled(t, c, n.UUID, verb, heard[verb][len(heard[verb])-1])
				check()
			}
			check = hit("PATCH")
			instance := uuid.NewString()
			if n, err = c.Claim(ctx, n.UUID, instance, baremetal.Patch{baremetal.Add("/extra/a", 1)}); err != nil || n.InstanceUUID != instance {
				t.Errorf("Claim = %+v, %v", n, err)
			}
			check()
			check = hit("PATCH")
			if n, err = c.Patch(ctx, n.UUID, baremetal.Patch{baremetal.Add("/extra/b", 1)}); err != nil || len(n.Extra) != 2 {
				t.Errorf("Patch = %+v, %v", n, err)
			}
			check()
			for _, verb := range []baremetal.Verb{baremetal.VerbActive, baremetal.VerbDeleted} {
				check = hit("PUT")
				settled(t, c, n.UUID, verb, map[baremetal.Verb]baremetal.ProvisionState{
					baremetal.VerbActive: baremetal.Active, baremetal.VerbDeleted: baremetal.Available,
				}[verb])
				check()
			}
			check = hit("PUT")
			if err := c.Power(ctx, n.UUID, baremetal.TargetOn); err != nil {
				t.Error(err)
			}
			if _, err := c.WaitPower(ctx, n.UUID, baremetal.PowerOn, time.Minute); err != nil {
				t.Error(err)
			}
			check()
			check = hit("DELETE")
			if err := c.DeleteNode(ctx, n.UUID); err != nil {
				t.Error(err)
			}
			check()
		})
	}
}

// Every version at which something changes takes what we ask it for.
func TestRealOlderVersions(t *testing.T) {
	c, b := real(t)
	ctx := t.Context()
	node := b.AddNode(t, backend.NodeSpec{Deploy: "fake", State: "available"})
	instance := uuid.NewString()
	if _, err := c.Claim(ctx, node, instance, nil); err != nil {
		t.Fatal(err)
	}
	minors := []int64{oldest, sinceDeploySteps, sinceInventory, newest}
	for _, since := range fieldSince {
		minors = append(minors, since-1, since)
	}
	slices.Sort(minors)
	for _, minor := range slices.Compact(minors) {
		c.minor.Store(minor)
		_, show := c.Node(ctx, node)
		_, find := c.NodeByInstance(ctx, instance)
		_, ports := c.Ports(ctx, node)
		all := c.EachNode(ctx, NodeQuery{}, func(baremetal.Node) error { return nil })
		whole := c.EachNode(ctx, NodeQuery{Whole: true}, func(baremetal.Node) error { return nil })
		_, change := c.Patch(ctx, node, baremetal.Patch{baremetal.Add("/extra/a", minor)})
		if err := errors.Join(show, find, ports, all, whole, change); err != nil {
			t.Errorf("1.%d: %v", minor, err)
		}
		if _, err := c.Inventory(ctx, node); !errors.Is(err, baremetal.ErrNotFound) {
			t.Errorf("1.%d: inventory: %v; want ErrNotFound", minor, err)
		}
	}
}

// Short pages show paging with few nodes.
func TestRealPages(t *testing.T) {
	c, b := real(t, backend.WithPages(3))
	want := b.AddNodes(t, 8, backend.NodeSpec{Deploy: "fake", State: "enroll", ResourceClass: "paged"})
	b.AddNode(t, backend.NodeSpec{Deploy: "fake", State: "enroll", ResourceClass: "other"})
	slices.Sort(want)
	for _, q := range []NodeQuery{{ResourceClass: "paged"}, {ResourceClass: "paged", Whole: true}, {ResourceClass: "paged", Fields: []string{"name"}}} {
		var got []string
		err := c.EachNode(t.Context(), q, func(n baremetal.Node) error {
			got = append(got, n.UUID)
			return nil
		})
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%+v: error = %v, nodes (-want +got):\n%s", q, err, d)
		}
	}
	var got []string // nodes vanish while they are listed, each page's last one among them
	err := c.EachNode(t.Context(), NodeQuery{ResourceClass: "paged"}, func(n baremetal.Node) error {
		got = append(got, n.UUID)
		if len(got) == 3 || len(got) == 2 {
			return c.DeleteNode(t.Context(), n.UUID)
		}
		return nil
	})
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("with nodes that vanish: error = %v, nodes (-want +got):\n%s", err, d)
	}
}

// A slow deployment shows when Settle ends.
func TestRealSettleEndsWithinASecond(t *testing.T) {
	c, b := real(t, backend.WithSlowDeploys(2))
	node := b.AddNode(t, backend.NodeSpec{Deploy: "fake", State: "available"})
	if err := c.Provision(t.Context(), node, baremetal.Provision{Target: baremetal.VerbActive}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Patch(t.Context(), node, baremetal.Patch{baremetal.Add("/extra/late", true)}); err != nil || n.ProvisionState == baremetal.Deploying {
		t.Errorf("a change while deploying: state %s, error = %v; want it to wait for the lock", n.ProvisionState, err)
	}
	settled(t, c, node, baremetal.VerbDeleted, baremetal.Available)

	ended := make(chan time.Time, 1)
	if err := c.Provision(t.Context(), node, baremetal.Provision{Target: baremetal.VerbActive}); err != nil {
		t.Fatal(err)
	}
	go func() {
		b.WaitState(t, node, "active")
		ended <- time.Now()
	}()
	if _, err := c.Settle(t.Context(), node, time.Minute, baremetal.Active); err != nil {
		t.Error(err)
	}
	if late := time.Since(<-ended); late > time.Second {
		t.Errorf("ended %v after Ironic; want within 1 s", late)
	} else {
		t.Logf("ended %v after Ironic", late)
	}
}

func TestRealPasswords(t *testing.T) {
	b := backend.Start(t, backend.WithBasicAuth())
	user, password := b.Credentials()
	auth := Auth{Type: "http_basic", Username: user, Password: secret.New(password)}
	for _, tt := range []struct {
		password string
		want     error
	}{{password, baremetal.ErrNotFound}, {"wrong", baremetal.ErrUnauthorized}} {
		auth.Password = secret.New(tt.password)
		c := must(t, Config{URL: b.URL, Auth: auth})
		t.Cleanup(c.Close)
		if _, err := c.NodeByInstance(t.Context(), uuid.NewString()); !errors.Is(err, tt.want) {
			t.Errorf("error = %v; want %v", err, tt.want)
		}
	}
}

func TestRealKeystone(t *testing.T) {
	b := backend.Start(t, backend.WithKeystone())
	byPassword := Auth{
		Type: "keystone", KeystoneURL: b.Env["KEYSTONE_URL"], Username: b.Env["KEYSTONE_BOSH_USERNAME"],
		Password: secret.New(b.Env["KEYSTONE_BOSH_PASSWORD"]), Project: b.Env["KEYSTONE_BOSH_PROJECT"],
	}
	wrong := byPassword
	wrong.Password = secret.New("wrong")
	tests := []struct {
		name string
		cfg  Config
		want error
	}{
		{"password, our URL", Config{URL: b.URL, Auth: byPassword}, baremetal.ErrNotFound},
		{"password, the catalogue's", Config{Auth: byPassword}, baremetal.ErrNotFound},
		{"wrong password", Config{Auth: wrong}, baremetal.ErrUnauthorized},
		{"application credential", Config{Auth: Auth{
			Type: "keystone", KeystoneURL: b.Env["KEYSTONE_URL"],
			ApplicationCredentialID:     b.Env["KEYSTONE_APPLICATION_CREDENTIAL_ID"],
			ApplicationCredentialSecret: secret.New(b.Env["KEYSTONE_APPLICATION_CREDENTIAL_SECRET"]),
		}}, baremetal.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.RetryLimit = 10 * time.Second
			c := must(t, tt.cfg)
			t.Cleanup(c.Close)
			if _, err := c.NodeByInstance(t.Context(), uuid.NewString()); !errors.Is(err, tt.want) {
				t.Errorf("error = %v; want %v", err, tt.want)
			}
		})
	}
	t.Run("a token that is refused is renewed", func(t *testing.T) {
		c := must(t, Config{URL: b.URL, Auth: byPassword})
		t.Cleanup(c.Close)
		for range 2 {
			if _, err := c.NodeByInstance(t.Context(), uuid.NewString()); !errors.Is(err, baremetal.ErrNotFound) {
				t.Fatalf("error = %v; want ErrNotFound", err)
			}
			c.session.now.value = "gAAAAABexpired"
		}
	})
}
