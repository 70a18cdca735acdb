package client_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/client/clienttest"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func listed(ids ...byte) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(`{"subject":"` + privacy.SubjectID{id}.String() + `","decision":"` + privacy.DecisionID{id}.String() + `","newer":"member"}` + "\n")
	}
	return b.String()
}

// An audience that breaks off is gone on with behind the last person; nobody is in it
// twice, and one that is cut short is never taken for a whole one.
func TestAnAudienceIsWholeOrAnError(t *testing.T) {
	const limit = `{"status":429,"code":"rate_limited","retry_after":86400}` + "\n"
	for what, c := range map[string]struct {
		answers []string
		want    []byte
		code    string
		torn    bool
	}{
		"whole":             {[]string{listed(1, 2) + `{"end":true,"lines":2}` + "\n"}, []byte{1, 2}, "", false},
		"nobody":            {[]string{`{"end":true,"lines":0}` + "\n"}, nil, "", false},
		"broken off twice":  {[]string{listed(1, 2), listed(3)[:20], listed(3) + `{"end":true,"lines":1}` + "\n"}, []byte{1, 2, 3}, "", false},
		"the day's people":  {[]string{listed(1) + limit}, []byte{1}, "rate_limited", false},
		"one line too few":  {[]string{listed(1) + `{"end":true,"lines":2}` + "\n", `{"end":true,"lines":0}` + "\n"}, []byte{1}, "", false},
		"not of this world": {slices.Repeat([]string{"{}\n"}, 2000), nil, "", true},
	} {
		v := clienttest.New()
		left := c.answers
		v.Handle("POST /v1/audiences", func(w http.ResponseWriter, r *http.Request) {
			now := left[0]
			left = left[1:]
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, now)
		})
		var got []byte
		var last error
		for line, err := range v.Client("sms").Audience(t.Context(), &wire.AudienceRequest{Purpose: "sms-marketing"}) {
			if last = err; err == nil {
				got = append(got, line.Subject[0])
			}
		}
		var refused *client.Error
		if ok := errors.As(last, &refused); !slices.Equal(got, c.want) || ok != (c.code != "") || ok && refused.Code != c.code || errors.Is(last, client.ErrBrokenOff) != c.torn {
			t.Errorf("%s: got %v, %v, want %v and %q", what, got, last, c.want, c.code)
		}
		if asked := v.Asked("POST /v1/audiences"); what == "broken off twice" && (len(asked) != 3 || !strings.Contains(string(asked[2].Body), `"after":"`+privacy.SubjectID{2}.String())) {
			t.Errorf("%s: got %d questions, the last %s", what, len(asked), asked[len(asked)-1].Body)
		}
	}
	v := clienttest.New()
	v.Handle("POST /v1/audiences", func(w http.ResponseWriter, r *http.Request) {
		for i := byte(1); r.Context().Err() == nil; i++ {
			if _, err := io.WriteString(w, listed(i)); err != nil {
				return
			}
		}
	})
	for line, err := range v.Client("sms").Audience(t.Context(), &wire.AudienceRequest{Purpose: "sms-marketing"}) {
		if err != nil || line.Subject[0] == 3 { // who has enough leaves
			break
		}
	}
}
