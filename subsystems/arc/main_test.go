package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if code := run(context.Background(), []string{"--version"}, &out, io.Discard); code != 0 || out.String() != "arc dev\n" {
		t.Errorf("%d %q", code, out.String())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"--nope"}, {"extra"}, {"--max-body", "0"}} {
		var out bytes.Buffer
		if code := run(context.Background(), args, io.Discard, &out); code != 2 || out.Len() == 0 {
			t.Errorf("%v: %d %q", args, code, out.String())
		}
	}
	if code := run(context.Background(), []string{"--help"}, io.Discard, io.Discard); code != 0 {
		t.Errorf("--help: %d", code)
	}
}

func TestAddressInUse(t *testing.T) {
	var out bytes.Buffer
	if code := run(context.Background(), []string{"--listen", "256.0.0.1:1"}, io.Discard, &out); code != 1 || out.Len() == 0 {
		t.Errorf("%d %q", code, out.String())
	}
}

// TestServe starts arc on a free port, writes, reads and stops it.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log, logTo := io.Pipe()
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"--listen", "127.0.0.1:0"}, io.Discard, logTo) }()
	lines := bufio.NewScanner(log)
	lines.Scan()
	_, base, found := strings.Cut(lines.Text(), "listens on ")
	if !found {
		t.Fatalf("first line: %q", lines.Text())
	}
	go io.Copy(io.Discard, log)

	response, err := http.Post(base+"/write", "text/plain", strings.NewReader("cpu usage=1"))
	if err != nil || response.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v", response, err)
	}
	response.Body.Close()
	if response, err = http.Get(base + "/last?measurement=cpu"); err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if !strings.Contains(string(body), `"value":1`) {
		t.Errorf("%s", body)
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
