package api

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// replayHandler runs rules over what really happened. A client that asks for
// lines is told how far it is, others get the end; whoever hangs up ends it.
var replayHandler = handler{
	in: reflect.TypeFor[wire.ReplayRequest](), out: reflect.TypeFor[wire.Replay](), gives: []string{mediaNDJSON}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		var in wire.ReplayRequest
		if err := x.decode(&in); err != nil {
			return err
		}
		wired := http.NewResponseController(x.w)
		_ = wired.SetReadDeadline(time.Time{}) // nothing more is read, and it may take long
		_ = wired.SetWriteDeadline(time.Time{})
		id, req := x.r.PathValue("id"), vault.ReplayRequest{From: in.From, To: in.To}
		if !strings.Contains(x.r.Header.Get("Accept"), mediaNDJSON) {
			out, err := x.door.ReplayPolicy(x.ctx, x.caller, id, req, nil)
			if err != nil {
				return err
			}
			return x.encode(http.StatusOK, replayed(out))
		}
		s := &replayLines{x: x, wire: wired}
		out, err := x.door.ReplayPolicy(x.ctx, x.caller, id, req, func(done, of uint64) { s.say(wire.ReplayLine{Done: done, Of: of}) })
		return s.end(out, err)
	},
}

func replayed(out *vault.PolicyReplay) *wire.Replay {
	answer := &wire.Replay{Policy: out.Policy, Status: out.Status, Decisions: out.Decisions, Changed: out.Changed, People: out.People,
		Gaining: out.Gaining, Losing: out.Losing, Failed: out.Failed, NotReplayable: out.NotReplayable}
	for _, r := range out.By {
		answer.By = append(answer.By, wire.ReplayRow{Channel: r.Channel, Purpose: r.Purpose, Field: r.Field, From: string(r.From), To: string(r.To),
			FromMask: r.FromMask, ToMask: r.ToMask, Decisions: r.Decisions, People: r.People, Examples: r.Examples})
	}
	return answer
}

// replayLines is a replay that is told line by line.
type replayLines struct {
	x    *exchange
	wire *http.ResponseController

	mu sync.Mutex // guards the answer: progress comes from several workers
}

// say writes one line through to the connection.
func (s *replayLines) say(line wire.ReplayLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(&line, json.Deterministic(true))
	if err != nil {
		return
	}
	if s.x.status == 0 {
		s.x.encodes()
		s.x.w.Header().Set("Content-Type", mediaNDJSON)
		s.x.status = http.StatusOK
		s.x.w.WriteHeader(http.StatusOK)
	}
	s.x.size += len(b) + 1
	_ = s.wire.SetWriteDeadline(time.Now().Add(patience))
	_, _ = s.x.w.Write(append(b, '\n')) // one that is gone ends the request's context
	_ = s.wire.Flush()
}

// end writes the last line. What went wrong before the first is answered as any
// refusal.
func (s *replayLines) end(out *vault.PolicyReplay, err error) error {
	s.mu.Lock()
	begun := s.x.status != 0
	s.mu.Unlock()
	switch {
	case err == nil:
		s.say(wire.ReplayLine{End: true, Replay: replayed(out)})
	case !begun:
		return err
	default:
		r, known := refusalOf(err)
		if !known {
			s.x.failed(err)
		}
		entry := refusals[r.code]
		if r.status == 0 {
			r.status = entry.status
		}
		s.x.code = refusedCode(err)
		s.say(wire.ReplayLine{Status: r.status, Type: typePrefix + r.code, Title: entry.title, Code: r.code, Detail: r.detail})
	}
	return nil
}
