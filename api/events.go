package api

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/webhook"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

const (
	headerLastEvent = "Last-Event-ID"
	// slowest is how long a client may take to read what it is sent.
	slowest = 10 * time.Second
	// heartbeat is how long a stream is silent at most.
	heartbeat = 15 * time.Second
)

var eventsHandler = handler{serve: streamEvents, out: reflect.TypeFor[wire.Event](), gives: []string{wire.MediaEventStream}, statuses: []int{http.StatusOK}}

// errEnded ends a stream for which nothing is wrong.
var errEnded = errors.New("the stream is over")

// streamEvents sends events as they come until the client is gone or too slow, its
// token ends, or the server stops. Between them come comments and marks, so that
// both sides know that the other is there, and from where to go on.
func streamEvents(x *exchange) error {
	req := vault.EventsRequest{After: x.r.Header.Get(headerLastEvent)}
	for t := range strings.SplitSeq(x.query.Get("types"), ",") {
		if t != "" {
			req.Types = append(req.Types, privacy.EventType(t))
		}
	}
	s := &eventStream{x: x, wire: http.NewResponseController(x.w)}
	if x.r.Method == http.MethodHead { // nobody listens
		return s.begin()
	}
	_ = s.wire.SetReadDeadline(time.Time{}) // nothing more is read
	err := x.door.StreamEvents(x.ctx, x.caller, req, s.tell)
	if x.status == 0 {
		if err == nil {
			err = s.begin()
		}
		return err
	}
	if over := err == nil || errors.Is(err, errEnded) || x.ctx.Err() != nil; !over { // said as far as it can be
		x.code = refusedCode(err)
		_ = s.send([]byte(": " + x.code + "\n\n"))
	}
	return nil // the answer has begun
}

// eventStream is a stream on its way.
type eventStream struct {
	x    *exchange
	wire *http.ResponseController
	sent time.Time
}

func (s *eventStream) begin() error {
	h := s.x.w.Header()
	h.Set("Content-Type", wire.MediaEventStream)
	h.Set("X-Accel-Buffering", "no") // proxies that gather would keep it back
	s.x.status = http.StatusOK
	s.x.w.WriteHeader(http.StatusOK)
	return s.wire.Flush()
}

// tell sends events, or at times a mark, to a client that may still listen.
func (s *eventStream) tell(some []vault.Event, mark func() string) error {
	x := s.x
	select {
	case <-x.stopping:
		return errEnded
	default:
	}
	caller, err := x.tokens.Check(x.r)
	if err != nil {
		return err
	}
	if caller.Client.Suspended {
		return errSuspended
	}
	if x.status == 0 {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if len(some) == 0 {
		if x.now().Sub(s.sent) < heartbeat {
			return nil
		}
		return s.send([]byte(": here\nid: " + mark() + "\n\n"))
	}
	var out []byte
	for i := range some {
		body, err := json.Marshal(webhook.EventOf(x.tokens.Issuer(), &some[i]), json.Deterministic(true))
		if err != nil {
			return err
		}
		out = append(out, "id: "+some[i].ID+"\nevent: "+string(some[i].Type)+"\ndata: "...)
		out = append(append(out, body...), "\n\n"...)
	}
	return s.send(out)
}

func (s *eventStream) send(out []byte) error {
	s.sent = s.x.now()
	s.x.size += len(out)
	_ = s.wire.SetWriteDeadline(time.Now().Add(slowest))
	if _, err := s.x.w.Write(out); err != nil {
		return err
	}
	return s.wire.Flush()
}

func ackEvents(x *exchange, in *wire.EventAck) (int, *wire.EventAck, error) {
	by := once(x, func(any) (int, *wire.EventAck) { return http.StatusOK, in })
	if err := x.door.AckEvents(x.ctx, by, in.Event); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, in, nil
}
