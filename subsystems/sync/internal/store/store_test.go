package store

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func tagsOf(t *testing.T, place string) []string {
	t.Helper()
	s, err := Open(place)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := s.Tags(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tags)
	return tags
}

func fill(t *testing.T, root string, files ...string) {
	t.Helper()
	for _, file := range files {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDirectory(t *testing.T) {
	root := t.TempDir()
	fill(t, root, "nats-v2.10.24/a.tar.gz", "arc-v0.1.0/b.tar.gz", ".tmp-1/c.tar.gz", "half-v1/.upload", "README")
	if err := os.Mkdir(filepath.Join(root, "empty-v1"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := []string{"arc-v0.1.0", "nats-v2.10.24"}
	for _, place := range []string{root, "dir:" + root} {
		if got := tagsOf(t, place); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", place, got)
		}
	}
}

func TestWebIndexOfARealServer(t *testing.T) {
	root := t.TempDir()
	fill(t, root, "nats-v2.10.24/a.tar.gz", "odd & name-v1/b.tar.gz")
	server := httptest.NewServer(http.StripPrefix("/releases", http.FileServer(http.Dir(root))))
	defer server.Close()
	want := []string{"nats-v2.10.24", "odd & name-v1"}
	for _, place := range []string{server.URL + "/releases/", server.URL + "/releases"} {
		if got := tagsOf(t, place); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", place, got)
		}
	}
}

func TestWebIndexForms(t *testing.T) {
	page := `<html><a href="?C=N;O=D">Name</a> <a href="/">up</a> <a href="../">Parent</a>
		<A class="d" HREF='nats-v2.10.25/'>nats</A><a href=arc-v0.2.0/>arc</a>
		<a href="/store/pc-v1.46.0/">absolute</a><a href="nats-v2.10.25/">again</a>
		<a href="gh-v2%2E83.2/">escaped</a><a href="./docs-v0.140.2/">dot</a>
		<a href="nats-v2.10.25/x.tar.gz">deep</a><a href="https://elsewhere.example/store/evil-v9/">other host</a>
		<a data-href="no-v1/" name="x">no link</a><a href=".tmp-v1/">hidden</a></html>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	}))
	defer server.Close()
	want := []string{"arc-v0.2.0", "docs-v0.140.2", "gh-v2.83.2", "nats-v2.10.25", "pc-v1.46.0"}
	if got := tagsOf(t, server.URL+"/store/"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json/":
			w.Header().Set("Content-Type", "application/json")
		case "/large/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(make([]byte, pageLimit+1))
		default:
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	for place, want := range map[string]string{
		"":                              "no store",
		"s3://bucket":                   "only http and https",
		"http:///path":                  "names no host",
		filepath.Join(t.TempDir(), "x"): "no such file",
		server.URL:                      "503 Service Unavailable",
		server.URL + "/json":            `expected an index page in HTML, got "application/json"`,
		server.URL + "/large":           "larger than",
	} {
		s, err := Open(place)
		if err == nil {
			_, err = s.Tags(context.Background())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", place, err, want)
		}
	}
}
