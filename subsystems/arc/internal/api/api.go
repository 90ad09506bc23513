// Package api is arc's HTTP interface.
//
//	POST /write    line protocol, plain or gzip; ?precision=ns|us|ms|s|m|h sets the unit of timestamps
//	GET  /last     newest values: ?measurement=cpu and, to narrow it down, any tag: &host=a
//	GET  /healthz  200 while the server serves
//
// A batch is written whole or not at all: one bad line rejects it with 400, and the answer names every bad
// line with its number and reason. A good batch is answered with 204.
package api

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"plat/arc/internal/last"
	"plat/arc/internal/lineproto"
)

// Config is what the interface needs from outside.
type Config struct {
	Store   *last.Store
	Version string
	MaxBody int64            // bytes of a batch, unpacked
	Now     func() time.Time // the time of points that carry none
}

type server struct{ Config }

// New makes the handler for all paths.
func New(config Config) http.Handler {
	s := &server{config}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /write", s.write)
	mux.HandleFunc("GET /last", s.last)
	mux.HandleFunc("GET /healthz", s.health)
	return mux
}

// problem is the body of every answer that is no success.
type problem struct {
	Error string           `json:"error"`
	Lines lineproto.Errors `json:"lines,omitempty"` // the first shownLines bad ones
}

// shownLines bounds an answer to a batch in which everything is wrong.
const shownLines = 100

func (s *server) write(w http.ResponseWriter, r *http.Request) {
	precision, err := precisionOf(r)
	if err != nil {
		answer(w, http.StatusBadRequest, problem{Error: err.Error()})
		return
	}
	batch, status, err := s.body(w, r)
	if err != nil {
		answer(w, status, problem{Error: err.Error()})
		return
	}
	points, err := lineproto.Parse(batch, lineproto.Options{Precision: precision, Now: s.Now()})
	var bad lineproto.Errors
	if errors.As(err, &bad) {
		answer(w, http.StatusBadRequest, problem{
			Error: fmt.Sprintf("%d of %d lines are bad, nothing was written", len(bad), len(bad)+len(points)),
			Lines: bad[:min(len(bad), shownLines)],
		})
		return
	}
	if err := s.Store.Write(points); err != nil {
		answer(w, http.StatusInsufficientStorage, problem{Error: err.Error()})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func precisionOf(r *http.Request) (time.Duration, error) {
	switch unit := r.URL.Query().Get("precision"); unit {
	case "", "ns", "n":
		return time.Nanosecond, nil
	case "us", "u":
		return time.Microsecond, nil
	case "ms":
		return time.Millisecond, nil
	case "s":
		return time.Second, nil
	case "m":
		return time.Minute, nil
	case "h":
		return time.Hour, nil
	default:
		return 0, fmt.Errorf("unknown precision %q: use ns, us, ms, s, m or h", unit)
	}
}

// body reads a request's body, unpacked and within the limit. The status goes with the error.
func (s *server) body(w http.ResponseWriter, r *http.Request) (batch string, status int, err error) {
	var from io.Reader = http.MaxBytesReader(w, r.Body, s.MaxBody)
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		if from, err = gzip.NewReader(from); err != nil {
			return "", http.StatusBadRequest, fmt.Errorf("body is no gzip: %w", err)
		}
	default:
		return "", http.StatusUnsupportedMediaType, fmt.Errorf("unknown content encoding %q: use gzip or none", encoding)
	}
	read, err := io.ReadAll(io.LimitReader(from, s.MaxBody+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), int64(len(read)) > s.MaxBody:
		return "", http.StatusRequestEntityTooLarge, fmt.Errorf("body is larger than %d bytes", s.MaxBody)
	case err != nil:
		return "", http.StatusBadRequest, fmt.Errorf("reading the body: %w", err)
	}
	return string(read), 0, nil
}

func (s *server) last(w http.ResponseWriter, r *http.Request) {
	measurement, tags, err := wanted(r)
	if err != nil {
		answer(w, http.StatusBadRequest, problem{Error: err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]any{"series": s.Store.Find(measurement, tags)})
}

// wanted reads a query: the measurement, and every other parameter as a tag.
func wanted(r *http.Request) (measurement string, tags map[string]string, err error) {
	query := r.URL.Query()
	tags = make(map[string]string, len(query))
	for key, values := range query {
		if len(values) > 1 {
			return "", nil, fmt.Errorf("%q is given %d times", key, len(values))
		}
		tags[key] = values[0]
	}
	measurement = tags["measurement"]
	delete(tags, "measurement")
	if measurement == "" {
		return "", nil, errors.New("say which measurement: /last?measurement=NAME")
	}
	return measurement, tags, nil
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"status": "ok", "version": s.Version, "series": s.Store.Len()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The status is sent: an error now means that the client is gone.
	_ = json.NewEncoder(w).Encode(body)
}
