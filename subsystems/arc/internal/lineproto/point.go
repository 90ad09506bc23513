// Package lineproto reads InfluxDB line protocol, the text form in which agents such as Telegraf send
// metrics:
//
//	measurement[,tag=value...] field=value[,field=value...] [timestamp]
//
// Parse reads a whole batch and reports every bad line, not only the first.
package lineproto

import (
	"fmt"
	"strings"
	"time"
)

// Tag is one key and value of a point's tag set.
type Tag struct {
	Key, Value string
}

// Type is the type of a field's value.
type Type string

// The five types line protocol knows.
const (
	Float  Type = "float"  // 1, 1.5, -2e10
	Int    Type = "int"    // 1i
	Uint   Type = "uint"   // 1u
	Bool   Type = "bool"   // t, true, F, FALSE
	String Type = "string" // "text"
)

// Field is one key and value of a point's field set. Value holds a float64, int64, uint64, bool or string,
// as Type says.
type Field struct {
	Key   string
	Type  Type
	Value any
}

// Point is one line: what was measured, where, when.
type Point struct {
	Measurement string
	Tags        []Tag // sorted by key, keys are unique
	Fields      []Field
	Time        time.Time
}

// LineError says why a line is not a point. Line and Column count from 1; Column counts bytes.
type LineError struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Reason string `json:"reason"`
}

func (e LineError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Errors are the bad lines of a batch, in the order they stand in it.
type Errors []LineError

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}
