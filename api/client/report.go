package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// ProcessingActivities returns the record of processing activities as JSON, or
// with wire.FormatCSV as a table with a row a purpose.
func (c *Client) ProcessingActivities(ctx context.Context, format string) ([]byte, error) {
	query := url.Values{}
	if format != "" {
		query.Set("format", format)
	}
	var out []byte
	return out, c.do(ctx, call{method: http.MethodGet, path: "/v1/reports/processing-activities", query: query, out: &out})
}

// Reports over a time, as Report takes them.
const (
	ReportConsents = "consents"
	ReportDenials  = "denials"
	ReportGaps     = "gaps"
	ReportUnread   = "unread"
)

// Report returns a report over a time – from is in it, to is not, zero is no bound –
// as JSON or with wire.FormatCSV as a table.
func (c *Client) Report(ctx context.Context, name, format string, from, to time.Time) ([]byte, error) {
	query := url.Values{}
	if format != "" {
		query.Set("format", format)
	}
	for name, at := range map[string]time.Time{"from": from, "to": to} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	var out []byte
	return out, c.do(ctx, call{method: http.MethodGet, path: "/v1/reports/" + name, query: query, out: &out})
}

// BreachOptions say what a report about a channel is of.
type BreachOptions struct {
	// From and To bound when it happened: From is in it, To is not.
	From, To time.Time
	// Reason is recorded with the report.
	Reason string
}

// Breach is what a channel was shown and did. The vault tells more; this is what
// programs have needed.
type Breach struct {
	Channel  privacy.ChannelID `json:"channel"`
	Asked    int               `json:"asked"`
	Answered int               `json:"answered"`
	People   int               `json:"people"`
	Special  bool              `json:"special"`
	First    *time.Time        `json:"first,omitempty"`
	Last     *time.Time        `json:"last,omitempty"`
	Fields   []BreachField     `json:"fields"`
	Wrote    BreachWrote       `json:"wrote"`
	Erased   int               `json:"erased"`
}

// BreachField is what was shown of one field for one purpose.
type BreachField struct {
	Purpose  privacy.PurposeID `json:"purpose"`
	Field    privacy.FieldName `json:"field"`
	Category privacy.Category  `json:"category,omitempty"`
	Special  bool              `json:"special,omitempty"`
	Released int               `json:"released"`
	Masked   int               `json:"masked"`
	People   int               `json:"people"`
}

// BreachWrote is what a channel changed.
type BreachWrote struct {
	Captures int `json:"captures"`
	Consents int `json:"consents"`
	Grounds  int `json:"grounds"`
	People   int `json:"people"`
}

// Breach tells what a channel was shown and did in a period.
func (c *Client) Breach(ctx context.Context, channel privacy.ChannelID, o *BreachOptions) (*Breach, error) {
	out := new(Breach)
	what := o.call(channel, "")
	what.out = out
	if err := c.do(ctx, what); err != nil {
		return nil, err
	}
	return out, nil
}

// BreachPeople writes a table of the people of whom something was shown to w as
// it comes. It returns ErrBrokenOff if its last row did not come.
func (c *Client) BreachPeople(ctx context.Context, channel privacy.ChannelID, o *BreachOptions, w io.Writer) error {
	out := &lastLine{w: w}
	what := o.call(channel, wire.FormatCSV)
	what.out = out
	if err := c.do(ctx, what); err != nil {
		return err
	}
	return out.end(true)
}

func (o *BreachOptions) call(channel privacy.ChannelID, format string) call {
	what := call{method: http.MethodGet, path: "/v1/reports/breach", query: url.Values{"channel": {string(channel)}}, header: http.Header{}}
	if format != "" {
		what.query.Set("format", format)
	}
	if o == nil {
		return what
	}
	for name, at := range map[string]time.Time{"from": o.From, "to": o.To} {
		if !at.IsZero() {
			what.query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if o.Reason != "" {
		what.header.Set(wire.ReasonHeader, o.Reason)
	}
	return what
}
