package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 1 << 20

// reconnecting is for how long a broken stream of events is gone on with at least.
const reconnecting = time.Minute

// Events gives what changes for people whom this channel may see, as it happens,
// behind the event of the ID given; "" begins with what happens from now on. A
// stream that breaks off is gone on with behind the last event, so none is left out;
// one that was dealt with just before may come again.
//
// It ends with the context, or with an error: an *Error of code "too_old" if what came
// behind the last event is not kept any more – then read anew what matters, and
// begin with "" –, or what was wrong when the vault could not be reached for a minute
// or Config.Patience.
func (c *Client) Events(ctx context.Context, after string) iter.Seq2[*wire.Event, error] {
	return func(yield func(*wire.Event, error) bool) {
		var waited time.Duration
		for failed := 0; ; failed++ {
			came, more := false, true
			err := c.follow(ctx, after, func(id string, e *wire.Event) bool {
				came, after = true, id
				if e != nil {
					more = yield(e, nil)
				}
				return more
			})
			switch {
			case !more:
				return
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case !passing(err):
				yield(nil, err)
				return
			case came:
				failed, waited = 0, 0
			}
			next := pause(failed, err)
			if waited += next; waited > max(reconnecting, c.cfg.Patience) || c.cfg.Wait(ctx, next) != nil {
				yield(nil, errors.Join(ctx.Err(), err))
				return
			}
		}
	}
}

// follow gives the events of one connection until some wants no more, and nil for an
// ID that comes alone, from which a quiet stream is gone on with. Its end is
// ErrBrokenOff: a stream of events has none.
func (c *Client) follow(ctx context.Context, after string, some func(id string, e *wire.Event) bool) error {
	header := http.Header{"Accept": {wire.MediaEventStream}}
	if after != "" {
		header.Set("Last-Event-ID", after)
	}
	body, err := c.begin(ctx, call{method: http.MethodGet, path: "/v1/events", header: header})
	if err != nil {
		return err
	}
	defer body.Close()
	in := bufio.NewScanner(body)
	in.Buffer(make([]byte, 4<<10), maxEvent)
	in.Split(eventLines)
	var id string
	var data []byte
	for in.Scan() {
		name, value, _ := bytes.Cut(in.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(in.Bytes()) > 0 && string(name) == "id":
			id = string(value)
		case len(in.Bytes()) > 0 && string(name) == "data":
			data = append(append(data, value...), '\n')
		case len(in.Bytes()) > 0: // a comment keeps the line open; the type stands in the event
		case len(data) > 0:
			e := new(wire.Event)
			if err := json.Unmarshal(data, e); err != nil {
				return errors.New("reading the vault's answer: not the shape that was expected")
			}
			if !some(id, e) {
				return nil
			}
			data = data[:0]
		case id != "":
			some(id, nil)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrBrokenOff, err)
	}
	return ErrBrokenOff
}

// eventLines splits a stream of events, whose lines may end as of any system. What
// stands behind the last end is no line: it broke off within.
func eventLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF:
		return len(data), nil, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 == len(data) && !atEOF:
		return 0, nil, nil // the other half of the end may follow
	}
	return i + 1, data[:i], nil
}

// Webhooks lists where this channel has events sent, and how that goes.
func (c *Client) Webhooks(ctx context.Context) (*wire.WebhookList, error) {
	return get[wire.WebhookList](ctx, c, "/v1/webhooks", nil)
}

// AddWebhook has events sent to an address. The secret, by which they are known to be
// the vault's, is shown once: see [NewWebhook].
func (c *Client) AddWebhook(ctx context.Context, in *wire.WebhookRequest) (*wire.WebhookSecret, error) {
	return post[wire.WebhookSecret](ctx, c, "/v1/webhooks", in)
}

// AckEvents says that an event and all before it are dealt with.
func (c *Client) AckEvents(ctx context.Context, event string) error {
	_, err := post[wire.EventAck](ctx, c, "/v1/events/ack", &wire.EventAck{Event: event})
	return err
}
