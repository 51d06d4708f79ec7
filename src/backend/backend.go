// Package backend starts what tests run against: an engine of the Bare Metal API, a WebDAV server, a Keystone,
// all of them real and on loopback, with a fault-injecting [Proxy] in front.
//
// A package whose tests use it has
//
//	func TestMain(m *testing.M) { os.Exit(backend.Main(m)) }
//
// and a test begins with backend.Start(t). Tests of one process that ask for equal options share one engine, and
// each has a proxy of its own. What an engine must do for a test goes through [Backend], so that the same tests
// run on another engine of the same API: BOSH_IRONIC_BACKEND names it, "ironic" (OpenStack Ironic from Debian's packages,
// by bin/ironic-up; the default), "conductor" (our own daemon) or "embedded" (the same, with a conductor in each process of
// the CPI besides). BOSH_IRONIC_KEEP=1 leaves logs and disks behind.
//
// It is for tests alone, and where a Debian package is missing and cannot be installed, it skips the test on a
// laptop and fails it in CI (CI=true).
package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// missingPackages is the exit status of our scripts when they need something that they cannot install
// (sysexits.h, EX_UNAVAILABLE).
const missingPackages = 69

// A Backend is an engine of the Bare Metal API as one test sees it.
type Backend struct {
	URL    string // through the test's own Proxy
	Direct string // past it
	Proxy  *Proxy
	Dir    string            // the engine's folder: log/, disks/
	Env    map[string]string // what the engine's env file tells: addresses, credentials, versions
	engine *fixture
}

// options are comparable: equal ones share an engine.
type options struct {
	clean, split, ipmi bool
	auth               string // noauth, http_basic, keystone
	lockRetries        int
	workers            int
	group              string
	pages              int
	slowDeploys        int // seconds
}

// An Option changes what Start starts.
type Option func(*options)

// WithClean switches automated cleaning on.
func WithClean() Option { return func(o *options) { o.clean = true } }

// WithSplit runs API and conductor as two processes over JSON-RPC.
func WithSplit() Option { return func(o *options) { o.split = true } }

// WithIPMI adds a BMC; Env has its address in IPMI_ADDRESS, IPMI_PORT, IPMI_USERNAME and IPMI_PASSWORD.
func WithIPMI() Option { return func(o *options) { o.ipmi = true } }

// WithBasicAuth asks for a user's password; see [Backend.Credentials].
func WithBasicAuth() Option { return func(o *options) { o.auth = "http_basic" } }

// WithKeystone starts a Keystone too; Env has its KEYSTONE_ entries, bin/keystone-up says which.
func WithKeystone() Option { return func(o *options) { o.auth = "keystone" } }

// WithLockRetries sets how often the engine itself tries for a node's lock, 1 s apart, before it answers 409.
func WithLockRetries(n int) Option { return func(o *options) { o.lockRetries = n } }

// WithWorkers sets the size of the conductor's pool of threads: few of them answer 503 under load.
func WithWorkers(n int) Option { return func(o *options) { o.workers = n } }

// WithGroup has the engine work on the nodes of one conductor_group, and leave their power alone.
func WithGroup(name string) Option { return func(o *options) { o.group = name } }

// WithPages sets how many nodes the engine lists at once at most.
func WithPages(most int) Option { return func(o *options) { o.pages = most } }

// WithSlowDeploys has a deployment by the fake deploy interface take so many seconds.
func WithSlowDeploys(seconds int) Option { return func(o *options) { o.slowDeploys = seconds } }

// Start gives the test an engine that answers. It starts one if no earlier test of this process has with the
// same options.
func Start(t testing.TB, opts ...Option) *Backend {
	t.Helper()
	skipShort(t)
	engines := map[string]func(context.Context, options) (dir, url string, env map[string]string, err error){
		"ironic": startIronic, "conductor": startConductor, "embedded": startConductor,
	}
	begin, ok := engines[Kind()]
	if !ok {
		t.Fatalf("BOSH_IRONIC_BACKEND=%s: ironic, conductor and embedded are known", Kind())
	}
	o := options{auth: "noauth"}
	for _, opt := range opts {
		opt(&o)
	}
	e := shared.engine(o)
	e.once.Do(func() { e.dir, e.url, e.env, e.err = begin(t.Context(), o) })
	e.check(t)
	proxy := NewProxy(t, e.url)
	return &Backend{URL: proxy.URL, Direct: e.url, Proxy: proxy, Dir: e.dir, Env: e.env, engine: e}
}

// Credentials are the name and password for basic authentication, empty without WithBasicAuth.
func (b *Backend) Credentials() (user, password string) {
	return b.Env["IRONIC_USERNAME"], b.Env["IRONIC_PASSWORD"]
}

// A fixture is something started for several tests.
type fixture struct {
	once sync.Once
	dir  string
	url  string
	env  map[string]string
	err  error

	mu    sync.Mutex
	token string // Keystone's
}

// skipShort leaves out what starts services where only quick tests are asked for.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real service: not with -short")
	}
}

// check ends the test if the fixture could not be started.
func (f *fixture) check(t testing.TB) {
	t.Helper()
	var missing *missingError
	if errors.As(f.err, &missing) && os.Getenv("CI") != "true" {
		t.Skip(missing)
	}
	if f.err != nil {
		t.Fatal(f.err)
	}
}

// fixtures is what this process has started. It is global because the tests of a package meet nowhere else.
type fixtures struct {
	mu      sync.Mutex
	engines map[options]*fixture
	webdavs map[string]*fixture
	stops   []func()
	report  []string
}

var shared = fixtures{engines: map[options]*fixture{}, webdavs: map[string]*fixture{}}

