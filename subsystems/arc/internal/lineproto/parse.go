package lineproto

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options are what a batch does not say itself.
type Options struct {
	Precision time.Duration // the unit of timestamps; zero means nanoseconds
	Now       time.Time     // the time of points that carry none
}

// Parse reads a batch. Empty lines and lines that begin with '#' are skipped. The error, when there is one,
// is of type Errors and names each bad line; the points of the good lines are returned beside it.
func Parse(batch string, opts Options) ([]Point, error) {
	if opts.Precision == 0 {
		opts.Precision = time.Nanosecond
	}
	s := &scanner{text: batch, line: 1}
	var points []Point
	var errs Errors
	for s.nextRecord() {
		point, err := parsePoint(s, opts)
		if err != nil {
			errs = append(errs, *err)
			s.skipLine()
			continue
		}
		points = append(points, point)
	}
	if len(errs) > 0 {
		return points, errs
	}
	return points, nil
}

// parsePoint reads one point and the line end behind it.
func parsePoint(s *scanner, opts Options) (Point, *LineError) {
	point := Point{Time: opts.Now}
	var err *LineError
	if point.Measurement, err = parseMeasurement(s); err != nil {
		return point, err
	}
	if point.Tags, err = parseTags(s); err != nil {
		return point, err
	}
	if !s.skipSpaces() || s.atLineEnd() {
		return point, s.errorf("no fields: expected a space and field=value after %q", point.Measurement)
	}
	if point.Fields, err = parseFields(s); err != nil {
		return point, err
	}
	if s.skipSpaces() && !s.atLineEnd() {
		if point.Time, err = parseTime(s, opts.Precision); err != nil {
			return point, err
		}
		s.skipSpaces()
	}
	if !s.takeLineEnd() {
		return point, s.errorf("unexpected text after the point: %q", s.word())
	}
	return point, nil
}

func parseMeasurement(s *scanner) (string, *LineError) {
	name := s.token(", ")
	if name == "" {
		return "", s.errorf("no measurement name")
	}
	return name, nil
}

// parseTags reads ",key=value" as often as it comes and sorts what it read.
func parseTags(s *scanner) ([]Tag, *LineError) {
	var tags []Tag
	for s.take(',') {
		start := s.mark()
		key, err := parseKey(s, "tag")
		if err != nil {
			return nil, err
		}
		value := s.token(",= ")
		if value == "" {
			return nil, s.errorf("tag %q has no value", key)
		}
		if s.peek() == '=' {
			return nil, s.errorf("unescaped '=' in the value of tag %q", key)
		}
		if slices.ContainsFunc(tags, func(t Tag) bool { return t.Key == key }) {
			return nil, s.errorAt(start, "tag %q is given twice", key)
		}
		tags = append(tags, Tag{key, value})
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags, nil
}

// parseFields reads "key=value", then ",key=value" as often as it comes.
func parseFields(s *scanner) ([]Field, *LineError) {
	var fields []Field
	for {
		start := s.mark()
		key, err := parseKey(s, "field")
		if err != nil {
			return nil, err
		}
		field, err := parseField(s, key)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(fields, func(f Field) bool { return f.Key == key }) {
			return nil, s.errorAt(start, "field %q is given twice", key)
		}
		fields = append(fields, field)
		if !s.take(',') {
			return fields, nil
		}
	}
}

// parseKey reads a tag's or field's key and the '=' behind it.
func parseKey(s *scanner, what string) (string, *LineError) {
	key := s.token(",= ")
	if key == "" {
		return "", s.errorf("empty %s key", what)
	}
	if !s.take('=') {
		return "", s.errorf("%s %q has no '=' behind it", what, key)
	}
	return key, nil
}

func parseField(s *scanner, key string) (Field, *LineError) {
	start := s.mark()
	if s.peek() == '"' {
		text, ok := s.quoted()
		if !ok {
			return Field{}, s.errorAt(start, "the string of field %q is not closed", key)
		}
		if c := s.peek(); c != ',' && c != ' ' && !s.atLineEnd() {
			return Field{}, s.errorf("unexpected text behind the string of field %q", key)
		}
		return Field{key, String, text}, nil
	}
	kind, value, reason := parseValue(s.raw(", "))
	if reason != "" {
		return Field{}, s.errorAt(start, "field %q: %s", key, reason)
	}
	return Field{key, kind, value}, nil
}

func parseTime(s *scanner, unit time.Duration) (time.Time, *LineError) {
	start := s.mark()
	word := s.word()
	at, reason := parseTimestamp(word, unit)
	if reason != "" {
		return time.Time{}, s.errorAt(start, "timestamp %s", reason)
	}
	s.pos += len(word)
	return at, nil
}

func (s *scanner) errorf(format string, args ...any) *LineError {
	return s.errorAt(s.mark(), format, args...)
}

func (s *scanner) errorAt(at mark, format string, args ...any) *LineError {
	return &LineError{Line: at.line, Column: at.column, Reason: fmt.Sprintf(format, args...)}
}
