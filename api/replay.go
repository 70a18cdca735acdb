package api

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault"
)

// replayer runs something over what really happened.
type replayer func(progress func(done, of uint64)) (*wire.Replay, error)

// replayHandler runs rules over what really happened.
var replayHandler = replays(wire.ReplayRequest{}, func(x *exchange) (replayer, error) {
	in, err := x.replayRequest()
	if err != nil {
		return nil, err
	}
	return func(progress func(done, of uint64)) (*wire.Replay, error) {
		out, err := x.door.ReplayPolicy(x.ctx, x.caller, x.r.PathValue("id"), in, progress)
		if err != nil {
			return nil, err
		}
		answer := replayed(&out.Report)
		answer.Policy, answer.Status = out.Policy, out.Status
		return answer, nil
	}, nil
})

// replayPendingHandler runs the register that waits over what really happened.
var replayPendingHandler = replays(wire.ReplayRequest{}, func(x *exchange) (replayer, error) {
	number, err := x.revision()
	if err != nil {
		return nil, err
	}
	in, err := x.replayRequest()
	if err != nil {
		return nil, err
	}
	return func(progress func(done, of uint64)) (*wire.Replay, error) {
		return registerReplayed(x.door.ReplayPendingRegister(x.ctx, x.caller, number, in, progress))
	}, nil
})

// replayRegisterHandler runs a register over what really happened: the body is the
// register itself.
var replayRegisterHandler = func() handler {
	h := replays(nil, func(x *exchange) (replayer, error) {
		body, err := x.body(mediaYAML, mediaJSON, "text/yaml", "application/x-yaml")
		if err != nil {
			return nil, err
		}
		if len(body) == 0 {
			return nil, unprocessable("body", wire.CodeRequired, "the register's text is missing")
		}
		var in vault.ReplayRequest
		if in.From, err = bound(x, "from"); err != nil {
			return nil, err
		}
		if in.To, err = bound(x, "to"); err != nil {
			return nil, err
		}
		return func(progress func(done, of uint64)) (*wire.Replay, error) {
			return registerReplayed(x.door.ReplayRegister(x.ctx, x.caller, "register.yaml", body, in, progress))
		}, nil
	})
	h.takes = []string{mediaYAML, mediaJSON}
	return h
}()

func (x *exchange) replayRequest() (vault.ReplayRequest, error) {
	var in wire.ReplayRequest
	err := x.decode(&in)
	return vault.ReplayRequest{From: in.From, To: in.To}, err
}

func registerReplayed(out *vault.RegisterReplay, err error) (*wire.Replay, error) {
	if err != nil {
		return nil, err
	}
	answer := replayed(&out.Report)
	answer.Register, answer.Status = out.Revision, vault.PolicyReplayed
	return answer, nil
}

// replays makes a handler of a replay. A client that asks for lines is told how
// far it is, others get the end; whoever hangs up ends it.
func replays(in any, prepare func(*exchange) (replayer, error)) handler {
	h := handler{out: reflect.TypeFor[wire.Replay](), gives: []string{mediaNDJSON}, statuses: []int{http.StatusOK}}
	if in != nil {
		h.in = reflect.TypeOf(in)
	}
	h.serve = func(x *exchange) error {
		run, err := prepare(x)
		if err != nil {
			return err
		}
		wired := http.NewResponseController(x.w)
		_ = wired.SetReadDeadline(time.Time{}) // nothing more is read, and it may take long
		_ = wired.SetWriteDeadline(time.Time{})
		if !strings.Contains(x.r.Header.Get("Accept"), mediaNDJSON) {
			out, err := run(nil)
			if err != nil {
				return err
			}
			return x.encode(http.StatusOK, out)
		}
		s := &replayLines{x: x, wire: wired}
		out, err := run(func(done, of uint64) { s.say(wire.ReplayLine{Done: done, Of: of}) })
		return s.end(out, err)
	}
	return h
}

func replayed(out *replay.Report) *wire.Replay {
	answer := &wire.Replay{Decisions: out.Decisions, Changed: out.Changed, People: out.People, Gaining: out.Gaining, Losing: out.Losing,
		Failed: out.Failed, NotReplayable: out.NotReplayable}
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
func (s *replayLines) end(out *wire.Replay, err error) error {
	s.mu.Lock()
	begun := s.x.status != 0
	s.mu.Unlock()
	switch {
	case err == nil:
		s.say(wire.ReplayLine{End: true, Replay: out})
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
