package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// errTorn is a batch of which it is not known what became of each line.
var errTorn = errors.New("reading the vault's answer: it does not tell of every line of the batch")

// CaptureBatch stores what many people told, at most 1000 of them and 4 MiB:
// all that is accepted at once, each refused one by itself. The answers are in
// the order of the captures, one for each.
func (c *Client) CaptureBatch(ctx context.Context, in []*wire.CaptureRequest) ([]wire.CaptureLine, error) {
	var lines, answer []byte
	for _, one := range in {
		line, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		lines = append(append(lines, line...), '\n')
	}
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/captures/batch", media: "application/x-ndjson", in: lines, out: &answer})
	if err != nil {
		return nil, err
	}
	out := make([]wire.CaptureLine, len(in))
	rest := bytes.SplitAfter(answer, []byte("\n"))
	if len(rest) < len(in)+1 {
		return nil, errTorn
	}
	for i := range out {
		if err := json.Unmarshal(rest[i], &out[i]); err != nil || out[i].N != i+1 {
			return nil, errTorn
		}
	}
	var end wire.BatchEnd
	if err := json.Unmarshal(rest[len(in)], &end); err != nil || !end.End || end.Lines != len(in) {
		return nil, errTorn
	}
	return out, nil
}
