package api

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// The bounds of a stream of reads.
const (
	maxLines  = 1_000_000
	maxWindow = 64 // lines decided at once, so that their records share fsyncs

	// fresh is how old a decision may be when its line is written. The promise
	// is 100 ms; the rest is for the writing.
	fresh = 75 * time.Millisecond
	// A window that took longer makes the next one smaller, one that took less
	// than half of it larger.
	windowTime = 50 * time.Millisecond
	// stall is how long a client may take for its next line, and patience how
	// long for reading one.
	stall    = 20 * time.Second
	patience = time.Minute
)

var readBatchHandler = handler{serve: readBatch, in: reflect.TypeFor[wire.ReadRequest](), out: reflect.TypeFor[wire.ReadLine](),
	takes: []string{mediaNDJSON}, gives: []string{mediaNDJSON}, statuses: []int{http.StatusOK}}

// readBatch streams reads both ways: a request a line, an answer a line in the
// same order, and a last line that shows that none is missing. It holds no more
// than a window of lines, takes in the next one only when that is written, and
// decides nothing long before it can be written: lines that a slow client kept
// waiting are decided again.
func readBatch(x *exchange) error {
	if err := x.accepts(lineTypes()...); err != nil {
		return err
	}
	s := &stream{outflow: newOutflow(x), in: bufio.NewReaderSize(x.r.Body, int(x.route.body)), size: 8}
	defer s.untilStopping()()
	// An error here is of a connection that cannot do better; HTTP/2 needs none.
	_ = s.wire.EnableFullDuplex()
	for {
		s.fill()
		if len(s.held) == 0 {
			return s.end()
		}
		if err := s.answer(); err != nil {
			x.code = refusedCode(err)
			return nil // said on the wire as far as it can be
		}
	}
}

// stream is a batch of reads on its way.
type stream struct {
	outflow
	in *bufio.Reader

	lines int        // taken in
	held  []readLine // taken in, not written yet
	size  int        // how many may be decided at once
	over  error      // why no more lines come in: io.EOF, or a refusal
	stops atomic.Bool
}

// lingers is how long a stream may go on to its end when the server stops: half of
// what running requests are given, so that the client is told in time.
const lingers = 10 * time.Second

var errStopping = refusal{code: vault.CodeUnavailable, detail: "the server stops: send what has no answer again", retryAfter: time.Second}

// untilStopping has the stream take no more lines once the server has been stopping
// for a while, until what it returns is called.
func (s *stream) untilStopping() (ended func()) {
	over, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-over:
			return
		case <-s.x.stopping:
		}
		wait := time.NewTimer(s.x.lingers)
		defer wait.Stop()
		select {
		case <-over:
		case <-wait.C:
			s.stops.Store(true)
			_ = s.wire.SetReadDeadline(time.Unix(1, 0)) // who waits for a line need not any longer
		}
	}()
	return func() { close(over); <-gone }
}

// readLine is one line: a request, or why it is none.
type readLine struct {
	n   int
	ask vault.ReadRequest
	bad error
}

// fill takes in the lines of the next window: at least one, for which it waits,
// and those that are there already.
func (s *stream) fill() {
	for len(s.held) < s.size && s.over == nil && (len(s.held) == 0 || s.waiting()) {
		s.take()
	}
}

// waiting reports whether a whole line is there already.
func (s *stream) waiting() bool {
	there, _ := s.in.Peek(s.in.Buffered())
	return bytes.IndexByte(there, '\n') >= 0
}

