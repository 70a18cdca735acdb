package lane

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer is an http.ResponseWriter that holds what a handler says until the
// handler returns.
type answer struct {
	header http.Header
	status int // 0: not said yet
	body   []byte
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. What is said first holds.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

func (a *answer) reset() {
	clear(a.header)
	a.status, a.body = 0, a.body[:0]
}

// closes reports whether the connection must not be used again.
func (a *answer) closes() bool { return a.header.Get("Connection") == "close" }

// empty reports whether an answer of this status has no body.
func empty(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// appendTo appends the answer as it goes over the wire.
func (a *answer) appendTo(b []byte, date string) []byte {
	a.WriteHeader(http.StatusOK)
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\nDate: "...)
	b = append(b, date...)
	b = append(b, "\r\n"...)
	for name, values := range a.header {
		if name == "Content-Length" || name == "Date" {
			continue // said here
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = appendValue(b, value)
			b = append(b, "\r\n"...)
		}
	}
	if !empty(a.status) {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(a.body)), 10)
		b = append(b, "\r\n\r\n"...)
		return append(b, a.body...)
	}
	return append(b, "\r\n"...)
}

// appendValue appends a value on one line, whatever is in it.
func appendValue(b []byte, value string) []byte {
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return append(b, value...)
}

// dates tells the time as answers do, once a second.
type dates struct{ last atomic.Pointer[dated] }

type dated struct {
	second int64
	text   string
}

func (d *dates) at(now time.Time) string {
	if last := d.last.Load(); last != nil && last.second == now.Unix() {
		return last.text
	}
	next := &dated{now.Unix(), now.UTC().Format(http.TimeFormat)}
	d.last.Store(next)
	return next.text
}
