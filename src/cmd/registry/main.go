// Command registry is the companion daemon of ironic_cpi: the registry of agent settings, and the WebDAV
// repository of images, config drives and metadata.
//
//	registry [-config FILE] [-data DIR]
//
// Without a configuration it serves an empty store in ./data, on loopback and to everybody there. With one (YAML,
// described in docs/registry.md) it listens where that says. SIGTERM and SIGINT stop it in order: requests under
// way finish first; a second one ends it at once.
//
// Start at run; what the parts get is in wire.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"bosh-ironic-cpi/src/config"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(run()) }

// run is main without os.Exit, so that scripts can test it.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return registry(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// What the program ends with.
const (
	done   = 0
	failed = 1 // while it ran, or could not start
	wrong  = 2 // command line or configuration
)

// registry serves until ctx ends, unless a flag asks for something else, and returns the exit status.
func registry(ctx context.Context, args []string, out, logs io.Writer) int {
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
	flags.SetOutput(logs)
	file := flags.String("config", "", "configuration `FILE`, YAML; without it, everything has its default")
	data := flags.String("data", "", "`DIR` of everything that is kept, instead of the configuration's")
	checkOnly := flags.Bool("check", false, "say what is wrong with the configuration; exit status 2 if anything is")
	from := flags.String("import", "", "take over the settings below `DIR`, the metadata directory of the nginx job of 2016, and end")
	describe := flags.Bool("describe", false, "print a table of all keys of the configuration")
	showVersion := flags.Bool("version", false, "print the version")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp: //nolint:errorlint // flag documents it as this very value
		return done
	case err != nil:
		return wrong
	case flags.NArg() > 0:
		fmt.Fprintf(logs, "registry: %q is no flag; registry -help lists them\n", flags.Arg(0))
		return wrong
	case *showVersion:
		fmt.Fprintln(out, version)
		return done
	case *describe:
		fmt.Fprint(out, config.Reference(configuration{}))
		return done
	}

	c, warnings, err := load(*file)
	if *data != "" {
		c.Data = *data
	}
	var p *parts
	if err == nil {
		p, err = prepare(&c)
	}
	for _, w := range warnings {
		fmt.Fprintln(logs, "registry: warning:", w)
	}
	if err != nil {
		fmt.Fprintln(logs, "registry:", err)
		return wrong
	}
	switch {
	case *checkOnly:
		return done
	case *from != "":
		err = importSettings(ctx, p, *from, out)
	default:
		err = serve(ctx, p, logger(logs, c.LogLevel))
	}
	if err != nil {
		fmt.Fprintln(logs, "registry:", err)
		return failed
	}
	return done
}

func logger(w io.Writer, level string) *slog.Logger {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // one of four words, as the configuration was read
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))
}
