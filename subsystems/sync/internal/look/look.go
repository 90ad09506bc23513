// Package look compares pins with the tags of a store.
package look

import (
	"fmt"
	"strings"

	"plat/sync/internal/pins"
	"plat/sync/internal/semver"
)

// News is a version that is newer than a pin.
type News struct {
	Subsystem string `json:"subsystem"`
	Pinned    string `json:"pinned"`
	Newest    string `json:"newest"`
}

func (n News) String() string {
	return fmt.Sprintf("%s: %s is out (pinned %s)", n.Subsystem, n.Newest, n.Pinned)
}

// Skipped is a pin that has no place in an order: a branch, a scheme.
type Skipped struct {
	Subsystem string `json:"subsystem"`
	Pinned    string `json:"pinned"`
}

// Result is what one look found, in the order of the pins.
type Result struct {
	Compared int       `json:"compared"`
	Newer    []News    `json:"newer"`
	Skipped  []Skipped `json:"skipped"`
}

// Compare finds for each pin the newest version among the tags, which have the form <subsystem>-<version>.
// Prereleases count for pins that are one themselves, or for all with prereleases set. Tags of no pinned
// subsystem are passed over.
func Compare(pinned []pins.Pin, tags []string, prereleases bool) Result {
	result := Result{Newer: []News{}, Skipped: []Skipped{}}
	released := versionsByName(pinned, tags)
	for _, pin := range pinned {
		current, err := semver.Parse(pin.Version)
		if err != nil {
			result.Skipped = append(result.Skipped, Skipped{pin.Name, pin.Version})
			continue
		}
		result.Compared++
		newest := newestOf(current, released[pin.Name], prereleases || current.Prerelease())
		if newest.Compare(current) > 0 {
			result.Newer = append(result.Newer, News{pin.Name, pin.Version, newest.String()})
		}
	}
	return result
}

func newestOf(newest semver.Version, released []semver.Version, prereleases bool) semver.Version {
	for _, version := range released {
		if version.Compare(newest) > 0 && (prereleases || !version.Prerelease()) {
			newest = version
		}
	}
	return newest
}

// versionsByName sorts the tags' versions to the pinned subsystems they belong to.
func versionsByName(pinned []pins.Pin, tags []string) map[string][]semver.Version {
	released := make(map[string][]semver.Version)
	for _, tag := range tags {
		if name, version, ok := split(pinned, tag); ok {
			released[name] = append(released[name], version)
		}
	}
	return released
}

// split takes a tag apart. Names may hold dashes and digits, so that of all pinned names that fit the
// longest wins: web-2-v1.0.0 belongs to "web-2", if there is one, and not to "web" at version 2-v1.0.0.
func split(pinned []pins.Pin, tag string) (name string, version semver.Version, ok bool) {
	for _, pin := range pinned {
		rest, fits := strings.CutPrefix(tag, pin.Name+"-")
		if !fits || (ok && len(pin.Name) < len(name)) {
			continue
		}
		if parsed, err := semver.Parse(rest); err == nil {
			name, version, ok = pin.Name, parsed, true
		}
	}
	return name, version, ok
}
