// Command ironic_cpi is the BOSH CPI for physical servers that an OpenStack Ironic deploys.
//
//	ironic_cpi -configPath FILE < request > answer
//
// It reads one request of the BOSH CPI API (versions 1 to 3) from standard input, writes one JSON answer to
// standard output, logs to standard error and ends with status 0, whatever happens: a Director and the bosh
// CLI want errors in the answer. The configuration is described in docs/configuration.md.
//
// Start at run; what the parts get is in wire.go.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/cpi/rpc"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(run()) }

// run is main without os.Exit, so that scripts can test it.
func run() int {
	// A reader that is gone must not kill us in the middle of an action.
	signal.Ignore(syscall.SIGPIPE)
	// The first signal ends the action, which then undoes what it did; the second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return ironicCPI(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// ironicCPI answers one request, unless a flag asks for something else. Its result is the exit status: 1 only
// where -check finds a fault.
func ironicCPI(ctx context.Context, args []string, in io.Reader, out, logs io.Writer) int {
	flags := flag.NewFlagSet("ironic_cpi", flag.ContinueOnError)
	flags.SetOutput(logs)
	path := flags.String("configPath", "", "configuration `FILE`, JSON")
	showVersion := flags.Bool("version", false, "print the version")
	checkOnly := flags.Bool("check", false, "say what is wrong with the configuration; exit status 1 if anything is")
	describe := flags.String("describe", "", "print a `TABLE` of all keys: configuration, vm_types or disk_types")
	err := flags.Parse(args)
	switch {
	case err == flag.ErrHelp: //nolint:errorlint // flag documents it as this very value
		return 0
	case err != nil:
		return serve(ctx, rpc.Server{Open: refuse(err)}, in, out, logs)
	case *showVersion:
		fmt.Fprintln(out, version)
		return 0
	case *describe != "":
		return printTable(*describe, out, logs)
	case *checkOnly:
		return checkFile(*path, logs)
	}
	return serve(ctx, rpc.Server{Open: opener(*path)}, in, out, logs)
}

// serve always gives 0: the CLI takes any other status for a failure, however good the answer is.
func serve(ctx context.Context, s rpc.Server, in io.Reader, out, logs io.Writer) int {
	// An answer that nobody reads is in the log already.
	_ = s.Serve(ctx, in, out, logs)
	return 0
}

// refuse answers with a wrong command line: where the CPI is started by a job, nobody reads stderr.
func refuse(err error) func(context.Context, *rpc.Call) (rpc.Actions, error) {
	return func(context.Context, *rpc.Call) (rpc.Actions, error) {
		return nil, fmt.Errorf("command line: %w", err)
	}
}

// checkFile also makes the CPI: certificates and addresses are read only then.
func checkFile(path string, logs io.Writer) int {
	c, _, err := load(path, nil, func(json.RawMessage) {})
	if err == nil {
		_, err = wire(c, "", slog.New(slog.DiscardHandler))
	}
	if err != nil {
		fmt.Fprintln(logs, err)
		return 1
	}
	return 0
}

func printTable(name string, out, logs io.Writer) int {
	switch name {
	case "configuration":
		fmt.Fprint(out, config.Reference(configuration{}))
	case "vm_types":
		fmt.Fprint(out, cpi.VMProperties())
	case "disk_types":
		fmt.Fprint(out, cpi.DiskProperties())
	default:
		fmt.Fprintf(logs, "no table %q; there are configuration, vm_types and disk_types\n", name)
		return 1
	}
	return 0
}
