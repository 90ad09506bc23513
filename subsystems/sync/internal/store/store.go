// Package store lists the tags of a release store, which is laid out <tag>/<asset>: a directory, or the same
// behind a web server that shows folders as pages of links.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Store is a place where releases live.
type Store interface {
	// Tags returns the tags of the store, in no order.
	Tags(ctx context.Context) ([]string, error)
}

// Open maps a place as people write it to a store: http://…, https://…, dir:PATH or PATH.
func Open(place string) (Store, error) {
	scheme, _, isURL := strings.Cut(place, "://")
	switch {
	case place == "":
		return nil, errors.New("no store: give a directory or a URL")
	case scheme == "http" || scheme == "https":
		return newWeb(place)
	case isURL:
		return nil, fmt.Errorf("store %s: only http and https URLs can be read", place)
	}
	return dir(strings.TrimPrefix(place, "dir:")), nil
}

// dir is a store in a directory.
type dir string

// Tags skips hidden folders, in which uploads may be under way, and empty ones: a release has an asset.
func (d dir) Tags(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		full, err := holdsFiles(filepath.Join(string(d), entry.Name()))
		if err != nil {
			return nil, err
		}
		if full {
			tags = append(tags, entry.Name())
		}
	}
	return tags, nil
}

// holdsFiles tells whether path is a folder, or a link to one, with a file that is not hidden.
func holdsFiles(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !info.IsDir()) {
		return false, nil // a broken link, a file beside the tags, or removed just now
	}
	if err != nil {
		return false, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			return true, nil
		}
	}
	return false, nil
}
