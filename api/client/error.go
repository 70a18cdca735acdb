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
	e.RetryAfter = retryAfter(resp.Header)
	return e
}

// longestRetry is the longest wait that is believed.
const longestRetry = 7 * 24 * time.Hour

// retryAfter is how long to wait by a Retry-After in seconds, as the vault says it,
// or, as proxies may, by a date, which is one of the clock that the answer was sent by.
func retryAfter(h http.Header) time.Duration {
	said := h.Get("Retry-After")
	d := time.Duration(0)
	if seconds, err := strconv.Atoi(said); err == nil {
		d = time.Duration(min(seconds, int(longestRetry/time.Second))) * time.Second
	} else if at, err := http.ParseTime(said); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil {
			d = at.Sub(sent)
		}
	}
	return min(max(d, 0), longestRetry)
}