func (f *fixtures) engine(o options) *fixture {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.engines[o] == nil {
		f.engines[o] = &fixture{}
	}
	return f.engines[o]
}

func (f *fixtures) started(what string, since time.Time, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report = append(f.report, fmt.Sprintf("%s: up in %.1f s", what, time.Since(since).Seconds()))
	if stop != nil {
		f.stops = append(f.stops, stop)
	}
}

// ends has stop called after the last test.
func (f *fixtures) ends(stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stops = append(f.stops, stop)
}

// Main runs a package's tests, ends what they started, and tells what they ran against and how long it took to
// start. It returns the exit status.
func Main(m *testing.M) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	begun := time.Now()
	for _, stop := range shared.stops {
		stop()
	}
	if len(shared.report) > 0 {
		fmt.Fprintf(os.Stdout, "ran against %s", runtime.Version())
		for _, line := range shared.report {
			fmt.Fprintf(os.Stdout, "; %s", line)
		}
		fmt.Fprintf(os.Stdout, "; all ended in %.1f s\n", time.Since(begun).Seconds())
	}
	return code
}

// startIronic runs bin/ironic-up in a new folder.
func startIronic(ctx context.Context, o options) (dir, url string, env map[string]string, err error) {
	begun := time.Now()
	dir, err = os.MkdirTemp("", "ironic-")
	if err != nil {
		return "", "", nil, err
	}
	defer func() {
		if err != nil && os.Getenv("BOSH_IRONIC_KEEP") == "" {
			_ = os.RemoveAll(dir)
		}
	}()
	vars := []string{
		"AUTH=" + o.auth, "CLEAN=" + flag(o.clean), "SPLIT=" + flag(o.split), "IPMI=" + flag(o.ipmi), "NODES=0",
		fmt.Sprintf("OWNER=%d", os.Getpid()), // it ends with us, however we end
	}
	if o.lockRetries > 0 {
		vars = append(vars, fmt.Sprintf("LOCK_RETRIES=%d", o.lockRetries))
	}
	if o.workers > 0 {
		vars = append(vars, fmt.Sprintf("WORKERS=%d", o.workers))
	}
	conf := ""
	if o.group != "" {
		conf += fmt.Sprintf("[conductor]\nconductor_group = %s\nsync_power_state_interval = 0\n", o.group)
	}
	if o.pages > 0 {
		conf += fmt.Sprintf("[api]\nmax_limit = %d\n", o.pages)
	}
	if o.slowDeploys > 0 {
		conf += fmt.Sprintf("[fake]\ndeploy_delay = %d\n", o.slowDeploys)
	}
	if conf != "" {
		extra := filepath.Join(dir, "extra.conf")
		if err := os.WriteFile(extra, []byte(conf), 0o600); err != nil {
			return dir, "", nil, err
		}
		vars = append(vars, "EXTRA_CONF="+extra)
	}
	if o.auth == "keystone" {
		keystone, err := startKeystone(ctx)
		if err != nil {
			return dir, "", nil, err
		}
		vars = append(vars, "KEYSTONE="+keystone)
	}
	url, err = script(ctx, "ironic-up", dir, vars...)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, tails(dir))
		return dir, "", nil, err
	}
	env, err = readEnv(filepath.Join(dir, "env"))
	shared.started("Ironic "+env["IRONIC_VERSION"]+" ("+o.String()+"), "+version("qemu-img", "--version"), begun, func() {
		if os.Getenv("BOSH_IRONIC_KEEP") != "" {
			fmt.Fprintln(os.Stdout, "kept", dir)
			_, _ = script(context.WithoutCancel(ctx), "ironic-down", dir)
			return
		}
		_, _ = script(context.WithoutCancel(ctx), "ironic-down", dir, "WIPE=1")
	})
	return dir, url, env, err
}

func (o options) String() string {
	words := []string{o.auth}
	if o.clean {
		words = append(words, "cleaning")
	}
	if o.split {
		words = append(words, "split")
	}
	if o.ipmi {
		words = append(words, "IPMI")
	}
	return strings.Join(words, ", ")
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// A missingError says which Debian packages to install.
type missingError struct{ text string }

func (e *missingError) Error() string { return e.text }

// script runs one of bin/ on dir and returns what it prints.
func script(ctx context.Context, name, dir string, vars ...string) (string, error) {
	top, err := repositoryTop()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(top, "bin", name), dir)
	cmd.Env = append(os.Environ(), vars...)
	cmd.Dir = top
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == missingPackages {
		return "", &missingError{strings.TrimSpace(log.String())}
	}
	if err != nil {
		return "", fmt.Errorf("bin/%s: %w\n%s", name, err, log.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// repositoryTop is the folder that holds go.mod.
func repositoryTop() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "bin", "ironic-up")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("bin/ironic-up is in none of the folders above: run tests inside the repository")
		}
		dir = filepath.Dir(dir)
	}
}

// readEnv reads lines "export NAME=value" as bash's printf %q writes them.
func readEnv(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if name, value, found := strings.Cut(line, "="); ok && found {
			env[name] = strings.ReplaceAll(value, `\`, "")
		}
	}
	return env, nil
}

// tails returns the last lines of each log in dir.
func tails(dir string) string {
	var text strings.Builder
	logs, _ := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	for _, name := range logs {
		content, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		fmt.Fprintf(&text, "--- %s\n%s\n", filepath.Base(name), content[max(0, len(content)-1000):])
	}
	return text.String()
}

// version is the first line that a program prints about itself.
func version(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput() //nolint:noctx // answers at once
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if err != nil {
		return program + ": " + err.Error()
	}
	return string(bytes.TrimSpace(line))
}
