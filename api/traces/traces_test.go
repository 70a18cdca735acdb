package traces_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/traces"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// collected is an OTLP collector that keeps what it is sent.
type collected struct {
	mu    sync.Mutex // guards the rest
	raw   []byte
	spans []*otlp.Span
	about map[string]string
	away  bool
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away || r.URL.Path != "/v1/traces" {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.raw = append(c.raw, body...)
	for _, rs := range sent.ResourceSpans {
		c.about = map[string]string{}
		for _, a := range rs.Resource.Attributes {
			c.about[a.Key] = a.Value.GetStringValue()
		}
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

func (c *collected) named(name string) (found []*otlp.Span) {
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// shop is a traced vault behind real HTTP.
type shop struct {
	*vaulttest.Vault
	t      *testing.T
	url    string
	tokens map[string]string
	sent   *collected
	traces *traces.Traces
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, tokens: map[string]string{}, sent: &collected{}}
	to := httptest.NewServer(s.sent)
	t.Cleanup(to.Close)
	var err error
	if s.traces, err = traces.New(t.Context(), traces.Config{Endpoint: to.URL, Version: "v1.2.3"}); err != nil {
		t.Fatal(err)
	}
	s.Vault = vaulttest.New(t, &vaulttest.Options{Observer: s.traces})
	front := httptest.NewUnstartedServer(nil)
	s.url = "http://" + front.Listener.Addr().String()
	srv, err := api.New(api.Config{Vault: s.Vault.Vault, Issuer: s.url, Observer: s.traces})
	if err != nil {
		t.Fatal(err)
	}
	front.Config = srv.HTTP()
	front.Start()
	t.Cleanup(front.Close)
	for _, channel := range []privacy.ChannelID{"web", "sms"} {
		c, err := s.NewSecret(t.Context(), s.Officer, channel)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}
		var granted struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(s.send("POST", "/oauth/token", "", form.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})), &granted); err != nil {
			t.Fatal(err)
		}
		s.tokens[string(channel)] = granted.Token
	}
	return s
}

func (s *shop) send(method, path, who, body string, headers map[string]string) string {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+s.tokens[who])
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

// ended sends what is left.
func (s *shop) ended() *collected {
	s.t.Helper()
	if err := s.traces.Close(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return s.sent
}

func attributes(s *otlp.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}

const anahita = `{"fields":{"given_name":"Anahita","family_name":"Quintero","email":"ana.quintero@example.org","phone_number":"+4930901820"}}`

// A read is a span of its route, with its stages and its question below it, in
// the trace of the client that asked.
func TestAReadIsATrace(t *testing.T) {
	s := open(t)
	var her struct{ Subject string }
	if err := json.Unmarshal([]byte(s.send("POST", "/v1/captures", "web", anahita, nil)), &her); err != nil {
		t.Fatal(err)
	}
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	s.send("POST", "/v1/reads", "web", `{"subject":"`+her.Subject+`","purpose":"order-fulfilment"}`, map[string]string{"Traceparent": "00-" + traceID + "-" + parent + "-01"})
	sent := s.ended()
	reads := sent.named("POST /v1/reads")
	if len(reads) != 1 {
		t.Fatalf("got %d spans of the read, want one", len(reads))
	}
	read := reads[0]
	got := attributes(read)
	if hex.EncodeToString(read.TraceId) != traceID || hex.EncodeToString(read.ParentSpanId) != parent || got["http.route"] != "/v1/reads" ||
		got["sayso.channel"] != "web" || read.Kind != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("the request's span: %v", read)
	}
	below := func(of *otlp.Span) (names []string) {
		var end uint64
		for _, span := range sent.spans {
			if !bytes.Equal(span.ParentSpanId, of.SpanId) {
				continue
			}
			names = append(names, span.Name)
			if span.StartTimeUnixNano < of.StartTimeUnixNano || span.EndTimeUnixNano > of.EndTimeUnixNano || span.EndTimeUnixNano < span.StartTimeUnixNano {
				t.Errorf("%s lies outside of %s", span.Name, of.Name)
			}
			end = max(end, span.EndTimeUnixNano)
		}
		slices.Sort(names)
		return names
	}
	if names := below(read); !slices.Equal(names, []string{"encode", "read", "route", "token"}) {
		t.Errorf("below the request: got %v", names)
	}
	question := sent.named("read")[0]
	if names := below(question); !slices.Equal(names, []string{"decide", "open", "record", "snapshot"}) {
		t.Errorf("below the question: got %v", names)
	}
	if got := attributes(question); got["sayso.purpose"] != "order-fulfilment" || got["sayso.outcome"] != "released" || !strings.HasPrefix(got["sayso.decision"], "dec_") {
		t.Errorf("the question: got %v", got)
	}
	if sent.about["service.name"] != "sayso" || sent.about["service.version"] != "v1.2.3" {
		t.Errorf("the service: got %v", sent.about)
	}
}

