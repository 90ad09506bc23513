// Package pins reads the versions block of a versions.yml:
//
//	versions:
//	  nats: v2.10.24
//	  arc: v0.1.0     # comments and quotes are fine
//
// It is no YAML parser: it reads this one block, of one "name: version" a line, and says so when it meets
// something else in it. The rest of the file it does not look at.
package pins

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Pin is one line of the block.
type Pin struct {
	Name    string
	Version string
}

// ReadFile reads the pins of a file, in the file's order.
func ReadFile(path string) ([]Pin, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pins, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return pins, nil
}

// Parse reads the pins of a versions.yml's text. An error begins with the line's number.
func Parse(text string) ([]Pin, error) {
	b := block{seen: make(map[string]int)}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		if err := b.take(i+1, strings.TrimSuffix(line, "\r")); err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
	}
	switch {
	case b.began == 0:
		return nil, errors.New("1: there is no `versions:` block")
	case len(b.pins) == 0:
		return nil, fmt.Errorf("%d: the `versions:` block is empty", b.began)
	}
	return b.pins, nil
}

// block is the state of reading: before, in or behind the versions block.
type block struct {
	pins   []Pin
	seen   map[string]int // name to line
	began  int            // line of `versions:`, 0 before it
	inside bool
	indent int // of the block's lines, 0 before the first
}

func (b *block) take(number int, line string) error {
	content := strings.TrimSpace(withoutComment(line))
	indent := len(line) - len(strings.TrimLeft(line, " "))
	switch {
	case content == "":
		return nil
	case indent == 0 && line[0] != '\t':
		return b.takeTopLevel(number, content)
	case !b.inside:
		return nil
	case line[indent] == '\t':
		return errors.New("a tab indents this line: use spaces")
	case b.indent != 0 && indent != b.indent:
		return fmt.Errorf("indented by %d spaces where the lines above have %d", indent, b.indent)
	}
	b.indent = indent
	return b.takePin(number, content)
}

func (b *block) takeTopLevel(number int, content string) error {
	key, rest, _ := strings.Cut(content, ":")
	b.inside = strings.Trim(strings.TrimSpace(key), `"'`) == "versions"
	switch {
	case !b.inside:
		return nil
	case b.began != 0:
		return fmt.Errorf("a second `versions:` block, the first is in line %d", b.began)
	case strings.TrimSpace(rest) != "":
		return errors.New("write the versions below `versions:`, one `name: version` a line")
	}
	b.began = number
	return nil
}

func (b *block) takePin(number int, content string) error {
	key, value, found := strings.Cut(content, ":")
	if !found || (value != "" && value[0] != ' ') {
		return fmt.Errorf("expected `name: version`, found `%s`", content)
	}
	name, err := unquote(strings.TrimSpace(key))
	if err != nil {
		return err
	}
	version, err := unquote(strings.TrimSpace(value))
	switch {
	case err != nil:
		return err
	case name == "" || version == "":
		return fmt.Errorf("expected `name: version`, found `%s`", content)
	case b.seen[name] != 0:
		return fmt.Errorf("`%s` is pinned twice, first in line %d", name, b.seen[name])
	}
	b.seen[name] = number
	b.pins = append(b.pins, Pin{name, version})
	return nil
}

// withoutComment cuts a '#' that begins the line or follows a space, outside of quotes.
func withoutComment(line string) string {
	var quote byte
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return line[:i]
		}
	}
	return line
}

func unquote(word string) (string, error) {
	if word == "" || (word[0] != '"' && word[0] != '\'') {
		return word, nil
	}
	if len(word) < 2 || word[len(word)-1] != word[0] || strings.ContainsRune(word, '\\') {
		return "", fmt.Errorf("cannot read the quoted `%s`", word)
	}
	return word[1 : len(word)-1], nil
}
