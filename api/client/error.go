package client

import (
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// Error is a refusal of the vault: the problem it came as, and when to try
// again. Look at Code. It never holds a personal value.
type Error struct {
	wire.Problem
	// RetryAfter is how long to wait; zero if the vault did not say.
	RetryAfter time.Duration
}

// Error returns what the vault said about it.
func (e *Error) Error() string {
	if e.Detail != "" {
		return e.Detail
	}
	if e.Title != "" {
		return e.Title
	}
	return "the vault answered " + strconv.Itoa(e.Status)
}

// refusal reads an answer that is not what was asked for.
func refusal(resp *http.Response, body []byte) error {
	e := &Error{}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var grant wire.OAuthError
	switch {
	case media == "application/problem+json" && json.Unmarshal(body, &e.Problem) == nil && e.Code != "":
	case media == "application/json" && json.Unmarshal(body, &grant) == nil && grant.Error != "":
		e.Problem = wire.Problem{Code: grant.Error, Detail: grant.Description}
	default: // a proxy, or not a vault at all
		e.Problem = wire.Problem{Code: "unexpected_answer", Title: "the answer is not a vault's: " + resp.Status}
	}
	e.Status = resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
