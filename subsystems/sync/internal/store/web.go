package store

import (
	"context"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	webTimeout = 30 * time.Second
	pageLimit  = 8 << 20 // bytes of an index page
)

// web is a store behind a web server. Its tags are the links of its index page that lead one folder down.
type web struct {
	page   *url.URL
	client *http.Client
}

func newWeb(place string) (Store, error) {
	page, err := url.Parse(place)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if page.Host == "" {
		return nil, fmt.Errorf("store %s: the URL names no host", place)
	}
	if !strings.HasSuffix(page.Path, "/") {
		page = page.JoinPath("/")
	}
	return web{page, &http.Client{Timeout: webTimeout}}, nil
}

func (w web) Tags(ctx context.Context) ([]string, error) {
	page, base, err := w.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", w.page.Redacted(), err)
	}
	seen := make(map[string]bool)
	var tags []string
	for _, link := range links(page) {
		if tag := childOf(base, link); tag != "" && !seen[tag] {
			seen[tag] = true
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// fetch gets the index page and the URL it has after redirects.
func (w web) fetch(ctx context.Context) (page string, base *url.URL, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.page.String(), nil)
	if err != nil {
		return "", nil, err
	}
	request.Header.Set("Accept", "text/html")
	response, err := w.client.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("the server answered %s", response.Status)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "text/html" && kind != "application/xhtml+xml" {
		return "", nil, fmt.Errorf("expected an index page in HTML, got %q", kind)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, pageLimit+1))
	if err != nil {
		return "", nil, err
	}
	if len(text) > pageLimit {
		return "", nil, fmt.Errorf("the index page is larger than %d bytes", pageLimit)
	}
	return string(text), response.Request.URL, nil
}

var anchor = regexp.MustCompile(`(?is)<a\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))`)

// links returns the targets of a page's links as they are written in it.
func links(page string) []string {
	var found []string
	for _, match := range anchor.FindAllStringSubmatch(page, -1) {
		found = append(found, html.UnescapeString(match[1]+match[2]+match[3]))
	}
	return found
}

// childOf returns the name of the folder directly below base that a link leads to, or "". Links to other
// hosts, upwards, deeper and to other sortings of the page (?C=M) are none.
func childOf(base *url.URL, link string) string {
	target, err := base.Parse(link)
	if err != nil || target.Host != base.Host || target.RawQuery != "" {
		return ""
	}
	name, below := strings.CutPrefix(target.Path, base.Path)
	name = strings.TrimSuffix(name, "/")
	if !below || name == "" || strings.Contains(name, "/") || strings.HasPrefix(name, ".") {
		return ""
	}
	return name
}
