package api

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// The headers by which a client makes a write happen once, and learns that it
// had happened before.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
)

// serve does what the route does, once if the client gave the write a key: a
// repeat is answered as the first was, and does nothing.
func (x *exchange) serve() error {
	keys := x.r.Header.Values(headerKey)
	if !x.route.idempotent || len(keys) == 0 {
		return x.route.do.serve(x)
	}
	if key := keys[0]; len(keys) > 1 || key == "" || len(key) > 255 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return unprocessable(headerKey, wire.CodeInvalid, "is one of 1 to 255 visible ASCII characters")
	}
	var body []byte
	if x.route.body > 0 {
		var err error
		if body, err = x.receive(); err != nil {
			return err
		}
	}
	asked := [][]byte{[]byte(x.r.URL.EscapedPath()), []byte(x.r.URL.RawQuery), []byte(strings.Join(x.r.Header.Values("If-Match"), ",")), body}
	if x.gpc() {
		asked = append(asked, []byte(headerGPC))
	}
	writing, before, err := x.door.Once(x.ctx, x.caller, vault.OnceRequest{Route: x.route.method + " " + x.route.pattern, Key: keys[0], Asked: asked})
	if err != nil {
		return err
	}
	if before != nil {
		x.replay(before)
		return nil
	}
	defer writing.Close()
	x.writing = writing
	if err := x.route.do.serve(x); err != nil {
		x.refuse(err) // while the key is held
	}
	return nil
}

// replay gives an answer again.
func (x *exchange) replay(a *vault.Answer) {
	h := x.w.Header()
	for name, value := range a.Header {
		h.Set(name, value)
	}
	h.Set(headerReplayed, "true")
	x.write(a.Status, a.Header["Content-Type"], a.Body)
}

// once is the caller as the vault is to know it for a write: with what words
// its result is answered in, so that they are kept together with the act.
func (x *exchange) once(answer func(result any) (vault.Answer, error)) vault.Caller {
	by := x.caller
	if x.writing != nil {
		by.Once = x.writing.Answering(answer)
	}
	return by
}

// once is that for results answered in JSON.
func once[R, Out any](x *exchange, say func(R) (int, Out)) vault.Caller {
	return x.once(func(result any) (vault.Answer, error) {
		r, ok := result.(R)
		if !ok && result != nil {
			return vault.Answer{}, errResult
		}
		return worded(say(r))
	})
}

// noWords is for results that hold a secret: the vault keeps no answer.
func noWords(any) (vault.Answer, error) { return vault.Answer{}, errResult }

var errResult = errors.New("the vault's result is not what this route answers")

// worded is an answer in JSON, as encode writes it.
func worded[Out any](status int, out Out) (vault.Answer, error) {
	body, err := json.Marshal(out, json.Deterministic(true))
	return vault.Answer{Status: status, Header: map[string]string{"Content-Type": mediaJSON}, Body: body}, err
}

// keep keeps the answer to a write that did nothing, before it is sent: the
// next request of this key finds the same. Others were kept with the act, and
// what another try may well turn is not kept.
func (x *exchange) keep(status int, media string, body []byte) {
	if x.writing == nil || x.writing.Kept() && status < 300 {
		return
	}
	switch x.code {
	case vault.CodeInProgress, vault.CodeWrongState, vault.CodeChannelSuspended,
		vault.CodeContactCap, vault.CodeQuietHours, vault.CodeAlreadyOrdered, vault.CodeAlreadyAnswered, vault.CodeExpired, vault.CodePolicy,
		string(privacy.CodeNoConsent), vault.CodeAlreadyBeingAsked:
		return
	}
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound,
		http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity:
	default:
		return
	}
	a := vault.Answer{Status: status, Header: map[string]string{"Content-Type": media}, Body: body}
	if tag := x.w.Header().Get("ETag"); tag != "" {
		a.Header["ETag"] = tag
	}
	if err := x.writing.Keep(x.ctx, a); err != nil {
		x.logger.LogAttrs(x.ctx, slog.LevelWarn, "an answer was not kept for repeats", slog.String("route", x.route.pattern),
			slog.String("request_id", x.requestID), slog.String("error", err.Error()))
	}
}
