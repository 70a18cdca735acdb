package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
)

// ReplayPolicy runs a set of rules over the decisions that were really made in a
// period, which may take long. progress, which may be nil, is told how far it is;
// ending ctx ends it.
func (c *Client) ReplayPolicy(ctx context.Context, id string, in *wire.ReplayRequest, progress func(done, of uint64)) (*wire.Replay, error) {
	return c.replay(ctx, call{method: http.MethodPost, path: policyPath(id) + "/replay", in: in}, progress)
}

// ReplayRegister likewise runs a register, which is not kept.
func (c *Client) ReplayRegister(ctx context.Context, yaml []byte, in *wire.ReplayRequest, progress func(done, of uint64)) (*wire.Replay, error) {
	query := url.Values{}
	for name, at := range map[string]time.Time{"from": in.From, "to": in.To} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return c.replay(ctx, call{method: http.MethodPost, path: "/v1/register/replay", query: query, media: "application/yaml", in: yaml}, progress)
}

// ReplayPendingRegister likewise runs the register that waits.
func (c *Client) ReplayPendingRegister(ctx context.Context, revision uint64, in *wire.ReplayRequest, progress func(done, of uint64)) (*wire.Replay, error) {
	return c.replay(ctx, call{method: http.MethodPost, path: revisionPath(revision) + "/replay", in: in}, progress)
}

func (c *Client) replay(ctx context.Context, what call, progress func(done, of uint64)) (*wire.Replay, error) {
	out := &lastLine{w: replayProgress(func(line *wire.ReplayLine) {
		if progress != nil && line.Of > 0 {
			progress(line.Done, line.Of)
		}
	})}
	what.header, what.out = http.Header{"Accept": {"application/x-ndjson"}}, out
	if err := c.do(ctx, what); err != nil {
		return nil, err
	}
	var last wire.ReplayLine
	switch err := json.Unmarshal(out.line, &last); {
	case err == nil && last.End && last.Replay != nil:
		return last.Replay, nil
	case err == nil && last.Code != "":
		return nil, &Error{Problem: wire.Problem{Type: last.Type, Title: last.Title, Status: last.Status, Code: last.Code, Detail: last.Detail}}
	}
	return nil, fmt.Errorf("reading a replay: %w", ErrBrokenOff)
}

// replayProgress reads whole lines; parts of some are as good as none.
type replayProgress func(*wire.ReplayLine)

func (p replayProgress) Write(b []byte) (int, error) {
	var line wire.ReplayLine
	if json.Unmarshal(b, &line) == nil {
		p(&line)
	}
	return len(b), nil
}
