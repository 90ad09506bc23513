// Command sync watches a release store for versions newer than the pins of a versions.yml, and says so:
//
//	$ sync --once --store ./releases
//	nats: v2.10.25 is out (pinned v2.10.24)
//
// The store is a directory or a URL whose page lists links, laid out <subsystem>-<version>/<asset>. Without
// --once it looks again and again and tells each piece of news once; a look that fails is reported and the
// next one comes in its time. It changes nothing: raising a pin is a person's decision.
//
// Exit codes: 0 nothing new (or stopped by a signal), 1 the look failed, 2 usage, 3 something newer is out
// (with --once).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"plat/sync/internal/store"
)

// version is set by the build: -ldflags "-X main.version=v0.1.0".
var version = "dev"

const (
	exitNothingNew = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNewer      = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the command line.
type options struct {
	manifest    string
	store       string
	once        bool
	every       time.Duration
	json        bool
	prereleases bool
	version     bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.manifest, "manifest", "versions.yml", "`file` with the pins")
	flags.StringVar(&o.store, "store", "", "release store: a directory or an http(s) `URL`")
	flags.BoolVar(&o.once, "once", false, "look once; exit code 3 says that something newer is out")
	flags.DurationVar(&o.every, "every", 5*time.Minute, "`time` between looks")
	flags.BoolVar(&o.json, "json", false, "print each look as one line of JSON")
	flags.BoolVar(&o.prereleases, "prereleases", false, "let prereleases count for every pin")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	err := o.check(flags)
	if err != nil {
		fmt.Fprintln(stderr, "sync:", err)
	}
	return o, err
}

func (o options) check(flags *flag.FlagSet) error {
	everyGiven := false
	flags.Visit(func(f *flag.Flag) { everyGiven = everyGiven || f.Name == "every" })
	switch {
	case o.version:
		return nil
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.store == "":
		return errors.New("say where releases live: --store DIRECTORY or --store https://…")
	case o.once && everyGiven:
		return errors.New("--once and --every exclude each other")
	case o.every < time.Second:
		return errors.New("--every must be at least 1s")
	}
	return nil
}

// run is sync but for the process: it ends when ctx does and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitNothingNew
	case err != nil:
		return exitUsage
	case o.version:
		fmt.Fprintln(stdout, "sync", version)
		return exitNothingNew
	}
	releases, err := store.Open(o.store)
	if err != nil {
		fmt.Fprintln(stderr, "sync:", err)
		return exitUsage
	}
	w := watcher{options: o, releases: releases, stdout: stdout, stderr: stderr}
	if o.once {
		return w.once(ctx)
	}
	return w.forever(ctx)
}
