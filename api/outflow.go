package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// outflow is an answer of lines on its way. It holds one line, and waits for a
// client that does not read.
type outflow struct {
	x    *exchange
	wire *http.ResponseController
	out  []byte // the room of a line
}

func newOutflow(x *exchange) outflow { return outflow{x: x, wire: http.NewResponseController(x.w)} }

// send writes one line through to the connection. It waits for a client that
// does not read, and so everything before it does.
func (s *outflow) send(line []byte) error {
	if s.x.status == 0 {
		s.x.w.Header()["Content-Type"] = []string{mediaNDJSON}
		s.x.tellLimits(0)
		s.x.status = http.StatusOK
		s.x.w.WriteHeader(http.StatusOK)
	}
	s.out = line
	s.x.size += len(line)
	_ = s.wire.SetWriteDeadline(time.Now().Add(patience))
	if _, err := s.x.w.Write(line); err != nil {
		return err
	}
	return s.wire.Flush()
}

// last writes the line that shows that none is missing.
func (s *outflow) last(lines int) error {
	b, err := json.Marshal(wire.BatchEnd{End: true, Lines: lines})
	if err == nil {
		_ = s.send(append(b, '\n'))
	}
	return err
}

// problem is what a line says of an error, as a problem by itself would.
func (s *outflow) problem(err error) (refusal, wire.LineRefusal) {
	r, known := refusalOf(err)
	if !known {
		s.x.failed(err)
	}
	entry := refusals[r.code]
	if r.status == 0 {
		r.status = entry.status
	}
	said := wire.LineRefusal{Status: r.status, Type: typePrefix + r.code, Title: entry.title, Code: r.code, Detail: r.detail, Errors: r.fields}
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		said.RetryAfter = r.seconds()
	}
	return r, said
}

// refusedCode is the code the access log tells for a stream that broke off.
func refusedCode(err error) string {
	if r, known := refusalOf(err); known && !errors.Is(err, context.Canceled) {
		return r.code
	}
	return "broken_off"
}
