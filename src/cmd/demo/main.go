// Demo shows the CPI at work: `make demo` runs it. It starts an Ironic and a WebDAV server of its own on loopback
// (bin/ironic-up, bin/webdav-up), makes a small stemcell, leads a VM through its whole life by piping requests to
// the CPI as a Director would, and prints each request and answer. Then it ends everything that it started.
//
// The servers do not exist: a deploy ramdisk that writes to scratch files plays them, so no agent ever reports. Start
// with story.go, which reads like a deployment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without os.Exit and without globals, so that a test can call it.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cpi := flags.String("cpi", "build/ironic_cpi", "the CPI's `program`")
	dir := flags.String("dir", "build/demo", "`folder` for everything that the demo makes")
	bin := flags.String("bin", "bin", "`folder` of ironic-up and webdav-up")
	keep := flags.Bool("keep", false, "leave Ironic and the WebDAV server running")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	out := &page{w: stdout, colour: isTerminal(stdout)}
	if err := demo(ctx, out, *cpi, *dir, *bin, *keep); err != nil {
		fmt.Fprintln(stderr, out.paint(red, "demo: "+err.Error()))
		return 1
	}
	return 0
}

// demo starts the services, tells the story and ends the services, also after an error.
func demo(ctx context.Context, out *page, cpi, dir, bin string, keep bool) (err error) {
	stage := &stage{bin: bin, dir: dir, out: out}
	if err := stage.clear(ctx); err != nil {
		return err
	}
	if !keep {
		// Also after Ctrl-C, which has ended ctx by then.
		defer func() { err = errors.Join(err, stage.close(context.WithoutCancel(ctx))) }()
	}
	if err := stage.open(ctx); err != nil {
		return err
	}
	if cpi, err = filepath.Abs(cpi); err != nil {
		return err
	}
	d := &director{cpi: cpi, config: stage.config, out: out, ironic: &view{url: stage.ironic}}
	out.line(bold, "\nThe servers")
	d.look(ctx)
	if err := tell(ctx, d, stage.stemcell); err != nil {
		return fmt.Errorf("%w; logs are in %s", err, dir)
	}
	out.line(bold, "\nThat was a VM's life. Logs, the configuration and the servers' disks are in %s.", dir)
	return nil
}
