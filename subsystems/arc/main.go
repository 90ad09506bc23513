// Command arc takes metrics in InfluxDB line protocol over HTTP and answers with the last values.
//
//	arc --listen 127.0.0.1:8428
//	curl --data-binary 'cpu,host=a usage=1.5' http://127.0.0.1:8428/write
//	curl 'http://127.0.0.1:8428/last?measurement=cpu&host=a'
//
// It keeps the newest value of each field in memory, and nothing else: after a restart it is empty until the
// next write. SIGTERM and SIGINT let requests under way finish. Exit codes: 0 done, 1 it could not serve,
// 2 usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"plat/arc/internal/api"
	"plat/arc/internal/last"
)

// version is set by the build: -ldflags "-X main.version=v0.1.0".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the command line.
type options struct {
	listen    string
	maxBody   int64
	maxSeries int
	grace     time.Duration
	version   bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("arc", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8428", "`address` to serve on")
	flags.Int64Var(&o.maxBody, "max-body", 8<<20, "largest batch in `bytes`, unpacked")
	flags.IntVar(&o.maxSeries, "max-series", 100_000, "largest `number` of series kept")
	flags.DurationVar(&o.grace, "grace", 10*time.Second, "how long requests under way may take at the end")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.maxBody <= 0 || o.maxSeries <= 0:
		err = errors.New("--max-body and --max-series must be above 0")
	}
	if err != nil {
		fmt.Fprintln(stderr, "arc:", err)
	}
	return o, err
}

// run is arc but for the process: it ends when ctx does and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case o.version:
		fmt.Fprintln(stdout, "arc", version)
		return 0
	}
	if err := serve(ctx, o, stderr); err != nil {
		fmt.Fprintln(stderr, "arc:", err)
		return 1
	}
	return 0
}

// serve answers requests until ctx ends, then lets those under way finish.
func serve(ctx context.Context, o options, log io.Writer) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: api.New(api.Config{
			Store:   last.New(o.maxSeries),
			Version: version,
			MaxBody: o.maxBody,
			Now:     func() time.Time { return time.Now().UTC() },
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	fmt.Fprintf(log, "arc %s listens on http://%s\n", version, listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(log, "arc stops")
	grace, cancel := context.WithTimeout(context.Background(), o.grace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("requests were still under way after %s: %w", o.grace, errors.Join(err, server.Close()))
	}
	return nil
}