// Whoever is captured, read, withdrawn and asked about: nothing of them is sent,
// nor anything that a client put where a path, a state or baggage goes.
func TestTracesNameNobody(t *testing.T) {
	s := open(t)
	var her struct{ Subject string }
	if err := json.Unmarshal([]byte(s.send("POST", "/v1/captures", "web", anahita, nil)), &her); err != nil {
		t.Fatal(err)
	}
	if got := s.send("POST", "/v1/reads", "web", `{"subject":{"email":"ana.quintero@example.org"},"purpose":"order-fulfilment"}`, map[string]string{
		"Traceparent": "00-00000000000000000000004930901820-0000004930901820-01", "Tracestate": "who=quintero", "Baggage": "who=quintero"}); !strings.Contains(got, "Quintero") {
		t.Fatalf("she was not read: %s", got)
	}
	s.send("POST", "/v1/reads", "sms", `{"subject":{"phone_number":"+4930901820"},"purpose":"sms-marketing"}`, nil)
	s.send("POST", "/v1/reads", "sms", `{"subject":"`+her.Subject+`","purpose":"quintero"}`, nil)
	s.send("POST", "/v1/consents", "sms", `{"subject":{"phone_number":"+4930901820"},"purpose":"sms-marketing","status":"withdrawn","method":"reply_stop"}`, nil)
	s.send("GET", "/v1/subjects/"+her.Subject+"/consents?purpose=sms-marketing", "sms", "", nil)
	s.send("GET", "/v1/subjects/quintero/"+her.Subject, "sms", "", nil)
	s.send("QUINTERO", "/v1/reads", "sms", "", nil)
	sent := s.ended()
	if len(sent.named("GET /v1/subjects/{id}/consents")) != 1 || len(sent.named("question")) != 1 {
		t.Errorf("the question is no span")
	}
	text := strings.ToLower(string(sent.raw))
	for _, personal := range []string{"quintero", "anahita", "example.org", "901820", "sub_", strings.ToLower(her.Subject)} {
		if strings.Contains(text, personal) {
			t.Errorf("a trace holds %s", personal)
		}
	}
	for _, span := range sent.spans {
		if strings.Contains(hex.EncodeToString(span.TraceId), "4930901820") || span.TraceState != "" {
			t.Errorf("%s belongs to the trace %x, state %q", span.Name, span.TraceId, span.TraceState)
		}
	}
}

// A collector that is away is told of once, and holds nobody up.
func TestACollectorThatIsAway(t *testing.T) {
	to := &collected{away: true}
	server := httptest.NewServer(to)
	defer server.Close()
	var log bytes.Buffer
	tr, err := traces.New(t.Context(), traces.Config{Endpoint: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ctx := tr.Arrived(t.Context(), time.Now(), nil)
		tr.Answered(ctx, api.Answered{Method: "GET", Route: "/healthz", Status: 200, Began: time.Now(), Took: time.Millisecond})
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Errorf("closing: %v", err)
	}
	if n := strings.Count(log.String(), "traces cannot be sent"); n != 1 {
		t.Errorf("told %d times, want once: %s", n, log.String())
	}
}

// An endpoint that is none is refused at once.
func TestEndpointsThatAreNone(t *testing.T) {
	for _, bad := range []string{"collector:4318", "ftp://collector", "http://", "http://me:secret@collector", "http://collector/?a=b", "::"} {
		if _, err := traces.New(t.Context(), traces.Config{Endpoint: bad}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want it refused", bad, err)
		}
	}
}
