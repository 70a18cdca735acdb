package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// What can be exported for an audit.
const (
	ExportRegister  = "register"
	ExportConsents  = "consents"
	ExportDecisions = "decisions"
)

// ExportOptions say what of it and how. Nil means the defaults.
type ExportOptions struct {
	// From and To bound when it was recorded; From is in it, To is not. Zero is
	// no bound.
	From, To time.Time
	// Format is wire.FormatNDJSON, the default, or wire.FormatCSV.
	Format string
	// Reason is recorded with the export.
	Reason string
}

// ErrBrokenOff is returned for a stream that ended before its last line: what
// came is not all of it.
var ErrBrokenOff = errors.New("the answer broke off, so something is missing at its end")

// silence is how long a vault may send nothing before nobody waits any longer.
const silence = 5 * time.Minute

// Export writes what officers take out for an audit to w as it comes. It returns
// ErrBrokenOff if the last line, which shows that none is missing, did not come.
func (c *Client) Export(ctx context.Context, what string, o *ExportOptions, w io.Writer) error {
	if o == nil {
		o = &ExportOptions{}
	}
	query := url.Values{}
	for name, at := range map[string]time.Time{"from": o.From, "to": o.To} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if o.Format != "" {
		query.Set("format", o.Format)
	}
	header := http.Header{}
	if o.Reason != "" {
		header.Set(wire.ReasonHeader, o.Reason)
	}
	out := &lastLine{w: w}
	err := c.do(ctx, call{method: http.MethodGet, path: "/v1/exports/" + url.PathEscape(what), query: query, header: header, out: out})
	if err != nil {
		return err
	}
	return out.end(o.Format == wire.FormatCSV)
}

// lastLine passes on what is written to it and remembers the last line.
type lastLine struct {
	w      io.Writer
	line   []byte
	closed bool // the line ended
}

func (l *lastLine) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	for part := range bytes.Lines(b[:n]) {
		if l.closed {
			l.line = l.line[:0]
		}
		l.line = append(l.line, part...)
		l.closed = part[len(part)-1] == '\n'
	}
	return n, err
}

// end says whether the last line is the one that ends an export.
func (l *lastLine) end(asCSV bool) error {
	text := strings.TrimRight(string(l.line), "\n")
	if asCSV {
		cells := strings.Split(text, ",")
		switch {
		case l.closed && cells[0] == "end":
			return nil
		case l.closed && cells[0] == "broken off" && len(cells) > 1:
			return fmt.Errorf("%w (%s)", ErrBrokenOff, cells[1])
		}
		return ErrBrokenOff
	}
	var last struct {
		End  bool   `json:"end"`
		Code string `json:"code"`
		Type string `json:"type"`
	}
	switch err := json.Unmarshal([]byte(text), &last); {
	case l.closed && err == nil && last.End:
		return nil
	case err == nil && last.Type != "":
		return fmt.Errorf("%w (%s)", ErrBrokenOff, last.Code)
	}
	return ErrBrokenOff
}

// stream copies an answer as it comes, as long as something comes.
func stream(body io.Reader, out io.Writer, quiet *time.Timer) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		quiet.Reset(silence)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return fmt.Errorf("writing the export: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBrokenOff, err)
		}
	}
}
