package api

import (
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
)

// What is not exactly the shape of the route is refused before the vault hears
// of it, and the member at fault is named.
func TestHostileBodies(t *testing.T) {
	who := ana.String()
	ok := `{"subject":"` + who + `","purpose":"delivery"}`
	with := func(more string) string { return strings.TrimSuffix(ok, "}") + "," + more + "}" }
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		fields map[string]string
	}{
		"empty":                  {"", 400, "invalid_request", nil},
		"spaces":                 {"  ", 400, "invalid_request", nil},
		"zero bytes":             {strings.Repeat("\x00", 100), 400, "invalid_request", nil},
		"cut":                    {strings.TrimSuffix(ok, "}"), 400, "invalid_request", nil},
		"two values":             {ok + "{}", 400, "invalid_request", nil},
		"comment":                {ok + "//", 400, "invalid_request", nil},
		"single quotes":          {`{'subject':1}`, 400, "invalid_request", nil},
		"invalid UTF-8":          {`{"subject":"` + "\xff\xfe" + `","purpose":"delivery"}`, 400, "invalid_request", nil},
		"UTF-8 in a name":        {`{"` + "\xff" + `":1}`, 400, "invalid_request", nil},
		"deep array":             {with(`"context":{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}"), 400, "invalid_request", nil},
		"deep, never closed":     {strings.Repeat("[", 60000), 400, "invalid_request", nil},
		"deep objects":           {strings.Repeat(`{"subject":`, 5000), 400, "invalid_request", nil},
		"too large":              {`{"subject":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "too_large", nil},
		"null":                   {"null", 422, "invalid_request", map[string]string{"body": "wrong_type"}},
		"a list":                 {"[" + ok + "]", 422, "invalid_request", map[string]string{"body": "wrong_type"}},
		"a string":               {`"` + who + `"`, 422, "invalid_request", map[string]string{"body": "wrong_type"}},
		"nothing in it":          {"{}", 422, "invalid_request", map[string]string{"subject": "required", "purpose": "required"}},
		"unknown member":         {with(`"fieldz":["email"]`), 422, "invalid_request", map[string]string{"fieldz": "unknown_member"}},
		"a value as member":      {with(`"ana@example.org":1`), 422, "invalid_request", map[string]string{"…": "unknown_member"}},
		"wrong case":             {strings.Replace(ok, "subject", "Subject", 1), 422, "invalid_request", map[string]string{"Subject": "unknown_member"}},
		"twice":                  {with(`"subject":"` + who + `"`), 422, "invalid_request", map[string]string{"subject": "duplicate"}},
		"twice, escaped":         {with(`"\u0073ubject":"` + who + `"`), 422, "invalid_request", map[string]string{"subject": "duplicate"}},
		"twice in the context":   {with(`"context":{"step":"a","step":"b"}`), 422, "invalid_request", map[string]string{"context.step": "duplicate"}},
		"number for a person":    {`{"subject":1e999,"purpose":"delivery"}`, 422, "invalid_request", map[string]string{"subject": "wrong_type"}},
		"no ID":                  {`{"subject":"sub_ana@example.org","purpose":"delivery"}`, 422, "invalid_request", map[string]string{"subject": "wrong_type"}},
		"null for a person":      {`{"subject":null,"purpose":"delivery"}`, 422, "invalid_request", map[string]string{"subject": "wrong_type"}},
		"null for a purpose":     {`{"subject":"` + who + `","purpose":null}`, 422, "invalid_request", map[string]string{"purpose": "wrong_type"}},
		"null for fields":        {with(`"fields":null`), 422, "invalid_request", map[string]string{"fields": "wrong_type"}},
		"list for a purpose":     {`{"subject":"` + who + `","purpose":["delivery"]}`, 422, "invalid_request", map[string]string{"purpose": "wrong_type"}},
		"string for fields":      {with(`"fields":"email"`), 422, "invalid_request", map[string]string{"fields": "wrong_type"}},
		"number among fields":    {with(`"fields":["email",1]`), 422, "invalid_request", map[string]string{"fields[1]": "wrong_type"}},
		"no fields":              {with(`"fields":[]`), 422, "invalid_request", map[string]string{"fields": "invalid"}},
		"a field twice":          {with(`"fields":["email","email"]`), 422, "invalid_request", map[string]string{"fields": "invalid"}},
		"context of huge number": {with(`"context":{"n":1e999}`), 422, "invalid_request", map[string]string{"context.n": "wrong_type"}},
		"two identifiers":        {`{"subject":{"email":"a@example.org","phone_number":"+491"},"purpose":"delivery"}`, 422, "one_identifier", nil},
		"no identifier":          {`{"subject":{},"purpose":"delivery"}`, 422, "one_identifier", nil},
		"one identifier twice":   {`{"subject":{"email":"a@example.org","email":"b@example.org"},"purpose":"delivery"}`, 422, "invalid_request", map[string]string{"subject.email": "duplicate"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := httptest.NewRequest("POST", "/v1/reads", strings.NewReader(c.body))
			r.Header.Set("Content-Type", mediaJSON)
			r.Header.Set("Authorization", "Bearer "+b.token("web"))
			a := b.do(r)
			if a.status != c.status || a.code() != c.code || a.header.Get("Content-Type") != mediaProblem {
				t.Errorf("got %d %s %s, want %d %s", a.status, a.header.Get("Content-Type"), a.raw, c.status, c.code)
			}
			if c.fields != nil && !maps.Equal(a.fields(), c.fields) {
				t.Errorf("members at fault: got %v, want %v", a.fields(), c.fields)
			}
			if len(b.calls) > 0 {
				t.Errorf("the vault was asked: %v", b.calls)
			}
			if strings.Contains(a.raw+b.log.String(), "example.org") {
				t.Errorf("a value is repeated: %s %s", a.raw, &b.log)
			}
		})
	}
}

func TestBodiesOfTheWrongKind(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"a form":        {"Content-Type": "application/x-www-form-urlencoded"},
		"no type":       {"Content-Type": ""},
		"text":          {"Content-Type": "text/plain"},
		"latin":         {"Content-Type": "application/json; charset=latin1"},
		"compressed":    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
		"almost a type": {"Content-Type": "application/jsonp"},
	} {
		b := newBench(t)
		r := httptest.NewRequest("POST", "/v1/reads", strings.NewReader(goodBodies["POST /v1/reads"]))
		r.Header.Set("Authorization", "Bearer "+b.token("web"))
		for k, v := range headers {
			r.Header.Set(k, v)
		}
		if a := b.do(r); a.status != 415 || a.code() != "unsupported_media_type" || len(b.calls) > 0 {
			t.Errorf("%s: got %d %s", name, a.status, a.raw)
		}
	}
	b := newBench(t)
	r := httptest.NewRequest("POST", "/v1/reads", strings.NewReader(goodBodies["POST /v1/reads"]))
	r.Header.Set("Authorization", "Bearer "+b.token("web"))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.ContentLength = -1 // chunked
	if a := b.do(r); a.status != 200 {
		t.Errorf("a good body of unknown length: got %d %s", a.status, a.raw)
	}
	r = httptest.NewRequest("POST", "/v1/reads", strings.NewReader(strings.Repeat(" ", small+1)))
	r.Header.Set("Authorization", "Bearer "+b.token("web"))
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = -1
	if a := b.do(r); a.status != 413 {
		t.Errorf("too much of unknown length: got %d", a.status)
	}
}

// What a person told reaches the vault as it was sent: order, numbers and all.
func TestACaptureArrivesAsSent(t *testing.T) {
	b := newBench(t)
	var got vault.CaptureRequest
	b.capture = func(r vault.CaptureRequest) (*vault.CaptureResult, error) {
		got = r
		return &vault.CaptureResult{Subject: ana}, nil
	}
	a := b.call("POST", "/v1/captures", `{"subject":{"email":"ana@example.org"},"fields":{"zip":"10119","given_name":"Anah\u00edta","points":12345678901234567890,"gone":null},
		"verified":["email"],"consents":[{"purpose":"marketing","status":"given","method":"web_form","at":"2026-03-01T08:00:00.123456Z","by":{"role":"guardian","ref":"g1"}}],"observed_at":"2026-03-01T08:00:00Z"}`, "web")
	if a.status != 200 || a.raw != `{"subject":"`+ana.String()+`","created":false,"accepted":[],"unchanged":[],"superseded":[]}` {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
	var sent []string
	for _, f := range got.Fields {
		sent = append(sent, string(f.Field)+"="+string(f.Value.Reveal()))
	}
	if want := `zip="10119" given_name="Anah\u00edta" points=12345678901234567890 gone=null`; strings.Join(sent, " ") != want {
		t.Errorf("fields: got %s, want %s", sent, want)
	}
	if got.Subject == nil || got.Subject.Field != "email" || string(got.Subject.Value.Reveal()) != `"ana@example.org"` || !got.ObservedAt.Equal(morning) {
		t.Errorf("subject and time: %+v", got)
	}
	if c := got.Consents[0]; c.Purpose != "marketing" || c.By == nil || c.By.Ref != "g1" || c.At.Nanosecond() != 123456000 {
		t.Errorf("consent: %+v", c)
	}
	for body, field := range map[string]string{
		`{"fields":{"email":"a","email":"b"}}`: "email",
		`{"fields":[]}`:                        "fields",
		`{}`:                                   "fields",
		`{"fields":{},"observed_at":"yesterday"}`:                                      "observed_at",
		`{"fields":{},"observed_at":null}`:                                             "observed_at",
		`{"fields":{},"observed_at":"0001-01-01T00:00:00Z"}`:                           "observed_at",
		`{"fields":{},"consents":[{"purpose":"p","status":"expired","method":"a"}]}`:   "consents[0].status",
		`{"fields":{},"consents":[{"purpose":"p","status":"given","method":"Web-1"}]}`: "consents[0].method",
		`{"fields":{},"consents":[{"subject":"x"}]}`:                                   "consents[0].subject",
		`{"fields":{},"consents":[null]}`:                                              "consents[0]",
	} {
		if a := b.call("POST", "/v1/captures", body, "web"); a.status != 422 || a.fields()[field] == "" {
			t.Errorf("%s: got %d %v, want %s named", body, a.status, a.fields(), field)
		}
	}
}

func TestAnActMayComeWithoutABody(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{"", "{}"} {
		if a := b.call("POST", "/v1/channels/web/suspend", body, "officer"); a.status != 200 || a.json["suspended"] != true {
			t.Errorf("%q: got %d %s", body, a.status, a.raw)
		}
	}
	if a := b.call("POST", "/v1/channels/web/suspend", `{"until":"tomorrow"}`, "officer"); a.status != 422 {
		t.Errorf("a member it has not: got %d", a.status)
	}
}

// stuck is a client that begins a body and never goes on.
type stuck struct{ err error }

func (s stuck) Read([]byte) (int, error) { return 0, s.err }

func TestABodyThatDoesNotArrive(t *testing.T) {
	for want, err := range map[int]error{408: os.ErrDeadlineExceeded, 400: io.ErrUnexpectedEOF} {
		b := newBench(t)
		r := httptest.NewRequest("POST", "/v1/reads", stuck{err})
		r.ContentLength = 100
		r.Header.Set("Content-Type", mediaJSON)
		r.Header.Set("Authorization", "Bearer "+b.token("web"))
		if a := b.do(r); a.status != want || a.header.Get("Connection") != "close" || len(b.calls) > 0 {
			t.Errorf("got %d %s, want %d", a.status, a.raw, want)
		}
	}
}
