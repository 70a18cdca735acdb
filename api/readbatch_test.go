package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func readLineOf(purpose string) string {
	return `{"subject":"` + ana.String() + `","purpose":"` + purpose + `"}` + "\n"
}

// Each line is answered in its place as a read by itself would be, and no line
// that fails takes another with it.
func TestAStreamOfReadsAnswersLineByLine(t *testing.T) {
	b := newBench(t)
	b.read = func(_ vault.Caller, r vault.ReadRequest) (*vault.ReadResult, error) {
		switch r.Purpose {
		case "denied":
			return nil, &vault.DeniedError{Decision: decision, Purpose: r.Purpose, Withheld: []vault.Withheld{{Field: "email", Code: privacy.CodeNoConsent, Detail: "no say-so"}}}
		case "nobody":
			return nil, &vault.Error{Code: vault.CodeUnknownSubject, Detail: "nobody is known by this reference"}
		case "limit":
			return nil, &vault.Error{Code: vault.CodeRateLimited, Detail: "people_per_day", RetryAfter: 90 * time.Second}
		case "fault":
			return nil, errors.New("a fault of ours")
		}
		return &vault.ReadResult{Decision: decision, Subject: ana, Purpose: r.Purpose, Policy: "pol_1", Register: 3, LogIndex: 41, LogName: "main",
			Fields: []vault.FieldValue{{Field: "given_name", Value: value(`"Anahita"`)}}}, nil
	}
	asked := []struct {
		line   string
		status float64
		code   any
	}{
		{readLineOf("delivery"), 200, nil},
		{"{\"subject\":\n", 400, "invalid_request"},
		{readLineOf("denied"), 403, "denied"},
		{"\n", 400, "invalid_request"},
		{readLineOf("nobody"), 404, "unknown_subject"},
		{`{"subject":{"email":"ana@example.org","phone_number":"12"},"purpose":"delivery"}` + "\n", 422, "one_identifier"},
		{readLineOf("limit"), 429, "rate_limited"},
		{readLineOf("fault"), 500, "internal"},
		{strings.TrimSuffix(readLineOf("delivery"), "\n"), 200, nil}, // no newline at the end
	}
	var body strings.Builder
	for _, a := range asked {
		body.WriteString(a.line)
	}
	a := b.call("POST", "/v1/reads/batch", body.String(), "web")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != mediaNDJSON {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
	got := a.lines(t)
	if len(got) != len(asked)+1 {
		t.Fatalf("got %d lines: %s", len(got), a.raw)
	}
	for i, want := range asked {
		if got[i]["n"] != float64(i+1) || got[i]["status"] != want.status || got[i]["code"] != want.code {
			t.Errorf("line %d: got %v, want %v %v", i+1, got[i], want.status, want.code)
		}
	}
	if end := got[len(asked)]; end["end"] != true || end["lines"] != float64(len(asked)) {
		t.Errorf("the last line: %v", end)
	}
	if got[6]["retry_after"] != 90.0 {
		t.Errorf("a limit: got %v, want when to try again", got[6])
	}
	if strings.Contains(a.raw, "ana@") || strings.Contains(b.log.String(), "Anahita") {
		t.Error("a refusal or the log repeats a value")
	}
	// By itself the same read has the same members.
	lines := strings.Split(a.raw, "\n")
	for i, purpose := range map[int]string{0: "delivery", 2: "denied"} {
		alone := b.call("POST", "/v1/reads", readLineOf(purpose), "web")
		alone.json["n"], alone.json["status"] = float64(i+1), float64(alone.status)
		if want, _ := json.Marshal(alone.json); string(want) != remarshal(t, lines[i]) {
			t.Errorf("line %d: got %s\nwant %s", i+1, lines[i], want)
		}
		var shape wire.ReadLine
		if err := jsonv2.Unmarshal([]byte(lines[i]), &shape, jsonv2.RejectUnknownMembers(true)); err != nil {
			t.Errorf("line %d is no wire.ReadLine: %v", i+1, err)
		}
	}
	if a := b.call("POST", "/v1/reads/batch", "", "web"); a.raw != `{"end":true,"lines":0}`+"\n" {
		t.Errorf("no lines: got %d %s", a.status, a.raw)
	}
}

func remarshal(t *testing.T, text string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// What ends a stream says so in its last line, which is then not the end.
func TestAStreamThatBreaksOffHasNoEnd(t *testing.T) {
	long := `{"subject":"` + strings.Repeat("x", small) + `"}` + "\n"
	for what, c := range map[string]struct {
		body io.Reader
		read error
		want []float64
	}{
		"a line too long":         {strings.NewReader(readLineOf("delivery") + long + readLineOf("delivery")), nil, []float64{200, 413}},
		"a body that stalls":      {io.MultiReader(strings.NewReader(readLineOf("delivery")+`{"subj`), stalled{}), nil, []float64{200, 408}},
		"a body that breaks off":  {io.MultiReader(strings.NewReader(readLineOf("delivery")+`{"subj`), cut{}), nil, []float64{200, 400}},
		"a revoked secret":        {strings.NewReader(strings.Repeat(readLineOf("delivery"), 3)), vault.ErrInvalidClient, []float64{401}},
		"a channel now suspended": {strings.NewReader(strings.Repeat(readLineOf("delivery"), 3)), &vault.Error{Code: vault.CodeChannelSuspended}, []float64{403}},
	} {
		b := newBench(t)
		b.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) {
			if c.read != nil {
				return nil, c.read
			}
			return &vault.ReadResult{}, nil
		}
		a := b.do(b.streamOf(c.body))
		got := a.lines(t)
		statuses := make([]float64, len(got))
		for i := range got {
			statuses[i], _ = got[i]["status"].(float64)
		}
		if !slices.Equal(statuses, c.want) || strings.Contains(a.raw, `"end"`) {
			t.Errorf("%s: got %s, want lines of %v and no end", what, a.raw, c.want)
		}
	}
	b := newBench(t)
	r := b.streamOf(strings.NewReader(readLineOf("delivery")))
	r.Header.Set("Content-Type", "text/csv")
	if a := b.do(r); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("not lines of JSON: got %d", a.status)
	}
}

