package lineproto

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

func parseOne(t *testing.T, line string) Point {
	t.Helper()
	points, err := Parse(line, Options{Now: now})
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if len(points) != 1 {
		t.Fatalf("%q: %d points", line, len(points))
	}
	return points[0]
}

func TestPoint(t *testing.T) {
	got := parseOne(t, "cpu,zone=b,host=a usage=1.5,cores=4i 1700000000000000001\n")
	want := Point{
		Measurement: "cpu",
		Tags:        []Tag{{"host", "a"}, {"zone", "b"}},
		Fields:      []Field{{"usage", Float, 1.5}, {"cores", Int, int64(4)}},
		Time:        time.Unix(0, 1700000000000000001).UTC(),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestPointWithoutTimeIsNow(t *testing.T) {
	if got := parseOne(t, "cpu usage=1"); !got.Time.Equal(now) {
		t.Errorf("got %v", got.Time)
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]Field{
		"1":                     {"v", Float, 1.0},
		"-1.5e+3":               {"v", Float, -1500.0},
		".5":                    {"v", Float, 0.5},
		"-9223372036854775808i": {"v", Int, int64(math.MinInt64)},
		"18446744073709551615u": {"v", Uint, uint64(math.MaxUint64)},
		"t":                     {"v", Bool, true},
		"FALSE":                 {"v", Bool, false},
		`""`:                    {"v", String, ""},
		`"a b,c=d"`:             {"v", String, "a b,c=d"},
		`"say \"hi\" c:\\x\n"`:  {"v", String, `say "hi" c:\x\n`},
		"\"two\nlines\"":        {"v", String, "two\nlines"},
		`"über"`:                {"v", String, "über"},
	} {
		if got := parseOne(t, "m v="+text).Fields[0]; got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestEscapes(t *testing.T) {
	got := parseOne(t, `disk\ use\,all,pa\=th=C:\\a\ b,o\,s=win fr\ ee=1`)
	if got.Measurement != "disk use,all" {
		t.Errorf("measurement %q", got.Measurement)
	}
	if want := []Tag{{"o,s", "win"}, {"pa=th", `C:\\a b`}}; !reflect.DeepEqual(got.Tags, want) {
		t.Errorf("tags %q", got.Tags)
	}
	if got.Fields[0].Key != "fr ee" {
		t.Errorf("field %q", got.Fields[0].Key)
	}
}

func TestBlankLinesCommentsAndLineEnds(t *testing.T) {
	points, err := Parse("\n# a comment\r\n  \na v=1\r\nb v=2 5 \n\nc v=t", Options{Now: now})
	if err != nil || len(points) != 3 {
		t.Fatalf("%d points, %v", len(points), err)
	}
	if points[0].Fields[0].Value != 1.0 || points[1].Time.UnixNano() != 5 || points[2].Fields[0].Value != true {
		t.Errorf("%+v", points)
	}
}

func TestPrecision(t *testing.T) {
	points, err := Parse("m v=1 1700000000", Options{Precision: time.Second})
	if err != nil || points[0].Time.Unix() != 1700000000 {
		t.Errorf("%+v, %v", points, err)
	}
	if _, err := Parse("m v=1 1700000000000000000", Options{Precision: time.Second}); err == nil {
		t.Error("a timestamp that overflows was accepted")
	}
}

func TestBadLines(t *testing.T) {
	for line, want := range map[string]string{
		"cpu":                         "column 4: no fields",
		"cpu ":                        "no fields",
		"cpu,host=a":                  "no fields",
		",host=a v=1":                 "no measurement",
		"cpu,host v=1":                `tag "host" has no '='`,
		"cpu,host= v=1":               `tag "host" has no value`,
		"cpu,host=a=b v=1":            "unescaped '='",
		"cpu,=a v=1":                  "empty tag key",
		"cpu,a=1,a=2 v=1":             `column 9: tag "a" is given twice`,
		"cpu v":                       `field "v" has no '='`,
		"cpu v=":                      "no value",
		"cpu v=1,":                    "empty field key",
		"cpu v=1,v=2":                 `field "v" is given twice`,
		"cpu v=abc":                   "no number, boolean or quoted string",
		"cpu v=0x10":                  "no number",
		"cpu v=inf":                   "no number",
		"cpu v=NaN":                   "no number",
		"cpu v=i":                     "no number",
		"cpu v=1.5i":                  "no number",
		"cpu v=-1u":                   "no number",
		"cpu v=1e999":                 "does not fit a 64-bit float",
		"cpu v=92233720368547758079i": "does not fit a 64-bit int",
		`cpu v="open`:                 "column 7: the string of field \"v\" is not closed",
		`cpu v="a"b`:                  "unexpected text behind the string",
		"cpu v=1 soon":                `timestamp "soon" is no 64-bit whole number`,
		"cpu v=1 1 2":                 `column 11: unexpected text after the point: "2"`,
	} {
		_, err := Parse(line, Options{Now: now})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", line, err, want)
		}
	}
}

func TestEveryBadLineIsNamed(t *testing.T) {
	batch := "a v=1\nb\nc s=\"x\ny\"\nd v=oops\ne v=2\n"
	points, err := Parse(batch, Options{Now: now})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 2 || errs[0].Line != 2 || errs[1].Line != 5 {
		t.Errorf("errors: %v", err)
	}
	if len(points) != 3 {
		t.Errorf("%d good points, want 3", len(points))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("cpu,host=a usage=1.5,n=2i,s=\"x\\\"y\" 1700000000000000000\n")
	f.Add("a\\ b,c\\,d=e\\=f g=t\r\n# no\n\nx y=\"\n\"")
	f.Fuzz(func(t *testing.T, batch string) {
		points, err := Parse(batch, Options{Now: now})
		for _, point := range points {
			if point.Measurement == "" || len(point.Fields) == 0 {
				t.Errorf("an empty point from %q", batch)
			}
		}
		var errs Errors
		if errors.As(err, &errs) {
			for i, one := range errs {
				if one.Line < 1 || one.Column < 1 || (i > 0 && one.Line <= errs[i-1].Line) {
					t.Errorf("%q: error out of place: %v", batch, errs)
				}
			}
		}
	})
}
