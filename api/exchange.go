package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// The media types that are spoken here.
const (
	mediaJSON    = "application/json"
	mediaProblem = "application/problem+json"
	mediaNDJSON  = "application/x-ndjson"
	mediaYAML    = "application/yaml"
	mediaText    = "text/plain; charset=utf-8"
	mediaHTML    = "text/html; charset=utf-8"
	mediaMetrics = "text/plain; version=0.0.4; charset=utf-8"
	mediaBinary  = "application/octet-stream"
)

// Headers that are always the same.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
)

// exchange is one request and what is answered to it.
type exchange struct {
	*Server
	route     *route
	w         http.ResponseWriter
	r         *http.Request
	ctx       context.Context
	until     deadline // what ctx is, if the route has one
	caller    vault.Caller
	requestID string
	query     url.Values
	sent      []byte      // the body, once it was read
	received  bool        // whether it was
	writing   *vault.Once // of a write with an idempotency key
	texts     [3]string   // of headers, which are lists of one

	began  time.Time
	status int
	size   int
	code   string // of the problem answered, if one was

	routed, admitted, encoding time.Duration // since began; for the observer
}

// handler is what a route does, and the shapes it takes and gives, which the
// OpenAPI document tells.
type handler struct {
	serve   func(*exchange) error
	in, out reflect.Type
	// takes and gives are the media types of bodies that are not JSON shapes.
	takes, gives []string
	statuses     []int
}

// does makes a handler of a function that calls the vault: the body is decoded
// strictly into In and checked, the answer is Out with one of the statuses.
func does[In, Out any](fn func(*exchange, *In) (int, *Out, error), statuses ...int) handler {
	return handler{
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](), statuses: statuses,
		serve: func(x *exchange) error {
			var in In
			if err := x.decode(&in); err != nil {
				return err
			}
			status, out, err := fn(x, &in)
			if err != nil {
				return err
			}
			return x.encode(status, out)
		},
	}
}

// shows makes a handler of a function that only asks.
func shows[Out any](fn func(*exchange) (*Out, error)) handler {
	return handler{
		out: reflect.TypeFor[Out](), statuses: []int{http.StatusOK},
		serve: func(x *exchange) error {
			out, err := fn(x)
			if err != nil {
				return err
			}
			return x.encode(http.StatusOK, out)
		},
	}
}

// handlerOf makes a handler of a function that takes no body.
func handlerOf[Out any](fn func(*exchange) (int, *Out, error), statuses ...int) handler {
	return handler{
		out: reflect.TypeFor[Out](), statuses: statuses,
		serve: func(x *exchange) error {
			status, out, err := fn(x)
			if err != nil {
				return err
			}
			return x.encode(status, out)
		},
	}
}

// decode reads the body into a wire type and lets it check itself.
func (x *exchange) decode(in any) error {
	_, optional := in.(interface{ Optional() })
	body, err := x.body(mediaJSON)
	if err != nil {
		return err
	}
	if len(body) == 0 && optional {
		return nil
	}
	return decode(body, in)
}

// accepts refuses a body that is of none of the media types given.
func (x *exchange) accepts(types ...string) error {
	if x.r.ContentLength == 0 {
		return nil
	}
	if got := x.r.Header.Get("Content-Type"); !slices.Contains(types, got) {
		kind, params, err := mime.ParseMediaType(got)
		if cs, ok := params["charset"]; err != nil || !slices.Contains(types, kind) || (ok && !isUTF8(cs)) {
			return refusal{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", detail: "the body must be " + types[0]}
		}
	}
	if x.r.Header.Get("Content-Encoding") != "" {
		return refusal{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", detail: "the body must not be compressed"}
	}
	return nil
}

// lineTypes are the names by which lines of JSON are sent: none is registered, and
// programs differ.
func lineTypes() []string {
	return []string{mediaNDJSON, "application/ndjson", "application/jsonl", mediaJSON}
}

// body reads the whole body, of one of the media types given.
func (x *exchange) body(types ...string) ([]byte, error) {
	if err := x.accepts(types...); err != nil {
		return nil, err
	}
	return x.receive()
}

// receive reads the whole body, whatever it is, or returns it again.
func (x *exchange) receive() ([]byte, error) {
	if x.received || x.r.ContentLength == 0 {
		return x.sent, nil
	}
	body, err := x.readBody()
	if err == nil {
		x.sent, x.received = body, true
	}
	return body, err
}

func (x *exchange) readBody() ([]byte, error) {
	limit := x.route.body
	if x.r.ContentLength > limit {
		x.w.Header().Set("Connection", "close")
		return nil, tooLarge(limit)
	}
	if n := x.r.ContentLength; n > 0 {
		body := make([]byte, n)
		if _, err := io.ReadFull(x.r.Body, body); err != nil {
			return nil, cutOff(err)
		}
		return body, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, limit))
	if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, cutOff(err)
	}
	return body, nil
}

func tooLarge(limit int64) refusal {
	return refusal{status: http.StatusRequestEntityTooLarge, code: "too_large", detail: "the body may have at most " + strconv.FormatInt(limit, 10) + " bytes"}
}

func isUTF8(charset string) bool {
	return charset == "utf-8" || charset == "UTF-8"
}

// cutOff is the refusal of a body that did not arrive, or not in time.
func cutOff(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refusal{status: http.StatusRequestTimeout, code: vault.CodeInvalidRequest, detail: "the body did not arrive in time", hangUp: true}
	}
	return refusal{status: http.StatusBadRequest, code: vault.CodeInvalidRequest, detail: "the body ended before its length", hangUp: true}
}

// checkQuery refuses parameters the route does not know: what is not read must
// not look as if it were.
func (x *exchange) checkQuery() error {
	if x.r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return refusal{status: http.StatusBadRequest, code: vault.CodeInvalidRequest, detail: "the query cannot be read"}
	}
	for name, values := range query {
		if !slices.Contains(x.route.query, name) {
			return unprocessable(shown(name), wire.CodeUnknownMember, "is no parameter of this route")
		}
		if len(values) > 1 {
			return unprocessable(name, wire.CodeDuplicate, "comes more than once")
		}
	}
	x.query = query
	return nil
}

// encode writes a wire type as JSON.
func (x *exchange) encode(status int, out any) error {
	x.encodes()
	body, err := json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return err
	}
	x.write(status, mediaJSON, body)
	return nil
}

// write sends an answer whole, with its length.
func (x *exchange) write(status int, media string, body []byte) {
	x.encodes()
	h := x.w.Header()
	if media != "" {
		x.texts[1] = media
		h["Content-Type"] = x.texts[1:2:2]
	}
	if status != http.StatusNoContent {
		x.texts[2] = strconv.Itoa(len(body))
		h["Content-Length"] = x.texts[2:3:3]
	}
	x.tellLimits(0)
	x.keep(status, media, body)
	x.status, x.size = status, len(body)
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}
