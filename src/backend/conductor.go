package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/fakeramdisk"
)

// OnlyOn leaves a test out on every engine but the one named, and says why.
func OnlyOn(t testing.TB, engine, why string) {
	t.Helper()
	if Kind() != engine {
		t.Skipf("only on %s: %s", engine, why)
	}
}

// NotOn leaves a test out on one engine, and says why.
func NotOn(t testing.TB, engine, why string) {
	t.Helper()
	if Kind() == engine {
		t.Skipf("not on %s: %s", engine, why)
	}
}

// Embedded is what the CPI is configured with to bring the conductor along in its own process, on the same database as
// the daemon that serves the test. nil on other engines.
func (b *Backend) Embedded() map[string]any {
	if Kind() != "embedded" {
		return nil
	}
	return map[string]any{
		"ironic": map[string]any{"url": "embedded"},
		"conductor": map[string]any{
			"database": filepath.Join(b.Dir, "data", "conductor.sqlite"), "automated_clean": b.Env["CLEAN"] == "1", "group": b.Env["GROUP"],
		},
	}
}

// Kind is the engine that tests run on: ironic, conductor, or embedded.
func Kind() string {
	if k := os.Getenv("BOSH_IRONIC_BACKEND"); k != "" {
		return k
	}
	return "ironic"
}

// startConductor runs our own daemon as the engine, with the same deploy ramdisk as bin/ironic-up starts, but in this
// process.
func startConductor(ctx context.Context, o options) (dir, url string, env map[string]string, err error) {
	begun := time.Now()
	dir, err = os.MkdirTemp("", "conductor-")
	if err != nil {
		return "", "", nil, err
	}
	if o.split {
		return dir, "", nil, errors.New("the conductor is one process: use OnlyOn")
	}
	url = "http://" + FreeAddress()
	conductor := map[string]any{
		"listen": []any{url}, "hostname": "127.0.0.1", "automated_clean": o.clean, "power_sync": "0s", "group": o.group,
	}
	if o.workers > 0 {
		conductor["workers"] = o.workers
	}
	if o.pages > 0 {
		conductor["max_limit"] = o.pages
	}
	env = map[string]string{}
	switch o.auth {
	case "http_basic":
		conductor["users"] = []any{map[string]any{"name": "admin", "password": "secret"}}
		env["IRONIC_USERNAME"], env["IRONIC_PASSWORD"] = "admin", "secret"
	case "keystone":
		if env, err = keystoneFor(ctx, url); err != nil {
			return dir, "", nil, err
		}
		conductor["keystone"] = map[string]any{
			"auth_url": env["KEYSTONE_URL"], "project": env["KEYSTONE_IRONIC_PROJECT"],
			"username": env["KEYSTONE_IRONIC_USERNAME"], "password": env["KEYSTONE_IRONIC_PASSWORD"],
		}
	}
	if o.ipmi {
		bmc, err := startBMC(ctx)
		if err != nil {
			return dir, "", nil, err
		}
		maps.Copy(env, bmc)
	}
	env["IRONIC_AUTH"], env["IRONIC_URL"], env["CLEAN"], env["GROUP"] = o.auth, url, flag(o.clean), o.group
	if o.slowDeploys > 0 { // by the nodes' driver_info
		env["FAKE_DEPLOY_DELAY"] = fmt.Sprintf("%ds", o.slowDeploys)
	}
	off := map[string]any{"enabled": false}
	text, err := json.Marshal(map[string]any{"data": filepath.Join(dir, "data"), "registry": off, "repository": off, "conductor": conductor})
	if err != nil {
		return dir, "", nil, err
	}
	d := &Daemon{Registry: url, Repository: url, Config: filepath.Join(dir, "registry.yml"), Log: filepath.Join(dir, "registry.log")}
	if err := os.WriteFile(d.Config, text, 0o600); err != nil {
		return dir, "", nil, err
	}
	if err := d.run(ctx); err != nil {
		return dir, "", nil, err
	}
	endRamdisk, err := startRamdisk(ctx, env, filepath.Join(dir, "disks"))
	shared.started("conductor ("+o.String()+")", begun, func() {
		if endRamdisk != nil {
			endRamdisk()
		}
		_ = d.end(syscall.SIGTERM)
		if os.Getenv("BOSH_IRONIC_KEEP") == "" {
			_ = os.RemoveAll(dir)
		}
	})
	return dir, url, env, err
}

// startBMC runs OpenIPMI's simulated BMC, and returns its env file.
func startBMC(ctx context.Context) (map[string]string, error) {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "bmc-")
	if err != nil {
		return nil, err
	}
	if _, err := script(ctx, "bmc-up", dir, fmt.Sprintf("OWNER=%d", os.Getpid())); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, tails(dir))
	}
	env, err := readEnv(filepath.Join(dir, "env"))
	shared.started("BMC", begun, func() { _, _ = script(context.WithoutCancel(ctx), "bmc-down", dir, "WIPE=1") })
	return env, err
}

// startRamdisk serves the nodes of an engine with the deploy ramdisk.
func startRamdisk(ctx context.Context, env map[string]string, disks string) (end func(), err error) {
	if err := os.MkdirAll(disks, 0o700); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is open when it returns
	if err != nil {
		return nil, err
	}
	layout, err := fakeramdisk.ParseLayout("sda=1024,sdb=1024,sdc=1024")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(filepath.Dir(disks), "ramdisk.log"))
	if err != nil {
		return nil, err
	}
	env["IRONIC_RAMDISK_URL"] = "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	ironic := fakeramdisk.Ironic{URL: env["IRONIC_URL"], Username: env["IRONIC_USERNAME"], Password: env["IRONIC_PASSWORD"]}
	if env["KEYSTONE_URL"] != "" {
		ironic.Keystone = &fakeramdisk.Keystone{URL: env["KEYSTONE_URL"], Username: env["KEYSTONE_USERNAME"], Password: env["KEYSTONE_PASSWORD"]}
	}
	server := fakeramdisk.New(fakeramdisk.Config{
		Ironic:      ironic,
		CallbackURL: env["IRONIC_RAMDISK_URL"], Dir: disks, Layout: layout, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	go func() { ended <- server.Run(ctx, listener) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Fprintln(os.Stderr, "the deploy ramdisk:", err)
		}
		_ = log.Close()
	}, nil
}
