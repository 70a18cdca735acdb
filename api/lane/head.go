package lane

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// The bounds of what the lane takes. What is larger is rare.
const (
	maxHead    = 4 << 10
	maxBody    = 16 << 10
	maxHeaders = 32
)

// verdict is what the lane makes of the bytes that have arrived.
type verdict byte

const (
	more   verdict = iota // they may become a request of the lane
	mine                  // they begin with one
	others                // they are the server's
)

// head is the head of a request as the lane last saw it. Programs send the same
// again and again, but for the length of the body: then it is known by comparing
// bytes.
type head struct {
	routes []route
	route  int    // of the last one
	before []byte // all that comes before the length of the body
	after  []byte // all that comes behind it
	header http.Header
	host   string
}

// read judges what has arrived. Of the lane's requests it returns the length of
// head and body.
func (h *head) read(b []byte) (v verdict, head, body int) {
	if rest, same := bytes.CutPrefix(b, h.before); same && len(h.before) > 0 {
		n, digits := length(rest)
		if bytes.HasPrefix(rest[digits:], h.after) {
			return whole(b, len(h.before)+digits+len(h.after), n)
		}
	}
	route := slices.IndexFunc(h.routes, func(r route) bool { return strings.HasPrefix(r.line, string(b[:min(len(b), len(r.line))])) })
	if route < 0 {
		return others, 0, 0
	}
	if head = bytes.Index(b, []byte("\r\n\r\n")) + 4; head < 4 || head > maxHead {
		if len(b) >= maxHead {
			return others, 0, 0
		}
		return more, 0, 0
	}
	n, ok := h.parse(b[:head], route)
	if !ok {
		return others, 0, 0
	}
	return whole(b, head, n)
}

// whole judges a request whose head is the lane's.
func whole(b []byte, head, body int) (verdict, int, int) {
	switch {
	case body <= 0 || body > maxBody:
		return others, 0, 0
	case len(b) < head+body:
		return more, head, body
	}
	return mine, head, body
}

// length reads the length of a body: a number without a sign or a zero before
// it. It is -1 for anything else.
func length(b []byte) (n, digits int) {
	for digits < len(b) && digits < 6 && b[digits] >= '0' && b[digits] <= '9' {
		n = 10*n + int(b[digits]-'0')
		digits++
	}
	if digits == 0 || b[0] == '0' {
		return -1, digits
	}
	return n, digits
}

// parse reads a head, up to and with its empty line, and keeps it.
func (h *head) parse(b []byte, route int) (body int, ok bool) {
	text, at := string(b), len(h.routes[route].line)
	rest := text[at:]
	header := make(http.Header, 8)
	var before, behind []byte
	for rest != "\r\n" {
		line, after, found := strings.Cut(rest, "\r\n")
		name, value, colon := strings.Cut(line, ": ")
		key := textproto.CanonicalMIMEHeaderKey(name)
		if !found || !colon || !plainName(name) || !plainValue(value) || header[key] != nil || len(header) == maxHeaders || !plain(key, value) {
			return 0, false
		}
		if key == "Content-Length" {
			n, digits := length([]byte(value))
			if n < 0 || digits != len(value) {
				return 0, false
			}
			end := at + len(line)
			body, before, behind = n, []byte(text[:end-digits]), []byte(text[end:])
		}
		header[key] = []string{value}
		rest, at = after, at+len(line)+2
	}
	host := header["Host"]
	if before == nil || host == nil {
		return 0, false
	}
	delete(header, "Host")
	delete(header, "Content-Length") // the next one may have another
	h.route, h.before, h.after, h.header, h.host = route, before, behind, header, host[0]
	return body, true
}

// plain reports whether a header changes nothing about how a request is read,
// and may be there with this value.
func plain(key, value string) bool {
	switch key {
	case "Host":
		return value != "" && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") == ""
	case "Connection":
		return value == "keep-alive"
	case "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade", "Http2-Settings", "Pragma", "Proxy-Connection", "Keep-Alive":
		return false
	}
	return true
}

func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return s != ""
}

// plainValue reports whether a value is printable ASCII without spaces around it.
func plainValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == strings.Trim(s, " ")
}
