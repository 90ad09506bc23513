package look

import (
	"reflect"
	"testing"

	"plat/sync/internal/pins"
)

func TestCompare(t *testing.T) {
	pinned := []pins.Pin{
		{Name: "nats", Version: "v2.10.24"}, {Name: "arc", Version: "v0.9.0"}, {Name: "docs", Version: "v0.140.2"},
		{Name: "tool", Version: "main"}, {Name: "web", Version: "v1.0.0"}, {Name: "web-2", Version: "v1.0.0"},
		{Name: "edge", Version: "v1.0.0-rc.1"},
	}
	tags := []string{
		"nats-v2.10.25", "nats-v2.10.3", "nats-v2.11.0-RC.1", "nats-exporter-v9.0.0", "nats-latest",
		"arc-v0.9.0", "arc-v0.10.0", "docs-v0.139.0", "tool-v3.0.0", "web-2-v5.0.0", "edge-v1.0.0-rc.2", "other-v1.0.0",
	}
	got := Compare(pinned, tags, false)
	want := Result{
		Compared: 6,
		Newer: []News{
			{"nats", "v2.10.24", "v2.10.25"},
			{"arc", "v0.9.0", "v0.10.0"},
			{"web-2", "v1.0.0", "v5.0.0"},
			{"edge", "v1.0.0-rc.1", "v1.0.0-rc.2"},
		},
		Skipped: []Skipped{{"tool", "main"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if with := Compare(pinned, tags, true).Newer[0].Newest; with != "v2.11.0-RC.1" {
		t.Errorf("with prereleases: %s", with)
	}
}

func TestNewsReadsWell(t *testing.T) {
	if got := (News{"nats", "v2.10.24", "v2.10.25"}).String(); got != "nats: v2.10.25 is out (pinned v2.10.24)" {
		t.Error(got)
	}
}
