// Package last keeps the newest value of every field of every series, in memory.
//
// A series is a measurement with a tag set. "Newest" goes by the points' own times: a value that arrives
// late does not replace a newer one, and of two values of the same time the one that arrives last counts.
package last

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"plat/arc/internal/lineproto"
)

// ErrFull means that a batch was refused because it brings more series than the store may hold.
var ErrFull = errors.New("too many series")

// Value is the newest value of a field.
type Value struct {
	Type  lineproto.Type `json:"type"`
	Value any            `json:"value"`
	Time  time.Time      `json:"time"`
}

// Series is what is known of a series.
type Series struct {
	Measurement string            `json:"measurement"`
	Tags        map[string]string `json:"tags"`
	Fields      map[string]Value  `json:"fields"`
}

// Store holds the series. Its methods may be called from many goroutines.
type Store struct {
	limit  int
	mu     sync.RWMutex
	series map[string]*Series // by seriesKey
}

// New makes an empty store for up to limit series.
func New(limit int) *Store {
	return &Store{limit: limit, series: make(map[string]*Series)}
}

// Len returns the number of series.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.series)
}

// Write takes in a batch, all of it or, with ErrFull, nothing.
func (s *Store) Write(points []lineproto.Point) error {
	keys := make([]string, len(points))
	for i, point := range points {
		keys[i] = seriesKey(point)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if total := len(s.series) + s.unknown(keys); total > s.limit {
		return fmt.Errorf("%w: the batch would make it %d, the limit is %d", ErrFull, total, s.limit)
	}
	for i, point := range points {
		s.at(keys[i], point).take(point)
	}
	return nil
}

// unknown counts the distinct keys that are not in the store yet.
func (s *Store) unknown(keys []string) int {
	fresh := make(map[string]bool)
	for _, key := range keys {
		if s.series[key] == nil {
			fresh[key] = true
		}
	}
	return len(fresh)
}

// at returns the series of a point, a new one if need be.
func (s *Store) at(key string, point lineproto.Point) *Series {
	if known := s.series[key]; known != nil {
		return known
	}
	series := &Series{
		Measurement: point.Measurement,
		Tags:        make(map[string]string, len(point.Tags)),
		Fields:      make(map[string]Value, len(point.Fields)),
	}
	for _, tag := range point.Tags {
		series.Tags[tag.Key] = tag.Value
	}
	s.series[key] = series
	return series
}

// take replaces the values that the point has newer ones for.
func (s *Series) take(point lineproto.Point) {
	for _, field := range point.Fields {
		if old, known := s.Fields[field.Key]; known && old.Time.After(point.Time) {
			continue
		}
		s.Fields[field.Key] = Value{Type: field.Type, Value: field.Value, Time: point.Time}
	}
}

// Find returns copies of the series of a measurement that carry all the given tags, in a stable order.
func (s *Store) Find(measurement string, tags map[string]string) []Series {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys []string
	for key, series := range s.series {
		if series.Measurement == measurement && series.carries(tags) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	found := make([]Series, len(keys))
	for i, key := range keys {
		found[i] = s.series[key].copy()
	}
	return found
}

func (s *Series) carries(tags map[string]string) bool {
	for key, value := range tags {
		if have, ok := s.Tags[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// copy shares the tags, which never change, and not the fields, which do.
func (s *Series) copy() Series {
	fields := make(map[string]Value, len(s.Fields))
	for key, value := range s.Fields {
		fields[key] = value
	}
	return Series{Measurement: s.Measurement, Tags: s.Tags, Fields: fields}
}

// seriesKey names the series of a point. Quoting keeps names that hold any character apart.
func seriesKey(point lineproto.Point) string {
	key := strconv.AppendQuote(nil, point.Measurement)
	for _, tag := range point.Tags {
		key = strconv.AppendQuote(append(key, ','), tag.Key)
		key = strconv.AppendQuote(append(key, '='), tag.Value)
	}
	return string(key)
}
