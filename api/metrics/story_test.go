package metrics_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/metrics"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// shop is a watched vault behind real HTTP.
type shop struct {
	*vaulttest.Vault
	t      *testing.T
	url    string
	tokens map[string]string
}

func open(t *testing.T) *shop {
	t.Helper()
	m := metrics.New(metrics.Config{Version: "v1.2.3", Every: time.Nanosecond})
	s := &shop{t: t, tokens: map[string]string{}, Vault: vaulttest.New(t, &vaulttest.Options{Observer: m, Register: vaulttest.Register +
		"matrix:\n  - {purpose: order-fulfilment, channel: store, field: given_name, as: mask}\n"})}
	front := httptest.NewUnstartedServer(nil)
	s.url = "http://" + front.Listener.Addr().String()
	srv, err := api.New(api.Config{Vault: s.Vault.Vault, Issuer: s.url, Observer: m, Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	m.Watch(metrics.Sources{Vault: s.Stats, Outbox: s.OutboxStats, Tokens: srv.TokenCache, Ready: func() bool { return len(s.Ready()) == 0 },
		Certificate: func() time.Time { return time.Unix(2e9, 0) },
		Storage: func() metrics.Storage {
			return metrics.Storage{Bytes: 1, Ledger: 7, LogSync: metrics.Spread{Counts: map[float64]uint64{0.001: 2, 0.1: 3}, All: 4, Sum: 1.5}}
		}})
	front.Config = srv.HTTP()
	front.Start()
	t.Cleanup(front.Close)
	for _, channel := range []privacy.ChannelID{"web", "sms", "store"} {
		c, err := s.NewSecret(t.Context(), s.Officer, channel)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}
		var granted struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(s.send("POST", "/oauth/token", "", form.Encode(), "application/x-www-form-urlencoded")), &granted); err != nil {
			t.Fatal(err)
		}
		s.tokens[string(channel)] = granted.Token
	}
	return s
}

func (s *shop) send(method, path, who, body, kind string) string {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+s.tokens[who])
	}
	r.Header.Set("Content-Type", kind)
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

func (s *shop) post(path, who, body string) string {
	s.t.Helper()
	return s.send("POST", path, who, body, "application/json")
}

func (s *shop) capture(who, fields string) string {
	s.t.Helper()
	var answer struct{ Subject string }
	raw := s.post("/v1/captures", who, `{"fields":`+fields+`}`)
	if err := json.Unmarshal([]byte(raw), &answer); err != nil || answer.Subject == "" {
		s.t.Fatalf("capturing: %s", raw)
	}
	return answer.Subject
}

