package semver

import "testing"

func mustParse(t *testing.T, text string) Version {
	t.Helper()
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestOrder has each version come before the next.
func TestOrder(t *testing.T) {
	order := []string{
		"v0.9.9", "v1.0.0-1", "v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta",
		"v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0", "v1.9.0", "v1.10.0", "v1.10.1", "v2",
		"2024.05.1", "2024.12.0", "v99999999999999999999999.0.0",
	}
	for i, a := range order {
		for j, b := range order {
			c := mustParse(t, a).Compare(mustParse(t, b))
			if (i < j && c >= 0) || (i == j && c != 0) || (i > j && c <= 0) {
				t.Errorf("%s against %s: %d", a, b, c)
			}
		}
	}
}

func TestSame(t *testing.T) {
	for _, pair := range [][2]string{{"v1.2.3", "1.2.3"}, {"v1.2", "v1.2.0"}, {"v1.2.3", "v1.2.3+build.5"}, {"v26.01.1", "v26.1.1"}} {
		if c := mustParse(t, pair[0]).Compare(mustParse(t, pair[1])); c != 0 {
			t.Errorf("%v: %d", pair, c)
		}
	}
}

func TestNoVersions(t *testing.T) {
	for _, text := range []string{"", "v", "main", "v1.", "v1..2", "1.x", "v1.0-", "v1.0-a..b", "v1.0-ä", "v-1", "exporter-v1.0"} {
		if v, err := Parse(text); err == nil {
			t.Errorf("%q was read as %+v", text, v)
		}
	}
}
