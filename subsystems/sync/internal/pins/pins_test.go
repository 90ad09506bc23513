package pins

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := Parse("project: x\nplatforms: [linux-amd64]\nversions:   # the pins\r\n" +
		"  nats: v2.10.24\r\n\n# a comment\n  arc: \"v0.1.0\"   # ours\n  'pc': 'v1.46.0'\n  tool: {scheme: date}\n" +
		"groups:\n  ci: [gh]\ntasks: {}\n")
	want := []Pin{{"nats", "v2.10.24"}, {"arc", "v0.1.0"}, {"pc", "v1.46.0"}, {"tool", "{scheme: date}"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "1: there is no `versions:` block",
		"project: x\n":                           "1: there is no `versions:` block",
		"project: x\nversions:\n":                "2: the `versions:` block is empty",
		"versions: {nats: v1}\n":                 "1: write the versions below",
		"versions:\n  nats v1\n":                 "2: expected `name: version`, found `nats v1`",
		"versions:\n  nats:v1\n":                 "2: expected `name: version`, found `nats:v1`",
		"versions:\n  nats:\n":                   "2: expected `name: version`, found `nats:`",
		"versions:\n  nats:\n    scheme: date\n": "2: expected `name: version`, found `nats:`",
		"versions:\n  - nats\n":                  "2: expected `name: version`, found `- nats`",
		"versions:\n\tnats: v1\n":                "2: a tab",
		"versions:\n  a: v1\n   b: v2\n":         "3: indented by 3 spaces where the lines above have 2",
		"versions:\n  a: v1\n  a: v2\n":          "3: `a` is pinned twice, first in line 2",
		"versions:\n  a: v1\nversions:\n":        "3: a second `versions:` block, the first is in line 1",
		"versions:\n  a: \"v1\n":                 "2: cannot read the quoted",
	} {
		_, err := Parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestReadFileNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "versions.yml")
	if err := os.WriteFile(path, []byte("versions:\n  x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.HasPrefix(err.Error(), path+":2: expected") {
		t.Errorf("%v", err)
	}
	if _, err := ReadFile(path + ".none"); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