// numbers are what /metrics shows: of a histogram its count, and how many fell
// under each bound.
func (s *shop) numbers() map[string]float64 {
	s.t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.send("GET", "/metrics", "", "", "")))
	if err != nil {
		s.t.Fatalf("reading /metrics: %v", err)
	}
	all := map[string]float64{}
	for name, f := range families {
		for _, one := range f.Metric {
			key := name + labelsOf(one)
			switch f.GetType() {
			case dto.MetricType_HISTOGRAM:
				all[key+" count"] = float64(one.Histogram.GetSampleCount())
				for _, b := range one.Histogram.Bucket {
					all[fmt.Sprintf("%s le %v", key, b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			case dto.MetricType_COUNTER:
				all[key] = one.Counter.GetValue()
			case dto.MetricType_GAUGE:
				all[key] = one.Gauge.GetValue()
			}
		}
	}
	return all
}

func labelsOf(m *dto.Metric) string {
	var of []string
	for _, l := range m.Label {
		of = append(of, l.GetName()+"="+l.GetValue())
	}
	if len(of) == 0 {
		return ""
	}
	return "{" + strings.Join(of, ",") + "}"
}

const anahita = `{"given_name":"Anahita","family_name":"Quintero","email":"ana.quintero@example.org","phone_number":"+4930901820"}`

// Anahita is captured, read, masked, denied and refused, and the numbers say
// how often.
func TestAStoryInNumbers(t *testing.T) {
	s := open(t)
	her := s.capture("web", anahita)
	for range 3 {
		s.post("/v1/reads", "web", `{"subject":"`+her+`","purpose":"order-fulfilment","fields":["given_name","birthdate"]}`)
	}
	s.post("/v1/reads", "store", `{"subject":"`+her+`","purpose":"order-fulfilment","fields":["given_name"]}`)
	s.post("/v1/reads", "sms", `{"subject":"`+her+`","purpose":"sms-marketing"}`)
	s.post("/v1/reads", "sms", `{"subject":"`+her+`","purpose":"order-fulfilment"}`)
	s.post("/v1/reads", "sms", `{"subject":"`+her+`","purpose":"ana.quintero@example.org"}`)
	s.send("GET", "/v1/subjects/"+her+"/consents?purpose=sms-marketing", "sms", "", "")
	s.send("POST", "/v1/reads/batch", "web", `{"subject":"`+her+`","purpose":"order-fulfilment","fields":["given_name","birthdate"]}`+"\n", "application/x-ndjson")
	got := s.numbers()
	for name, want := range map[string]float64{
		"sayso_decisions_total{outcome=released,purpose=order-fulfilment}":                  4,
		"sayso_decisions_total{outcome=masked,purpose=order-fulfilment}":                    1,
		"sayso_decisions_total{outcome=denied,purpose=sms-marketing}":                       1,
		"sayso_decisions_total{outcome=refused,purpose=order-fulfilment}":                   1,
		"sayso_decisions_total{outcome=failed,purpose=sms-marketing}":                       0,
		"sayso_decisions_total{outcome=refused,purpose=}":                                   1,
		"sayso_questions_total{outcome=denied,purpose=sms-marketing}":                       1,
		"sayso_withheld_fields_total{code=field_not_in_purpose}":                            4,
		"sayso_withheld_fields_total{code=no_consent}":                                      2,
		"sayso_released_decisions_total{how=evaluated}":                                     2,
		"sayso_released_decisions_total{how=reused}":                                        3,
		"sayso_read_retries_total":                                                          0,
		"sayso_http_requests_total{method=POST,route=/v1/reads,status=200}":                 4,
		"sayso_http_requests_total{method=POST,route=/v1/reads,status=403}":                 3,
		"sayso_http_requests_total{method=POST,route=/v1/captures,status=201}":              1,
		"sayso_http_requests_total{method=GET,route=/v1/subjects/{id}/consents,status=200}": 1,
		"sayso_http_request_seconds{method=POST,route=/v1/reads} count":                     7,
		"sayso_read_stage_seconds{stage=route} count":                                       7,
		"sayso_read_stage_seconds{stage=token} count":                                       7,
		"sayso_read_stage_seconds{stage=encode} count":                                      7,
		"sayso_read_stage_seconds{stage=snapshot} count":                                    5,
		"sayso_read_stage_seconds{stage=decide} count":                                      5,
		"sayso_read_stage_seconds{stage=open} count":                                        5,
		"sayso_read_stage_seconds{stage=record} count":                                      8,
		"sayso_token_checks_total{how=verified}":                                            3,
		"sayso_token_checks_total{how=cached}":                                              7,
		"sayso_log_records":                                                                 float64(s.Stats().Records),
		"sayso_key_epoch{key=kek}":                                                          1,
		"sayso_key_epoch{key=index}":                                                        1,
		"sayso_clock_believed":                                                              1,
		"sayso_ready":                                                                       1,
		"sayso_register_revision":                                                           1,
		"sayso_store_bytes":                                                                 1 << 20,
		"sayso_ledger_entries":                                                              7,
		"sayso_log_sync_seconds count":                                                      4,
		"sayso_log_sync_seconds le 0.1":                                                     3,
		"sayso_tls_certificate_end_seconds":                                                 2e9,
	} {
		if g, ok := got[name]; !ok || g != want {
			t.Errorf("%s: got %v (there: %v), want %v", name, g, ok, want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes", "go_gc_heap_live_bytes"} {
		if got[name] <= 0 {
			t.Errorf("%s: got %v, want something", name, got[name])
		}
	}
}

// Nothing that a person is or said, and nothing that a client made up, is shown.
func TestMetricsNameNobody(t *testing.T) {
	s := open(t)
	her := s.capture("web", anahita)
	read := s.post("/v1/reads", "web", `{"subject":{"email":"ana.quintero@example.org"},"purpose":"order-fulfilment"}`)
	if !strings.Contains(read, "Quintero") {
		t.Fatalf("she was not read: %s", read)
	}
	s.post("/v1/reads", "sms", `{"subject":"`+her+`","purpose":"Quintero"}`)
	s.post("/v1/reads", "web", `{"subject":"`+her+`","purpose":"order-fulfilment","fields":["quintero"]}`)
	s.send("GET", "/v1/subjects/"+her+"/consents?purpose=Quintero", "sms", "", "")
	s.send("GET", "/Quintero/"+her, "", "", "")
	s.send("QUINTERO", "/v1/reads", "web", "", "")
	s.post("/v1/consents", "web", `{"subject":"`+her+`","purpose":"sms-marketing","status":"withdrawn","method":"quintero"}`)
	text := s.send("GET", "/metrics", "", "", "")
	for _, personal := range []string{"quintero", "anahita", "example.org", "901820", "sub_", "dec_", "cns_", strings.ToLower(her)} {
		if strings.Contains(strings.ToLower(text), personal) {
			t.Errorf("/metrics shows %s", personal)
		}
	}
	// Whatever is asked, the labels are of known sets.
	known := map[string]*regexp.Regexp{
		"purpose": regexp.MustCompile(`^(|order-fulfilment|sms-marketing)$`),
		"outcome": regexp.MustCompile(`^(released|masked|denied|refused|failed|delivered)$`),
		"code":    regexp.MustCompile(`^[a-z_]+$`), "stage": regexp.MustCompile(`^[a-z]+$`), "how": regexp.MustCompile(`^[a-z]+$`), "key": regexp.MustCompile(`^(kek|index)$`),
		"method": regexp.MustCompile(`^(GET|POST|PUT|DELETE|other)$`), "status": regexp.MustCompile(`^[1-5]\d\d$`), "route": regexp.MustCompile(`^/[a-z0-9/{}._-]*$`),
		"le": regexp.MustCompile(`^[0-9.e+-]+$|^\+Inf$`), "quantile": regexp.MustCompile(`.`), "version": regexp.MustCompile(`^(v1.2.3|go1.*)$`), "go": regexp.MustCompile(`^go`),
	}
	for _, l := range regexp.MustCompile(`([a-z_]+)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if known[l[1]] == nil || !known[l[1]].MatchString(l[2]) {
			t.Errorf("the label %s", l[0])
		}
	}
}

// counted leaves of the numbers out what only time, the process and the log's
// public size tell.
func counted(numbers map[string]float64) map[string]float64 {
	timed := regexp.MustCompile(`^(go_|process_|sayso_log_checkpoint)| le `)
	out := maps.Clone(numbers)
	maps.DeleteFunc(out, func(name string, _ float64) bool { return timed.MatchString(name) })
	return out
}

// A channel that looks before and after what it does cannot tell by the numbers
// whether it was about somebody or nobody: not where its answer does not say so.
func TestMetricsTellNoMoreThanTheAnswer(t *testing.T) {
	s := open(t)
	for i := range 3 { // their facts differ, so do the inputs of their decisions
		s.capture("web", fmt.Sprintf(`{"phone_number":"+493090182%d","birthdate":"19%d0-01-01","address":{"country":"DE"}}`, i, 5+i))
	}
	s.post("/v1/reads", "sms", `{"subject":{"phone_number":"+4930555000"},"purpose":"sms-marketing"}`) // what was decided for nobody is remembered
	ask := func(number string) func() {
		return func() {
			s.post("/v1/reads", "sms", `{"subject":{"phone_number":"`+number+`"},"purpose":"sms-marketing"}`)
		}
	}
	state := func(id string) func() {
		return func() { s.send("GET", "/v1/subjects/"+id+"/consents?purpose=sms-marketing", "sms", "", "") }
	}
	told := func(number string) func() {
		return func() { s.post("/v1/captures", "store", `{"fields":{"phone_number":"`+number+`"}}`) }
	}
	no := func(number string) func() {
		return func() {
			s.post("/v1/consents", "sms", `{"subject":{"phone_number":"`+number+`"},"purpose":"sms-marketing","status":"refused","method":"reply_stop"}`)
		}
	}
	known := s.capture("web", `{"given_name":"Ines"}`)
	told("+4930555004")() // so that all tokens are known
	for _, story := range []struct {
		what string
		acts [2]func()
	}{
		{"a read", [2]func(){ask("+4930901820"), ask("+4930555001")}},
		{"a state", [2]func(){state(known), state(privacy.NewSubjectID().String())}},
		{"a capture", [2]func(){told("+4930901821"), told("+4930555002")}},
		{"a no", [2]func(){no("+4930901822"), no("+4930555003")}},
		{"a second no", [2]func(){no("+4930901822"), no("+4930555003")}},
		{"a read after it", [2]func(){ask("+4930901822"), ask("+4930555003")}},
	} {
		var grew [2]map[string]float64
		for i, act := range story.acts {
			before := counted(s.numbers())
			act()
			after := counted(s.numbers())
			grew[i] = map[string]float64{}
			for name, n := range after {
				if d := n - before[name]; d != 0 {
					grew[i][name] = d
				}
			}
		}
		if !maps.Equal(grew[0], grew[1]) {
			t.Errorf("%s: about somebody the numbers grew by %v, about nobody by %v", story.what, sorted(grew[0]), sorted(grew[1]))
		}
	}
}

func sorted(m map[string]float64) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, fmt.Sprintf("\n  %s %v", name, m[name]))
	}
	return lines
}

// Being counted costs a read no memory.
func TestCountingAllocatesNothing(t *testing.T) {
	m := metrics.New(metrics.Config{})
	o := vault.Observation{Purpose: "order-fulfilment", Withheld: []vault.Withheld{{Field: "email", Code: privacy.CodePolicy}}}
	a := api.Answered{Method: "POST", Route: "/v1/reads", Status: 200, Encoding: 1, Took: 2}
	n := testing.AllocsPerRun(100, func() {
		m.Observe(t.Context(), o)
		m.Answered(m.Arrived(t.Context(), a.Began, nil), a)
	})
	if n != 0 {
		t.Errorf("got %v allocations a read, want none", n)
	}
}

// That one more event was kept, and taken by somebody's webhook, would tell whoever
// did something to a person that the person is known: /metrics does not show it.
func TestOneEventMoreDoesNotShow(t *testing.T) {
	shown := func(o vault.OutboxStats) string {
		m := metrics.New(metrics.Config{})
		m.Watch(metrics.Sources{Outbox: func() vault.OutboxStats { return o }})
		var page strings.Builder
		if err := m.Expose(&page); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(page.String()) {
			if strings.HasPrefix(line, "sayso_outbox") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	before := vault.OutboxStats{Kept: 5000, Waiting: 5, Dead: 1, Oldest: 90 * time.Second, Delivered: 5000, Failed: 12}
	after := vault.OutboxStats{Kept: 5001, Waiting: 6, Dead: 1, Oldest: 91 * time.Second, Delivered: 5001, Failed: 13}
	if a, b := shown(before), shown(after); a != b || !strings.Contains(a, "sayso_outbox_waiting 8") || !strings.Contains(a, "sayso_outbox_oldest_seconds 60") {
		t.Errorf("before\n%safter\n%s", a, b)
	}
}
