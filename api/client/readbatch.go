package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/api/wire"
)

// ReadBatch asks for many people, and gives an answer for each ask in their
// order while the later ones are sent: what a read by itself answers, with its
// status, or what its problem says. Each is decided and recorded when it is
// answered. Neither side gathers more than a few lines, so asks is taken from as
// fast as the answers are; it is walked in a goroutine of its own, which ends
// with the answers once asks returns or yields.
//
// A stream that does not come to its end, or does not answer each ask in its turn,
// gives an error, last: ErrBrokenOff, or an *Error if it did not begin. What was
// answered before was released.
func (c *Client) ReadBatch(ctx context.Context, asks iter.Seq[*wire.ReadRequest]) iter.Seq2[*wire.ReadLine, error] {
	return func(yield func(*wire.ReadLine, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		answers, err := c.beginReads(ctx, asks)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = answers.Close() }()
		in := jsontext.NewDecoder(answers)
		for n := 1; ; n++ {
			var line struct {
				wire.ReadLine
				wire.BatchEnd
			}
			switch err := json.UnmarshalDecode(in, &line); {
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case err != nil:
				yield(nil, fmt.Errorf("%w: %w", ErrBrokenOff, err))
				return
			case line.End && (line.Lines != n-1 || answers.lines.asked.Load() != int64(n-1)), !line.End && line.N != n:
				yield(nil, ErrBrokenOff)
				return
			case line.End:
				return
			case !yield(&line.ReadLine, nil):
				return
			}
		}
	}
}

// beginReads sends the head of a stream, and lines once the vault takes it on:
// until then a token it does not know any more can be fetched anew.
func (c *Client) beginReads(ctx context.Context, asks iter.Seq[*wire.ReadRequest]) (*bothWays, error) {
	patient := *c.cfg.HTTP
	patient.Timeout = 0
	for first := true; ; first = false {
		token, err := c.accessToken(ctx)
		if err != nil {
			return nil, err
		}
		lines := newLines(asks)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/reads/batch", lines)
		if err != nil {
			return nil, fmt.Errorf("making a request: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.Header.Set("Expect", "100-continue")
		resp, err := patient.Do(r) //nolint:bodyclose // bothWays closes it
		if err != nil {
			return nil, errors.Join(fmt.Errorf("asking the vault: %w", err), lines.Close())
		}
		answers := &bothWays{resp.Body, lines}
		if resp.StatusCode == http.StatusOK {
			return answers, nil
		}
		body, err := io.ReadAll(io.LimitReader(answers, maxAnswer))
		_ = answers.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the vault's answer: %w", err)
		}
		if first && resp.StatusCode == http.StatusUnauthorized && !lines.begun.Load() {
			c.forget(token)
			continue
		}
		return nil, refusal(resp, body)
	}
}

// bothWays are the answers, with the lines that they answer.
type bothWays struct {
	io.ReadCloser
	lines *lines
}

// Close ends both.
func (b *bothWays) Close() error { return errors.Join(b.lines.Close(), b.ReadCloser.Close()) }

// lines are asks as a body, a line each. Nothing is taken from asks before the
// first is read.
type lines struct {
	asks  iter.Seq[*wire.ReadRequest]
	out   *io.PipeReader
	in    *io.PipeWriter
	begun atomic.Bool
	asked atomic.Int64
}

func newLines(asks iter.Seq[*wire.ReadRequest]) *lines {
	l := &lines{asks: asks}
	l.out, l.in = io.Pipe()
	return l
}

func (l *lines) Read(b []byte) (int, error) {
	if l.begun.CompareAndSwap(false, true) {
		go l.walk()
	}
	return l.out.Read(b)
}

// Close ends the walk at its next ask.
func (l *lines) Close() error { return l.out.Close() }

func (l *lines) walk() {
	for ask := range l.asks {
		line, err := json.Marshal(ask)
		if err != nil {
			_ = l.in.CloseWithError(fmt.Errorf("writing a request: %w", err))
			return
		}
		l.asked.Add(1)
		if _, err := l.in.Write(append(line, '\n')); err != nil {
			return
		}
	}
	_ = l.in.Close()
}
