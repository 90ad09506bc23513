// Package semver orders versions by SemVer's rules of precedence.
//
// It is laxer than SemVer where projects are: a leading "v" is optional, any count of numbers will do
// (v1.2, 2024.05.1), and numbers may have leading zeros and any length.
package semver

import (
	"fmt"
	"strings"
)

// Version is a parsed version. String gives back the text it was parsed from.
type Version struct {
	text    string
	numbers []string // digits without leading zeros
	pre     []string // the prerelease's identifiers; none for a release
}

// Parse reads a version such as v2.10.24, 1.0 or v1.0.0-rc.1+build.
func Parse(text string) (Version, error) {
	core, _, _ := strings.Cut(strings.TrimPrefix(text, "v"), "+")
	core, pre, hasPre := strings.Cut(core, "-")
	v := Version{text: text}
	for _, number := range strings.Split(core, ".") {
		if !isNumber(number) {
			return Version{}, fmt.Errorf("%q is no version: expected numbers and dots, as in v1.2.3", text)
		}
		v.numbers = append(v.numbers, strings.TrimLeft(number, "0"))
	}
	if !hasPre {
		return v, nil
	}
	v.pre = strings.Split(pre, ".")
	for _, identifier := range v.pre {
		if !isIdentifier(identifier) {
			return Version{}, fmt.Errorf("%q is no version: bad prerelease %q", text, pre)
		}
	}
	return v, nil
}

func (v Version) String() string { return v.text }

// Prerelease tells whether v comes before a release, as v1.0.0-rc.1 does.
func (v Version) Prerelease() bool { return len(v.pre) > 0 }

// Compare returns a number below, at or above 0 when v comes before, with or after other.
func (v Version) Compare(other Version) int {
	for i := range max(len(v.numbers), len(other.numbers)) {
		if c := compareDigits(at(v.numbers, i), at(other.numbers, i)); c != 0 {
			return c
		}
	}
	switch {
	case !v.Prerelease() && !other.Prerelease():
		return 0
	case !v.Prerelease():
		return 1
	case !other.Prerelease():
		return -1
	}
	return comparePre(v.pre, other.pre)
}

// comparePre orders prereleases: identifier by identifier, and what ends first comes first.
func comparePre(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if c := compareIdentifiers(a[i], b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// compareIdentifiers orders numbers by value, other words as text, and numbers before words.
func compareIdentifiers(a, b string) int {
	switch numberA, numberB := isNumber(a), isNumber(b); {
	case numberA && numberB:
		return compareDigits(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
	case numberA:
		return -1
	case numberB:
		return 1
	}
	return strings.Compare(a, b)
}

// compareDigits orders numbers without leading zeros, of any length.
func compareDigits(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// at returns a number of a version; those it does not have are 0.
func at(numbers []string, i int) string {
	if i < len(numbers) {
		return numbers[i]
	}
	return ""
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isIdentifier(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return s != ""
}
