// Fakeramdisk is the deploy ramdisk of an Ironic whose nodes do not exist; see package fakeramdisk. Bin/ironic-up
// starts it. Credentials come from the environment: IRONIC_USERNAME and IRONIC_PASSWORD (http_basic), or
// KEYSTONE_URL, KEYSTONE_USERNAME and KEYSTONE_PASSWORD, of a user who may see every node.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"bosh-ironic-cpi/src/fakeramdisk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeramdisk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fakeramdisk", flag.ContinueOnError)
	ironic := flags.String("ironic", "http://127.0.0.1:6385", "base `URL` of the Bare Metal API")
	listen := flags.String("listen", "127.0.0.1:9999", "`address` on which the conductor reaches the agents")
	dir := flags.String("dir", "disks", "`folder` of the nodes' disks")
	bootFiles := flags.String("boot-files", "", "the conductor's http_root, a `folder`")
	disks := flags.String("disks", "sda=1024,sdb=1024,sdc=1024", "disks of nodes that declare none, as `name=MiB,…`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	layout, err := fakeramdisk.ParseLayout(*disks)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	api := fakeramdisk.Ironic{URL: *ironic, Username: os.Getenv("IRONIC_USERNAME"), Password: os.Getenv("IRONIC_PASSWORD")}
	if url := os.Getenv("KEYSTONE_URL"); url != "" {
		api.Keystone = &fakeramdisk.Keystone{
			URL: url, Username: os.Getenv("KEYSTONE_USERNAME"), Password: os.Getenv("KEYSTONE_PASSWORD"),
		}
	}
	return fakeramdisk.New(fakeramdisk.Config{
		Ironic: api, CallbackURL: "http://" + listener.Addr().String(), Dir: *dir, BootFiles: *bootFiles,
		Layout: layout, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}).Run(ctx, listener)
}
