// Demo shows the CPI at work: `make demo` runs it. It enrols two servers that do not exist, makes a small stemcell, leads
// VMs through their lives by piping requests to the CPI as a Director would, and prints each request, what the servers do
// meanwhile, and each answer. The CPI brings the conductor along in its own process, so there is nothing else to start,
// and no agent ever reports. Start with story.go, which reads like a deployment.
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
	"time"
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
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	out := &page{w: stdout, colour: isTerminal(stdout)}
	if err := demo(ctx, out, *cpi, *dir); err != nil {
		fmt.Fprintln(stderr, out.paint(red, "demo: "+err.Error()))
		return 1
	}
	return 0
}

// demo sets the stage and tells the story.
func demo(ctx context.Context, out *page, cpi, dir string) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if cpi, err = filepath.Abs(cpi); err != nil {
		return err
	}
	began := time.Now()
	stage := &stage{dir: dir, out: out}
	defer func() { err = errors.Join(err, stage.close()) }()
	if err := stage.open(ctx); err != nil {
		return err
	}
	d := &director{cpi: cpi, config: stage.config, out: out, nodes: &view{operator: stage.operator}}
	out.line(bold, "\nThe servers")
	d.look(ctx)
	if err := tell(ctx, d, stage.stemcell); err != nil {
		return fmt.Errorf("%w; everything is in %s", err, dir)
	}
	out.line(bold, "\nThat was a VM's life, in %.1f s. The configuration, the servers' state and the files are in %s.", time.Since(began).Seconds(), dir)
	return nil
}
