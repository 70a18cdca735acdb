package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// streaming is a batch of reads while it runs: what is said is answered before
// the next is said.
type streaming struct {
	s    *shop
	body *io.PipeWriter
	res  *http.Response
	in   *bufio.Reader
}

// stream begins a batch as a channel, with a first line.
func (s *shop) stream(who, line string) (*streaming, map[string]any) {
	s.t.Helper()
	s.as(who, "GET", "/v1/whoami", "", 200) // for the token
	body, end := io.Pipe()
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+"/v1/reads/batch", body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.tokens[who])
	r.Header.Set("Content-Type", "application/x-ndjson")
	go func() { _, _ = io.WriteString(end, line+"\n") }()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		s.t.Fatalf("a stream: got %d", res.StatusCode)
	}
	st := &streaming{s: s, body: end, res: res, in: bufio.NewReader(res.Body)}
	return st, st.next()
}

func (st *streaming) next() map[string]any {
	st.s.t.Helper()
	text, err := st.in.ReadBytes('\n')
	if err != nil {
		st.s.t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(text, &line); err != nil {
		st.s.t.Fatalf("%v: %s", err, text)
	}
	return line
}

func (st *streaming) ask(line string) map[string]any {
	st.s.t.Helper()
	if _, err := io.WriteString(st.body, line+"\n"); err != nil {
		st.s.t.Fatal(err)
	}
	return st.next()
}

// The sender works through its list while the people on it make up their
// minds: what is answered while the stream runs is what holds at that moment.
func TestASendersListOverHTTP(t *testing.T) {
	s := open(t)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	consent := func(status string) {
		t.Helper()
		s.as("store", "POST", "/v1/consents", `{"subject":"`+her+`","purpose":"sms-marketing","status":"`+status+`","method":"paper_form"}`, 201)
	}
	line := `{"subject":"` + her + `","purpose":"sms-marketing"}`
	consent("given")
	st, got := s.stream("sms", line)
	if got["status"] != 200.0 || got["n"] != 1.0 || got["fields"].(map[string]any)["given_name"] != "Anahita" {
		t.Errorf("with her say-so: %v", got)
	}
	if size := uint64(got["log_index"].(float64)) + 1; s.Store.Size() < size {
		t.Errorf("the answer came before its record: %d records, want %d", s.Store.Size(), size)
	}
	consent("withdrawn")
	got = st.ask(line)
	unknown := st.ask(`{"subject":{"phone_number":"+4930555555"},"purpose":"sms-marketing"}`)
	for _, l := range []map[string]any{got, unknown} {
		if l["status"] != 403.0 || l["code"] != "denied" {
			t.Errorf("withdrawn, unknown: got %v", l)
		}
		delete(l, "n")
		delete(l, "decision")
	}
	if fmt.Sprint(got) != fmt.Sprint(unknown) {
		t.Errorf("withdrawn and unknown differ:\n%v\n%v", got, unknown)
	}
	if got := st.ask(`{"subject":"` + her + `"`); got["status"] != 400.0 || got["n"] != 4.0 {
		t.Errorf("half a line: got %v", got)
	}
	if got := st.ask(`{"subject":"` + her + `","purpose":"order-fulfilment"}`); got["code"] != "purpose_not_granted" {
		t.Errorf("another's purpose: got %v", got)
	}
	consent("given")
	if got := st.ask(line); got["status"] != 200.0 {
		t.Errorf("given again: got %v", got)
	}
	st.body.Close()
	if end := st.next(); end["end"] != true || end["lines"] != 6.0 {
		t.Errorf("the end: got %v", end)
	}

	// Suspension ends a stream that runs.
	s.officerSignsIn()
	st, _ = s.stream("sms", line)
	s.as("officer", "POST", "/v1/channels/sms/suspend", "{}", 200)
	if got := st.ask(line); got["status"] != 403.0 || got["code"] != "channel_suspended" {
		t.Errorf("suspended: got %v", got)
	}
	if rest, _ := io.ReadAll(st.in); len(rest) > 0 {
		t.Errorf("after that: %s", rest)
	}
	s.as("officer", "POST", "/v1/channels/sms/resume", "{}", 200)
	st, _ = s.stream("sms", line)
	s.as("officer", "DELETE", "/v1/channels/sms/secrets/"+s.secretOf("sms"), "", 204)
	if got := st.ask(line); got["status"] != 401.0 || got["code"] != "invalid_token" {
		t.Errorf("secret revoked: got %v", got)
	}
}

// A long list is answered whole and in order, each line with a record of its
// own, to a client that sends and reads at once.
func TestALongListOverHTTP(t *testing.T) {
	s := open(t)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	before := s.Store.Size()
	const lines = 2000
	line := `{"subject":"` + her + `","purpose":"order-fulfilment","fields":["given_name"]}`
	st, first := s.stream("web", line)
	go func() {
		_, _ = io.WriteString(st.body, strings.Repeat(line+"\n", lines-1))
		st.body.Close()
	}()
	seen := map[any]bool{first["log_index"]: true}
	for n := 2; n <= lines; n++ {
		got := st.next()
		if got["n"] != float64(n) || got["status"] != 200.0 || seen[got["log_index"]] {
			t.Fatalf("line %d: got %v", n, got)
		}
		seen[got["log_index"]] = true
	}
	if end := st.next(); end["lines"] != float64(lines) {
		t.Errorf("the end: got %v", end)
	}
	if got := s.Store.Size() - before; got < lines {
		t.Errorf("%d records for %d lines", got, lines)
	}
}

// A client that goes away ends its stream; the vault goes on.
func TestAClientThatGoesAway(t *testing.T) {
	s := open(t)
	her := s.as("web", "POST", "/v1/captures", anahita, 201).json["subject"].(string)
	st, _ := s.stream("web", `{"subject":"`+her+`","purpose":"order-fulfilment"}`)
	st.body.CloseWithError(io.ErrUnexpectedEOF)
	if rest, _ := io.ReadAll(st.in); strings.Contains(string(rest), `"end"`) {
		t.Errorf("it is told all is well: %s", rest)
	}
	s.as("web", "GET", "/v1/whoami", "", 200)
}
