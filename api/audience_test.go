package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// crowd answers as a vault with so many people in it does, every second of whom is
// among the audience. It tells whom it decided about.
func crowd(now *time.Time, people int, decided func(id privacy.SubjectID)) func(vault.AudienceRequest, func(time.Time, []vault.ReadOutcome) (int, int, error)) error {
	return func(_ vault.AudienceRequest, some func(time.Time, []vault.ReadOutcome) (int, int, error)) error {
		for at, next := 0, 16; at < people; {
			asked, outcomes := *now, make([]vault.ReadOutcome, min(next, people-at))
			for i := range outcomes {
				*now = now.Add(20 * time.Microsecond)
				if id := (privacy.SubjectID{byte((at + i) >> 8), byte(at + i), 1}); (at+i)%2 == 0 {
					outcomes[i].Result = &vault.ReadResult{Subject: id, Decision: decision, Fields: []vault.FieldValue{{Field: "given_name", Value: value(`"Anahita"`)}},
						Masked: []vault.MaskedValue{{Field: "email", Value: value(`"a…@example.org"`), Mask: "partial"}}}
					decided(id)
				}
			}
			used, more, err := some(asked, outcomes)
			if err != nil {
				return err
			}
			at, next = at+used, more
		}
		return nil
	}
}

// A client that stops reading gets nobody who was decided about before it stopped,
// everybody once, and holds no more than a window of people up.
func TestAnAudienceIsDecidedAsItIsWritten(t *testing.T) {
	for what, takes := range map[string]func(int) time.Duration{
		"reads at once":  func(int) time.Duration { return time.Microsecond },
		"stops":          func(line int) time.Duration { return time.Hour * time.Duration(line%100/99) },
		"is always slow": func(int) time.Duration { return time.Second },
	} {
		t.Run(what, func(t *testing.T) {
			const people = 2000
			b := newBench(t)
			now := morning
			b.srv.now = func() time.Time { return now }
			var order []privacy.SubjectID
			decided := map[privacy.SubjectID]time.Time{}
			b.audience = crowd(&now, people, func(id privacy.SubjectID) {
				if _, again := decided[id]; !again {
					order = append(order, id)
				}
				decided[id] = now
			})
			w := &slowly{ResponseRecorder: httptest.NewRecorder(), now: &now, takes: takes}
			w.wrote = func(line int) {
				if line == len(order) {
					return
				}
				if age := now.Sub(decided[order[line]]); age > 100*time.Millisecond {
					t.Errorf("line %d was decided %v before it was written", line, age)
				}
				if ahead := len(decided) - line; ahead > maxListed {
					t.Errorf("at line %d, %d are decided", line, ahead)
				}
			}
			r := httptest.NewRequest("POST", "/v1/audiences", strings.NewReader(`{"purpose":"marketing","end":true}`))
			r.Header.Set("Content-Type", mediaJSON)
			r.Header.Set("Authorization", "Bearer "+b.token("web"))
			b.srv.Handler().ServeHTTP(w, r)
			if lines := strings.Split(w.Body.String(), "\n"); len(lines) != people/2+2 || lines[people/2] != `{"end":true,"lines":1000}` {
				t.Errorf("got %d lines, the last but one %s", len(lines), lines[max(0, len(lines)-2)])
			}
		})
	}
}

// Who is in an audience, what is shown of them where fields were asked for, and
// what a line says that ends it early.
func TestWhatTheLinesOfAnAudienceSay(t *testing.T) {
	b := newBench(t)
	now := morning
	b.audience = crowd(&now, 4, func(privacy.SubjectID) {})
	ids := []string{(privacy.SubjectID{0, 0, 1}).String(), (privacy.SubjectID{0, 2, 1}).String()}
	line := func(i int, more string) string {
		return `{"subject":"` + ids[i] + `","decision":"` + decision.String() + `"` + more + "}\n"
	}
	if a := b.call("POST", "/v1/audiences", `{"purpose":"marketing"}`, "web"); a.status != 200 || a.raw != line(0, "")+line(1, "") || a.header.Get("Content-Type") != mediaNDJSON {
		t.Errorf("got %d %v %s", a.status, a.header, a.raw)
	}
	const shown = `,"fields":{"given_name":"Anahita"},"masked":{"email":{"value":"a…@example.org","mask":"partial"}}`
	a := b.call("POST", "/v1/audiences", `{"purpose":"marketing","fields":["given_name","email"],"end":true}`, "web")
	if want := line(0, shown) + line(1, shown) + "{\"end\":true,\"lines\":2}\n"; a.raw != want {
		t.Errorf("with fields: got %s\nwant %s", a.raw, want)
	}
	var shape wire.AudienceLine
	if err := jsonv2.Unmarshal([]byte(strings.SplitAfter(a.raw, "\n")[0]), &shape, jsonv2.RejectUnknownMembers(true)); err != nil || shape.LineRefusal != nil || len(shape.Fields) != 1 {
		t.Errorf("a line is no wire.AudienceLine: %+v, %v", shape, err)
	}

	whole := b.audience
	b.audience = func(r vault.AudienceRequest, some func(time.Time, []vault.ReadOutcome) (int, int, error)) error {
		if err := whole(r, some); err != nil {
			return err
		}
		return &vault.Error{Code: vault.CodeRateLimited, Detail: "people_per_day", RetryAfter: time.Hour}
	}
	got := b.call("POST", "/v1/audiences", `{"purpose":"marketing","end":true}`, "web").lines(t)
	if len(got) != 3 || got[2]["status"] != 429.0 || got[2]["code"] != "rate_limited" || got[2]["retry_after"] != 3600.0 {
		t.Errorf("a limit: got %v", got)
	}
	b.audience = func(vault.AudienceRequest, func(time.Time, []vault.ReadOutcome) (int, int, error)) error {
		return &vault.Error{Code: vault.CodeRateLimited, RetryAfter: time.Hour}
	}
	if a := b.call("POST", "/v1/audiences", `{"purpose":"marketing"}`, "web"); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "3600" {
		t.Errorf("a limit before anybody: got %d %s", a.status, a.raw)
	}
	for _, body := range []string{`{}`, `{"purpose":"marketing","fields":[]}`, `{"purpose":"marketing","after":"sub_x"}`, `{"purpose":"marketing","limit":3}`} {
		b.calls = nil
		if a := b.call("POST", "/v1/audiences", body, "web"); a.status != 422 && a.status != 400 || slices.Contains(b.calls, "audience") {
			t.Errorf("%s: got %d %s", body, a.status, a.raw)
		}
	}
}
