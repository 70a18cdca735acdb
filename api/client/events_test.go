package client_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/client/clienttest"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func happened(id string, what privacy.EventType) string {
	return "id: " + id + "\nevent: " + string(what) + "\ndata: {\"specversion\":\"1.0\",\"id\":\"" + id + "\",\"type\":\"" + string(what) +
		"\",\ndata: \"subject\":\"" + anahita.String() + "\",\"newer\":1}\n\n"
}

// A stream of events goes on behind the last that came, however often the line
// breaks, even within an event; when the vault has forgotten what came next it says
// so, and who has heard enough leaves.
func TestEventsGoOnWhereTheyBrokeOff(t *testing.T) {
	v := clienttest.New()
	answers := []string{
		": you are heard\nid: ev_0\n\n" + happened("ev_1", privacy.EventConsentGiven) + ":\nid: ev_1a\n\n" + happened("ev_2", privacy.EventTouchRecorded)[:60],
		"",
		"retry: 10\r\n\r\nid:ev_2\r\ndata:{\"id\":\"ev_2\",\"type\":\"touch.recorded\"}\r\n\r\n" + happened("ev_3", privacy.EventConsentWithdrawn),
	}
	var behind []string
	v.Handle("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		behind = append(behind, r.Header.Get("Last-Event-ID"))
		if len(answers) == 0 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusGone)
			_, _ = io.WriteString(w, `{"code":"too_old"}`)
			return
		}
		now := answers[0]
		answers = answers[1:]
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, now)
	})
	var got []string
	var last error
	for e, err := range v.Client("sms").Events(t.Context(), "") {
		if last = err; err == nil {
			got = append(got, e.ID+" "+string(e.Type))
		}
	}
	want := []string{"ev_1 consent.given", "ev_2 touch.recorded", "ev_3 consent.withdrawn"}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
	var refused *client.Error
	if !errors.As(last, &refused) || refused.Status != http.StatusGone {
		t.Errorf("at last: got %v, want it gone", last)
	}
	if len(behind) != 4 || behind[0] != "" || behind[1] != "ev_1a" || behind[2] != "ev_1a" || behind[3] != "ev_3" {
		t.Errorf("asked behind %q", behind)
	}

	answers = []string{happened("ev_4", privacy.EventConsentGiven) + happened("ev_5", privacy.EventConsentGiven)}
	for e, err := range v.Client("sms").Events(t.Context(), "ev_3") {
		if err != nil || e.ID != "ev_4" || behind[len(behind)-1] != "ev_3" {
			t.Errorf("behind a given one: got %+v, %v", e, err)
		}
		break
	}
	answers = make([]string, 1000) // a vault that is not there any more
	for _, err := range v.Client("sms").Events(t.Context(), "") {
		if !errors.Is(err, client.ErrBrokenOff) {
			t.Errorf("broken for good: got %v", err)
		}
	}
}
