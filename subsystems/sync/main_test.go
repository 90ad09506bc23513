package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// workspace makes a manifest that pins nats v2.10.24, and a store with the given tags.
func workspace(t *testing.T, tags ...string) (manifest, releases string) {
	t.Helper()
	root := t.TempDir()
	manifest, releases = filepath.Join(root, "versions.yml"), filepath.Join(root, "releases")
	if err := os.WriteFile(manifest, []byte("versions:\n  nats: v2.10.24\n  edge: main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		release(t, releases, tag)
	}
	return manifest, releases
}

func release(t *testing.T, releases, tag string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(releases, tag), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(releases, tag, "asset.tar.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func sync(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestOnce(t *testing.T) {
	manifest, releases := workspace(t, "nats-v2.10.24", "nats-v2.9.99")
	if code, out, errs := sync("--once", "--manifest", manifest, "--store", releases); code != 0 || out+errs != "" {
		t.Errorf("nothing new: %d %q %q", code, out, errs)
	}
	release(t, releases, "nats-v2.10.25")
	code, out, errs := sync("--once", "--manifest", manifest, "--store", releases)
	if code != 3 || out != "nats: v2.10.25 is out (pinned v2.10.24)\n" || errs != "" {
		t.Errorf("newer: %d %q %q", code, out, errs)
	}
}

func TestJSON(t *testing.T) {
	manifest, releases := workspace(t, "nats-v2.10.25")
	code, out, _ := sync("--once", "--json", "--manifest", manifest, "--store", releases)
	want := `{"compared":1,"newer":[{"subsystem":"nats","pinned":"v2.10.24","newest":"v2.10.25"}],` +
		`"skipped":[{"subsystem":"edge","pinned":"main"}]}` + "\n"
	if code != 3 || out != want {
		t.Errorf("%d\n got %s\nwant %s", code, out, want)
	}
}

func TestFailures(t *testing.T) {
	manifest, releases := workspace(t, "nats-v2.10.25")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no manifest":   {[]string{"--once", "--manifest", manifest + "x", "--store", releases}, 1, "no such file"},
		"no store":      {[]string{"--once", "--manifest", manifest, "--store", releases + "x"}, 1, "no such file"},
		"unnamed store": {[]string{"--once"}, 2, "say where releases live"},
		"other store":   {[]string{"--once", "--store", "s3://b"}, 2, "only http and https"},
		"both modes":    {[]string{"--once", "--every", "5m", "--store", releases}, 2, "exclude each other"},
		"too often":     {[]string{"--every", "1ms", "--store", releases}, 2, "at least 1s"},
		"argument":      {[]string{"x"}, 2, `unexpected argument "x"`},
		"unknown flag":  {[]string{"--nope"}, 2, "nope"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out, errs := sync(c.args...); code != c.code || out != "" || !strings.Contains(errs, c.says) {
				t.Errorf("%d %q %q", code, out, errs)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := sync("--version"); code != 0 || out != "sync dev\n" {
		t.Errorf("%d %q", code, out)
	}
}

// TestForever sees each piece of news told once, a failed look survived and the end by signal.
func TestForever(t *testing.T) {
	manifest, releases := workspace(t, "nats-v2.10.25")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	out, outTo := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"--every", "1s", "--manifest", manifest, "--store", releases}, outTo, outTo)
		outTo.Close()
	}()
	lines := bufio.NewScanner(out)
	expect := func(part string) {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), part) {
			t.Fatalf("got %q, want %q", lines.Text(), part)
		}
	}
	expect("v2.10.25 is out")
	if err := os.Rename(releases, releases+"-away"); err != nil {
		t.Fatal(err)
	}
	expect("no such file")
	release(t, releases+"-away", "nats-v2.10.26")
	if err := os.Rename(releases+"-away", releases); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && strings.Contains(lines.Text(), "no such file") {
	}
	if !strings.Contains(lines.Text(), "v2.10.26 is out") {
		t.Errorf("got %q", lines.Text())
	}
	stop()
	if lines.Scan() {
		t.Errorf("one line too many: %q", lines.Text())
	}
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