// Nobody registered a name for lines of JSON, so programs send them by several.
func TestLinesComeByAnyOfTheirNames(t *testing.T) {
	b := newBench(t)
	for media, want := range map[string]int{mediaNDJSON: 200, "application/ndjson": 200, "application/jsonl; charset=utf-8": 200, mediaJSON: 200, "text/plain": 415, "": 415} {
		r := b.streamOf(strings.NewReader(readLineOf("delivery")))
		r.Header.Set("Content-Type", media)
		if a := b.do(r); a.status != want {
			t.Errorf("%q: got %d %s, want %d", media, a.status, a.raw, want)
		}
	}
}

// A server that stops tells a client that would go on for long: what was asked is
// answered, then a line says that no more is taken in, and nothing is cut off.
func TestAStreamIsToldThatTheServerStops(t *testing.T) {
	b := newBench(t)
	b.srv.lingers = time.Millisecond
	server := httptest.NewUnstartedServer(nil)
	server.Config = b.srv.HTTP()
	server.Start()
	defer server.Close()
	asks, in := io.Pipe()
	defer in.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/reads/batch", asks)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaNDJSON)
	r.Header.Set("Authorization", "Bearer "+b.token("web"))
	go func() { _, _ = io.WriteString(in, readLineOf("delivery")) }()
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	next := func() (line struct {
		N      int
		Status int
		Code   string
		Retry  int `json:"retry_after"`
	}) {
		t.Helper()
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		return line
	}
	if line := next(); line.N != 1 || line.Status != http.StatusOK {
		t.Fatalf("the first line: %+v", line)
	}
	b.srv.stop()
	if line := next(); line.N != 2 || line.Status != http.StatusServiceUnavailable || line.Code != vault.CodeUnavailable || line.Retry == 0 {
		t.Errorf("when the server stops: %+v", line)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("it was cut off: %v", err)
	}
}

func (b *bench) streamOf(body io.Reader) *http.Request {
	r := httptest.NewRequest("POST", "/v1/reads/batch", body)
	r.ContentLength = -1
	r.Header.Set("Content-Type", mediaNDJSON)
	r.Header.Set("Authorization", "Bearer "+b.token("web"))
	return r
}

// stalled and cut are how bodies end that do not end well.
type (
	stalled struct{}
	cut     struct{}
)

func (stalled) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }
func (cut) Read([]byte) (int, error)     { return 0, io.ErrUnexpectedEOF }

// slowly is a client that takes its time over lines, by a clock of the test.
type slowly struct {
	*httptest.ResponseRecorder
	now   *time.Time
	takes func(line int) time.Duration
	wrote func(line int)
	lines int
}

func (s *slowly) Write(b []byte) (int, error) {
	s.wrote(s.lines)
	*s.now = s.now.Add(s.takes(s.lines))
	s.lines++
	return s.ResponseRecorder.Write(b)
}

// A client that stops reading in the middle gets nothing that was decided
// before it stopped: what was decided but not written is decided again, and
// no more than a window of lines is ever ahead.
func TestNothingIsDecidedLongBeforeItIsWritten(t *testing.T) {
	for what, takes := range map[string]func(int) time.Duration{
		"reads at once": func(int) time.Duration { return time.Microsecond },
		"stops twice": func(line int) time.Duration {
			if line == 40 || line == 300 {
				return time.Hour
			}
			return time.Microsecond
		},
		"is always slow": func(int) time.Duration { return time.Second },
		"hesitates":      func(line int) time.Duration { return time.Duration(line%7) * 9 * time.Millisecond },
	} {
		t.Run(what, func(t *testing.T) {
			const lines = 500
			b := newBench(t)
			now := morning
			b.srv.now = func() time.Time { return now }
			decided := map[string]time.Time{}
			asks := 0
			b.read = func(_ vault.Caller, r vault.ReadRequest) (*vault.ReadResult, error) {
				asks++
				now = now.Add(100 * time.Microsecond)
				decided[string(r.Purpose)] = now
				return &vault.ReadResult{Purpose: r.Purpose}, nil
			}
			var body strings.Builder
			for i := range lines {
				body.WriteString(readLineOf(strconv.Itoa(i)))
			}
			w := &slowly{ResponseRecorder: httptest.NewRecorder(), now: &now, takes: takes}
			w.wrote = func(line int) {
				if age := now.Sub(decided[strconv.Itoa(line)]); line < lines && age > 100*time.Millisecond {
					t.Errorf("line %d was decided %v before it was written", line, age)
				}
				if ahead := len(decided) - line; ahead > maxWindow {
					t.Errorf("at line %d, %d are decided", line, ahead)
				}
			}
			b.srv.Handler().ServeHTTP(w, b.streamOf(strings.NewReader(body.String())))
			if w.lines != lines+1 {
				t.Fatalf("got %d lines", w.lines)
			}
			if asks > 2*lines {
				t.Errorf("%d decisions for %d lines", asks, lines)
			}
		})
	}
}
