package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
)

// rowsPatience is how long a vault may take to answer rows of an import, which
// may have to wait for those before them.
const rowsPatience = 3 * time.Minute

// ImportRows brings the next rows of an import: body has a capture a line, and an
// empty line for a row that is left out. from is how many rows came before, of is
// how many the whole file has. Rows that are done with, or do not follow those
// that are, are refused with wrong_state.
func (c *Client) ImportRows(ctx context.Context, id string, from, of uint64, body []byte) (*wire.ImportAnswer, error) {
	out := new(wire.ImportAnswer)
	query := url.Values{"from": {strconv.FormatUint(from, 10)}, "of": {strconv.FormatUint(of, 10)}}
	return out, c.do(ctx, call{method: http.MethodPost, path: "/v1/imports/" + id + "/rows", query: query, media: "application/x-ndjson", in: body, out: out, patience: rowsPatience})
}

// CheckRows asks what of rows would be rejected. Nothing is kept.
func (c *Client) CheckRows(ctx context.Context, from uint64, body []byte) (*wire.Rejects, error) {
	out := new(wire.Rejects)
	query := url.Values{"from": {strconv.FormatUint(from, 10)}}
	return out, c.do(ctx, call{method: http.MethodPost, path: "/v1/imports/check", query: query, media: "application/x-ndjson", in: body, out: out, patience: rowsPatience})
}

// Import asks how far an import is; not_found before its first row.
func (c *Client) Import(ctx context.Context, id string) (*wire.Import, error) {
	return get[wire.Import](ctx, c, "/v1/imports/"+id, nil)
}

// ImportRejects asks what was rejected of an import's rows behind one.
func (c *Client) ImportRejects(ctx context.Context, id string, after uint64) (*wire.Rejects, error) {
	return get[wire.Rejects](ctx, c, "/v1/imports/"+id+"/rejects", url.Values{"after": {strconv.FormatUint(after, 10)}})
}
