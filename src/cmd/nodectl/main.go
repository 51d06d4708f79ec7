// Command nodectl is the operator's tool for servers behind a Bare Metal API: OpenStack Ironic's, or our own.
//
//	nodectl [--url URL] [-o table|json|yaml|name] COMMAND
//
// It enrols nodes from a file, shows and changes them, leads them through Ironic's state machine, switches their
// power, and knows what the CPI keeps on them: who holds which node, which nodes a cloud-config would get, how much
// of the pool is free. It also talks to hardware itself, by the drivers of our conductor. docs/nodectl.md has every
// command with an example.
//
// Data goes to standard output, all else to standard error. It logs in with nothing, a token, or a user name and
// password (http_basic), not with Keystone; a token of Keystone will do. No secret is taken from the command line or
// printed.
//
// Start at run; the grammar is in cli.go, a file per command, what they share in console.go.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(run()) }

// run is main without os.Exit, so that tests can call what is below it.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal kills
	return nodectl(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// nodectl carries out one command line and returns the exit status.
func nodectl(ctx context.Context, args []string, in io.Reader, out, messages io.Writer) int {
	var line commandLine
	c := &console{in: in, out: out, messages: &screen{w: messages}, flags: &line.globals}
	parser, err := newParser(&line, c)
	if err != nil {
		return c.fail(ctx, err)
	}
	parsed, err := parser.Parse(args)
	switch {
	case errors.Is(err, errAnswered):
		return exitDone
	case err != nil:
		return c.fail(ctx, wrong(err))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(); err != nil {
		return c.fail(ctx, err)
	}
	return exitDone
}

// newParser makes kong's parser of the grammar. Commands are given c when they run.
func newParser(line *commandLine, c *console) (*kong.Kong, error) {
	return kong.New(line,
		kong.Name("nodectl"),
		kong.Description("Enrol, show and lead the servers of a Bare Metal API, and see what the CPI does with them."),
		kong.Writers(c.out, c.messages),
		kong.NoDefaultHelp(), // it would end the process
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Bind(c),
	)
}
