package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plat/arc/internal/last"
)

func newHandler() http.Handler {
	return New(Config{
		Store:   last.New(3),
		Version: "v9",
		MaxBody: 200,
		Now:     func() time.Time { return time.Unix(1, 0).UTC() },
	})
}

func call(h http.Handler, method, target, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(got)
}

// reason is what the body of a failed request says.
func reason(body string) string {
	var got problem
	_ = json.Unmarshal([]byte(body), &got)
	return got.Error
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func TestWriteThenLast(t *testing.T) {
	h := newHandler()
	if code, body := call(h, "POST", "/write", "cpu,host=a usage=1.5,n=2i 7000000000\ncpu,host=b usage=3\n"); code != 204 || body != "" {
		t.Fatalf("%d %s", code, body)
	}
	code, body := call(h, "GET", "/last?measurement=cpu&host=a", "")
	want := `{"series":[{"measurement":"cpu","tags":{"host":"a"},"fields":{` +
		`"n":{"type":"int","value":2,"time":"1970-01-01T00:00:07Z"},` +
		`"usage":{"type":"float","value":1.5,"time":"1970-01-01T00:00:07Z"}}}]}` + "\n"
	if code != 200 || body != want {
		t.Errorf("%d\n got %s\nwant %s", code, body, want)
	}
	if _, body := call(h, "GET", "/last?measurement=cpu&host=zz", ""); body != `{"series":[]}`+"\n" {
		t.Errorf("nothing found: %s", body)
	}
}

func TestBadBatchIsRejectedWhole(t *testing.T) {
	h := newHandler()
	code, body := call(h, "POST", "/write", "cpu usage=1\ncpu usage=\nmem\n")
	var got problem
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 400 {
		t.Fatalf("%d %s", code, body)
	}
	if got.Error != "2 of 3 lines are bad, nothing was written" || len(got.Lines) != 2 ||
		got.Lines[0].Line != 2 || got.Lines[0].Reason != `field "usage": no value` || got.Lines[1].Line != 3 {
		t.Errorf("%+v", got)
	}
	if _, body := call(h, "GET", "/last?measurement=cpu", ""); body != `{"series":[]}`+"\n" {
		t.Errorf("a part was written: %s", body)
	}
}

func TestWriteAnswers(t *testing.T) {
	large := "m v=1 1\n" + strings.Repeat("#", 300)
	for name, c := range map[string]struct {
		target, body string
		headers      []string
		code         int
		says         string
	}{
		"empty":              {"/write", "", nil, 204, ""},
		"parameters ignored": {"/write?db=telegraf&precision=s", "m v=1 1", nil, 204, ""},
		"gzip":               {"/write", zipped("m v=1"), []string{"Content-Encoding", "gzip"}, 204, ""},
		"no gzip":            {"/write", "m v=1", []string{"Content-Encoding", "gzip"}, 400, "no gzip"},
		"cut gzip":           {"/write", zipped("m v=1")[:20], []string{"Content-Encoding", "gzip"}, 400, "reading the body"},
		"other encoding":     {"/write", "m v=1", []string{"Content-Encoding", "br"}, 415, `"br"`},
		"bad precision":      {"/write?precision=d", "m v=1", nil, 400, "unknown precision"},
		"too large":          {"/write", large, nil, 413, "larger than 200 bytes"},
		"too large unpacked": {"/write", zipped(large), []string{"Content-Encoding", "gzip"}, 413, "larger than 200 bytes"},
		"too many series":    {"/write", "a v=1\nb v=1\nc v=1\nd v=1", nil, 507, "too many series"},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := call(newHandler(), "POST", c.target, c.body, c.headers...)
			if code != c.code || !strings.Contains(reason(body), c.says) {
				t.Errorf("%d %s", code, body)
			}
		})
	}
}

func TestBadQueries(t *testing.T) {
	for target, says := range map[string]string{
		"/last":                           "which measurement",
		"/last?host=a":                    "which measurement",
		"/last?measurement=a&x=1&x=2":     `"x" is given 2 times`,
		"/last?measurement=a&measurement": "given 2 times",
	} {
		if code, body := call(newHandler(), "GET", target, ""); code != 400 || !strings.Contains(reason(body), says) {
			t.Errorf("%s: %d %s", target, code, body)
		}
	}
}

func TestHealthAndMethods(t *testing.T) {
	h := newHandler()
	if code, body := call(h, "GET", "/healthz", ""); code != 200 || body != `{"series":0,"status":"ok","version":"v9"}`+"\n" {
		t.Errorf("%d %s", code, body)
	}
	for method, target := range map[string]string{"GET": "/write", "POST": "/last"} {
		if code, _ := call(h, method, target, ""); code != 405 {
			t.Errorf("%s %s: %d", method, target, code)
		}
	}
	if code, _ := call(h, "GET", "/", ""); code != 404 {
		t.Errorf("/: %d", code)
	}
}
