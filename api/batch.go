package api

import (
	"bytes"
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// maxBatch is how many lines one batch may have. All that is accepted of it is
// one transaction, and a transaction keeps others waiting.
const maxBatch = 1000

var captureBatchHandler = handler{serve: captureBatch, in: reflect.TypeFor[wire.CaptureRequest](), out: reflect.TypeFor[wire.CaptureLine](),
	takes: []string{mediaNDJSON}, gives: []string{mediaNDJSON}, statuses: []int{http.StatusOK}}

// captureBatch stores many people at once: a capture a line, an answer a line
// in the same order, and a last line that shows that none is missing. A line
// that is refused leaves nothing and takes no other with it.
func captureBatch(x *exchange) error {
	body, err := x.body(lineTypes()...)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if len(body) == 0 {
		return unprocessable("body", wire.CodeRequired, "a capture a line was expected")
	}
	if len(lines) > maxBatch {
		return refusal{code: "too_large", detail: "a batch may have at most 1000 lines"}
	}
	answers := make([]wire.CaptureLine, len(lines))
	var asks []vault.CaptureRequest
	var asked []int // which line each of them is
	for i, line := range lines {
		var in wire.CaptureRequest
		if err := decode(line, &in); err != nil {
			answers[i] = refusedLine(err)
			continue
		}
		asks, asked = append(asks, captureOf(&in)), append(asked, i)
	}
	var outcomes []vault.CaptureOutcome
	if len(asks) > 0 {
		by := x.once(func(result any) (vault.Answer, error) {
			outcomes, ok := result.([]vault.CaptureOutcome)
			if !ok {
				return vault.Answer{}, errResult
			}
			out, err := captureLines(answers, asked, outcomes)
			return vault.Answer{Status: http.StatusOK, Header: map[string]string{"Content-Type": mediaNDJSON}, Body: out}, err
		})
		if outcomes, err = x.door.CaptureBatch(x.ctx, by, asks); err != nil {
			return err
		}
	}
	out, err := captureLines(answers, asked, outcomes)
	if err == nil {
		x.write(http.StatusOK, mediaNDJSON, out)
	}
	return err
}

// captureLines is a whole answer: a line for each capture, in order, and the
// end.
func captureLines(answers []wire.CaptureLine, asked []int, outcomes []vault.CaptureOutcome) ([]byte, error) {
	for k, outcome := range outcomes {
		if outcome.Err != nil {
			answers[asked[k]] = refusedLine(outcome.Err)
			continue
		}
		status, answer := captured(outcome.Result)
		answers[asked[k]] = wire.CaptureLine{Status: status, CaptureAnswer: answer}
	}
	var out bytes.Buffer
	for i := range answers {
		answers[i].N = i + 1
		if err := json.MarshalWrite(&out, &answers[i], json.Deterministic(true)); err != nil {
			return nil, err
		}
		out.WriteByte('\n')
	}
	if err := json.MarshalWrite(&out, wire.BatchEnd{End: true, Lines: len(answers)}); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// refusedLine is the answer of one line that was refused: what a problem would
// say.
func refusedLine(err error) wire.CaptureLine {
	r, _ := refusalOf(err)
	if r.status == 0 {
		r.status = refusals[r.code].status
	}
	return wire.CaptureLine{Status: r.status, Code: r.code, Detail: r.detail, Errors: r.fields}
}
