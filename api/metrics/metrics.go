package metrics

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Config is what Metrics are made of. Nothing is required.
type Config struct {
	// Version of the program. Default: "dev".
	Version string
	// Every is how long an exposition is good for, so that looking often costs
	// little. Default: a second.
	Every time.Duration
}

// Metrics are the counters of one served vault. They are safe for concurrent
// use.
type Metrics struct {
	registry *prometheus.Registry
	every    time.Duration

	decisions cached[decisionLabels, prometheus.Counter]
	questions cached[decisionLabels, prometheus.Counter]
	withheld  cached[privacy.Code, prometheus.Counter]
	reused    prometheus.Counter
	evaluated prometheus.Counter
	again     prometheus.Counter
	stages    [stages]prometheus.Observer
	requests  cached[requestLabels, prometheus.Counter]
	took      cached[routeLabels, prometheus.Observer]

	mu      sync.Mutex // guards what follows
	sources Sources
	text    []byte
	taken   time.Time
}

var (
	_ vault.Observer = (*Metrics)(nil)
	_ api.Observer   = (*Metrics)(nil)
	_ api.Metrics    = (*Metrics)(nil)
)

type (
	decisionLabels struct {
		purpose privacy.PurposeID
		outcome vault.Outcome
	}
	requestLabels struct {
		method, route string
		status        int
	}
	routeLabels struct{ method, route string }
)

// The stages of a read over HTTP: the server's before the vault's, and one
// after.
const (
	stageRoute = iota
	stageToken
	stageVault  // its first
	stageEncode = stageVault + int(vault.Stages)
	stages      = stageEncode + 1
)

// readRoute is the route whose parts are measured.
const readRoute = "/v1/reads"

// New returns counters that stand at zero.
func New(cfg Config) *Metrics {
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	m := &Metrics{registry: prometheus.NewRegistry(), every: cfg.Every}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(v)
		return v
	}
	decisions := vec("sayso_decisions_total", "Reads, by purpose and what became of them.", "purpose", "outcome")
	m.decisions.make = func(l decisionLabels) prometheus.Counter {
		return decisions.WithLabelValues(string(l.purpose), l.outcome.String())
	}
	questions := vec("sayso_questions_total", "Questions that open no value (consent state, missing fields), by purpose and what became of them.", "purpose", "outcome")
	m.questions.make = func(l decisionLabels) prometheus.Counter {
		return questions.WithLabelValues(string(l.purpose), l.outcome.String())
	}
	withheld := vec("sayso_withheld_fields_total", "Fields withheld in reads, by code as the channel was told.", "code")
	m.withheld.make = func(c privacy.Code) prometheus.Counter { return withheld.WithLabelValues(string(c)) }
	deciding := vec("sayso_released_decisions_total", "Reads that released something, by whether the rules were evaluated or an equal decision was reused.", "how")
	m.reused, m.evaluated = deciding.WithLabelValues("reused"), deciding.WithLabelValues("evaluated")
	m.again = vec("sayso_read_retries_total", "Reads decided again because what they were decided on changed.").WithLabelValues()
	stage := histogram("sayso_read_stage_seconds", "Time of a read by stage; snapshot, decide and open only of reads that released something.", fine, "stage")
	for i, name := range stageNames() {
		m.stages[i] = stage.WithLabelValues(name)
	}
	requests := vec("sayso_http_requests_total", "Requests answered.", "method", "route", "status")
	m.requests.make = func(l requestLabels) prometheus.Counter {
		return requests.WithLabelValues(l.method, l.route, strconv.Itoa(l.status))
	}
	took := histogram("sayso_http_request_seconds", "Time from a request's headers to the end of its answer.", coarse, "method", "route")
	m.took.make = func(l routeLabels) prometheus.Observer { return took.WithLabelValues(l.method, l.route) }
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sayso_build_info", Help: "The program; always 1."}, []string{"version", "go"})
	build.WithLabelValues(cfg.Version, runtime.Version()).Set(1)
	m.registry.MustRegister(build)
	m.registry.MustRegister(process()...)
	return m
}

func stageNames() (names [stages]string) {
	names[stageRoute], names[stageToken], names[stageEncode] = "route", "token", "encode"
	for s := range vault.Stages {
		names[stageVault+int(s)] = s.String()
	}
	return names
}

// The bounds of histograms, in seconds.
var (
	fine = []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1}

	coarse = []float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 30}
)

// Observe implements vault.Observer.
func (m *Metrics) Observe(_ context.Context, o vault.Observation) {
	labels := decisionLabels{o.Purpose, o.Outcome}
	if o.Peek {
		m.questions.get(labels).Inc()
		return
	}
	m.decisions.get(labels).Inc()
	for _, w := range o.Withheld {
		m.withheld.get(w.Code).Inc()
	}
	if o.Attempts > 1 {
		m.again.Add(float64(o.Attempts - 1))
	}
	record := vault.StageRecord
	if o.Took[record] > 0 { // a read over a limit has none
		m.stages[stageVault+int(record)].Observe(o.Took[record].Seconds())
	}
	if o.Outcome != vault.Released && o.Outcome != vault.Masked {
		return // the rest would tell more of it than the answer did
	}
	if o.Reused {
		m.reused.Inc()
	} else {
		m.evaluated.Inc()
	}
	for s := range record {
		m.stages[stageVault+int(s)].Observe(o.Took[s].Seconds())
	}
}

// Arrived implements api.Observer.
func (m *Metrics) Arrived(ctx context.Context, _ time.Time, _ http.Header) context.Context {
	return ctx
}

// Answered implements api.Observer.
func (m *Metrics) Answered(_ context.Context, a api.Answered) {
	m.requests.get(requestLabels{a.Method, a.Route, a.Status}).Inc()
	m.took.get(routeLabels{a.Method, a.Route}).Observe(a.Took.Seconds())
	if a.Route == readRoute {
		m.stages[stageRoute].Observe(a.Routed.Seconds())
		m.stages[stageToken].Observe((a.Admitted - a.Routed).Seconds())
		if a.Encoding > 0 {
			m.stages[stageEncode].Observe((a.Took - a.Encoding).Seconds())
		}
	}
}

// begin shows zeros of what has not happened yet, so that its first time is seen
// as an increase. mu is held.
func (m *Metrics) begin() {
	if m.sources.Vault == nil {
		return
	}
	for _, purpose := range m.sources.Vault().Purposes {
		for o := range vault.Outcomes {
			m.decisions.get(decisionLabels{purpose, o})
		}
	}
}

// Expose implements api.Metrics: it writes all metrics in the text format. What
// was taken a moment ago is given again.
func (m *Metrics) Expose(w io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.text == nil || time.Since(m.taken) >= m.every {
		m.begin()
		families, err := m.registry.Gather()
		if err != nil {
			return err
		}
		var text bytes.Buffer
		enc := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "process_network_") {
				continue // of the whole machine
			}
			if err := enc.Encode(f); err != nil {
				return err
			}
		}
		m.text, m.taken = text.Bytes(), time.Now()
	}
	_, err := w.Write(m.text)
	return err
}
