package lineproto

import "strings"

// scanner walks over a batch. It knows characters, escapes and lines, not points.
type scanner struct {
	text  string
	pos   int // the next byte
	line  int // the line pos is in, from 1
	start int // where that line begins
}

// mark is a place to point an error at.
type mark struct{ line, column int }

func (s *scanner) mark() mark { return mark{s.line, s.pos - s.start + 1} }

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// take steps over c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.pos >= len(s.text) || s.text[s.pos] != c {
		return false
	}
	s.pos++
	return true
}

// skipSpaces steps over spaces and tells whether there were any.
func (s *scanner) skipSpaces() bool {
	from := s.pos
	for s.take(' ') {
	}
	return s.pos > from
}

// atLineEnd tells whether "\n", "\r\n" or the end of the text comes next.
func (s *scanner) atLineEnd() bool {
	rest := s.text[s.pos:]
	return rest == "" || rest[0] == '\n' || strings.HasPrefix(rest, "\r\n") || rest == "\r"
}

// takeLineEnd steps over a line end, if one comes next.
func (s *scanner) takeLineEnd() bool {
	if !s.atLineEnd() {
		return false
	}
	s.take('\r')
	if s.take('\n') {
		s.newLine()
	}
	return true
}

func (s *scanner) newLine() {
	s.line++
	s.start = s.pos
}

// skipLine steps behind the next newline, wherever the scanner is in a line.
func (s *scanner) skipLine() {
	if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
		s.pos += i + 1
		s.newLine()
		return
	}
	s.pos = len(s.text)
}

// nextRecord steps over blank lines, comments and leading spaces to the next point.
func (s *scanner) nextRecord() bool {
	for s.pos < len(s.text) {
		s.skipSpaces()
		switch {
		case s.peek() == '#':
			s.skipLine()
		case s.atLineEnd():
			s.takeLineEnd()
		default:
			return true
		}
	}
	return false
}

// token reads up to a line end or a byte of special. A backslash before a byte of special stands for that
// byte; any other backslash is a plain character.
func (s *scanner) token(special string) string { return s.read(special, special) }

// raw reads up to a line end or a byte of stops; there are no escapes.
func (s *scanner) raw(stops string) string { return s.read(stops, "") }

func (s *scanner) read(stops, escapable string) string {
	var out strings.Builder
	for !s.atLineEnd() && strings.IndexByte(stops, s.text[s.pos]) < 0 {
		if s.text[s.pos] == '\\' && s.pos+1 < len(s.text) && strings.IndexByte(escapable, s.text[s.pos+1]) >= 0 {
			s.pos++
		}
		out.WriteByte(s.text[s.pos])
		s.pos++
	}
	return out.String()
}

// word returns what comes up to the next space or line end, without stepping over it.
func (s *scanner) word() string {
	ahead := *s
	return ahead.raw(" ")
}

// quoted reads a string in double quotes, in which \" and \\ are escapes and newlines are allowed. It
// steps back to the opening quote when the closing one is missing.
func (s *scanner) quoted() (string, bool) {
	opening := *s
	var out strings.Builder
	for s.pos++; s.pos < len(s.text); s.pos++ {
		c := s.text[s.pos]
		switch {
		case c == '"':
			s.pos++
			return out.String(), true
		case c == '\\' && s.pos+1 < len(s.text) && strings.IndexByte(`"\`, s.text[s.pos+1]) >= 0:
			s.pos++
			c = s.text[s.pos]
		case c == '\n':
			s.line++
			s.start = s.pos + 1
		}
		out.WriteByte(c)
	}
	*s = opening
	return "", false
}