// take takes in one line. That it is decoded strictly is as in a read by itself.
func (s *stream) take() {
	_ = s.wire.SetReadDeadline(time.Now().Add(stall))
	if s.stops.Load() {
		s.over = errStopping
		return
	}
	text, err := s.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		s.over = refusal{code: "too_large", detail: "a line may have at most " + strconv.FormatInt(s.x.route.body, 10) + " bytes"}
	case errors.Is(err, io.EOF) && len(text) == 0:
		s.over = io.EOF
	case s.stops.Load() && err != nil && !errors.Is(err, io.EOF):
		s.over = errStopping
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.over = refusal{status: http.StatusRequestTimeout, code: vault.CodeInvalidRequest, detail: "the next line did not arrive in time"}
	case err != nil && !errors.Is(err, io.EOF):
		s.over = refusal{status: http.StatusBadRequest, code: vault.CodeInvalidRequest, detail: "the body broke off"}
	case s.lines == maxLines:
		s.over = refusal{code: "too_large", detail: "a stream may have at most " + strconv.Itoa(maxLines) + " lines"}
	}
	if s.over != nil {
		return
	}
	s.lines++
	line := readLine{n: s.lines}
	in, err := decodeRead(text)
	if line.bad = err; err == nil {
		line.ask = readOf(&in)
	}
	s.held = append(s.held, line)
}

// answer decides the lines of a window and writes them. Those that grew old
// while others were written stay held.
func (s *stream) answer() error {
	window := s.held[:min(s.size, len(s.held))]
	asks := make([]vault.ReadRequest, 0, len(window))
	for _, l := range window {
		if l.bad == nil {
			asks = append(asks, l.ask)
		}
	}
	asked := s.x.now()
	outcomes := s.x.door.ReadBatch(s.x.ctx, s.x.caller, asks)
	for i, l := range window {
		outcome := vault.ReadOutcome{Err: l.bad}
		if l.bad == nil {
			outcome, outcomes = outcomes[0], outcomes[1:]
			// One that was decided by itself is written at once, as a read is.
			if len(asks) > 1 && s.x.now().Sub(asked) >= fresh {
				s.held, s.size = append(s.held[:0], s.held[i:]...), max(1, s.size/4)
				return nil
			}
		}
		if err := s.write(l.n, outcome); err != nil {
			return err
		}
	}
	s.held = append(s.held[:0], s.held[len(window):]...)
	switch took := s.x.now().Sub(asked); {
	case took > windowTime:
		s.size = max(1, s.size/4)
	case took < windowTime/2:
		s.size = min(maxWindow, s.size*2)
	}
	return nil
}

// write writes the answer to one line, which a client has at once. The error
// ends the stream: the client is gone, or may not go on.
func (s *stream) write(n int, o vault.ReadOutcome) error {
	if s.x.r.Context().Err() != nil {
		return s.x.r.Context().Err()
	}
	b := append(strconv.AppendInt(append(s.out[:0], `{"n":`...), int64(n), 10), `,"status":`...)
	var denied *vault.DeniedError
	switch {
	case o.Err == nil:
		head := len(b)
		b = appendRead(append(b, "200"...), o.Result)
		b[head+len("200")] = ',' // for the brace that opens an answer by itself
	case errors.As(o.Err, &denied):
		b = append(appendReasons(append(b, "403,"...), denied), '}')
	default:
		return s.refuse(n, o.Err)
	}
	return s.send(append(b, '\n'))
}

// refuse writes what a problem would say of one line, and returns the error if
// it is one after which no other line can be answered.
func (s *stream) refuse(n int, err error) error {
	r, said := s.problem(err)
	line := wire.ReadLine{N: n, Status: said.Status, Type: said.Type, Title: said.Title, Code: said.Code, Detail: said.Detail, Errors: said.Errors, RetryAfter: said.RetryAfter}
	b, failed := json.Marshal(&line, json.Deterministic(true))
	if failed != nil {
		return failed
	}
	if err := s.send(append(b, '\n')); err != nil {
		return err
	}
	if errors.Is(err, vault.ErrInvalidClient) || r.code == vault.CodeChannelSuspended || s.x.ctx.Err() != nil {
		return r
	}
	return nil
}

// end writes the last line: that none is missing, or why no more were taken.
func (s *stream) end() error {
	if !errors.Is(s.over, io.EOF) {
		s.x.code = refusedCode(s.over)
		_ = s.refuse(s.lines+1, s.over)
		return nil
	}
	return s.last(s.lines)
}
