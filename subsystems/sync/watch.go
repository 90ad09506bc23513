package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"plat/sync/internal/look"
	"plat/sync/internal/pins"
	"plat/sync/internal/store"
)

// watcher looks at a store and tells what it finds.
type watcher struct {
	options
	releases       store.Store
	stdout, stderr io.Writer
}

// once looks one time and returns the exit code.
func (w watcher) once(ctx context.Context) int {
	result, err := w.look(ctx)
	if err != nil {
		fmt.Fprintln(w.stderr, "sync:", err)
		return exitFailed
	}
	w.tell(result, result.Newer)
	if len(result.Newer) > 0 {
		return exitNewer
	}
	return exitNothingNew
}

// forever looks until ctx ends. The manifest is read anew each time, so that a raised pin counts at once.
func (w watcher) forever(ctx context.Context) int {
	told := make(map[look.News]bool)
	ticks := time.NewTicker(w.every)
	defer ticks.Stop()
	for {
		if result, err := w.look(ctx); err == nil {
			w.tell(result, untold(told, result.Newer))
		} else if ctx.Err() == nil {
			fmt.Fprintln(w.stderr, "sync:", err)
		}
		select {
		case <-ctx.Done():
			return exitNothingNew
		case <-ticks.C:
		}
	}
}

// untold returns the news that were not told before, and remembers them.
func untold(told map[look.News]bool, news []look.News) []look.News {
	var fresh []look.News
	for _, one := range news {
		if !told[one] {
			told[one] = true
			fresh = append(fresh, one)
		}
	}
	return fresh
}

func (w watcher) look(ctx context.Context) (look.Result, error) {
	pinned, err := pins.ReadFile(w.manifest)
	if err != nil {
		return look.Result{}, err
	}
	tags, err := w.releases.Tags(ctx)
	if err != nil {
		return look.Result{}, err
	}
	return look.Compare(pinned, tags, w.prereleases), nil
}

// tell prints a look: all of it as JSON, or a line for each of the news.
func (w watcher) tell(result look.Result, news []look.News) {
	if w.json {
		// Numbers and strings always encode; a reader that is gone is not our failure.
		_ = json.NewEncoder(w.stdout).Encode(result)
		return
	}
	for _, one := range news {
		fmt.Fprintln(w.stdout, one)
	}
}
