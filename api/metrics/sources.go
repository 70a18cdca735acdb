package metrics

import (
	"math/bits"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/vault"
)

// Sources are asked whenever somebody looks. One that is nil is left out.
type Sources struct {
	// Vault tells the vault's numbers.
	Vault func() vault.Stats
	// Outbox tells the numbers of events.
	Outbox func() vault.OutboxStats
	// Ready tells whether the vault can be relied on.
	Ready func() bool
	// Tokens tells how checks of access tokens went.
	Tokens func() authn.CacheStats
	// Storage tells what the engine below the vault does.
	Storage func() Storage
	// Certificate tells when the TLS certificate served ends; the zero time if
	// none is.
	Certificate func() time.Time
}

// Storage are the numbers of an engine. Those of the keys' own engine are not
// among them: by its commits a channel could see that somebody was new.
type Storage struct {
	Bytes    int64  // of the vault's file
	LogBytes int64  // of the log's files
	Ledger   uint64 // entries

	Commit, CommitUpdates   Spread // seconds and updates a commit of the vault's file
	LogSync, LogSyncRecords Spread // seconds and records a sync of the log
	LedgerSync              Spread // seconds a sync of the ledger
}

// Spread is how a number was spread: how many were at most each bound, and in
// all, and their sum.
type Spread struct {
	Counts map[float64]uint64
	All    uint64
	Sum    float64
}

// Watch shows the numbers of what is asked. It is called once, before anybody
// looks.
func (m *Metrics) Watch(s Sources) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sources = s
	m.registry.MustRegister(&watched{Sources: s})
}

// watched is the collector of Sources.
type watched struct{ Sources }

// Describe implements prometheus.Collector. It says nothing: what there is
// depends on the sources.
func (w *watched) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (w *watched) Collect(to chan<- prometheus.Metric) {
	number := func(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names(labels), nil), kind, v, values(labels)...)
	}
	gauge := func(name, help string, v float64, labels ...string) {
		number(prometheus.GaugeValue, name, help, v, labels...)
	}
	spread := func(name, help string, s Spread) {
		to <- prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, nil, nil), s.All, s.Sum, s.Counts)
	}
	if w.Vault != nil {
		s := w.Vault()
		gauge("sayso_log_records", "Durable records of the log.", float64(s.Records))
		gauge("sayso_log_checkpoint_records", "Of them, those under the signed checkpoint.", float64(s.Checkpoint))
		gauge("sayso_log_checkpoint_lag_seconds", "Since the checkpoint last covered all that was durable.", s.Behind.Seconds())
		gauge("sayso_key_epoch", "Epoch of the key-encryption key and of the blind index.", float64(s.KEKEpoch), "key", "kek")
		gauge("sayso_key_epoch", "Epoch of the key-encryption key and of the blind index.", float64(s.IndexEpoch), "key", "index")
		gauge("sayso_register_revision", "Revision of the register in force.", float64(s.Register))
		gauge("sayso_clock_believed", "1 while the clock is believed, else 0.", bit(s.Believed))
	}
	if w.Outbox != nil {
		// What is told of is told to channels that may know it, and this page shows
		// it to everybody: that one more event was taken by somebody would tell who did
		// something to a person that this person is known. So these go in steps.
		const step = 1 << 10
		s := w.Outbox()
		gauge("sayso_outbox_events", "Events that are kept for a week, told or not, in steps of 1,024.", float64((s.Kept+step-1)/step*step))
		gauge("sayso_outbox_waiting", "Events that webhooks did not take and that are tried again, as a power of two.", float64(rounded(s.Waiting)))
		gauge("sayso_outbox_dead_letters", "Events that webhooks did not take for three days, as a power of two.", float64(rounded(s.Dead)))
		gauge("sayso_outbox_oldest_seconds", "Since the oldest event that waits was first tried, in whole minutes.", s.Oldest.Truncate(time.Minute).Seconds())
		gauge("sayso_outbox_streams", "Streams of events that are open.", float64(s.Streams))
		const help = "Attempts to send an event to a webhook, in steps of 1,024."
		number(prometheus.CounterValue, "sayso_outbox_deliveries_total", help, float64(s.Delivered/step*step), "outcome", "delivered")
		number(prometheus.CounterValue, "sayso_outbox_deliveries_total", help, float64(s.Failed/step*step), "outcome", "failed")
	}
	if w.Ready != nil {
		gauge("sayso_ready", "1 while the vault can be relied on, else 0.", bit(w.Ready()))
	}
	if w.Tokens != nil {
		s := w.Tokens()
		const help = "Checks of access tokens: known from before, or the signature checked."
		number(prometheus.CounterValue, "sayso_token_checks_total", help, float64(s.Hits), "how", "cached")
		number(prometheus.CounterValue, "sayso_token_checks_total", help, float64(s.Misses), "how", "verified")
		gauge("sayso_tokens_cached", "Access tokens remembered.", float64(s.Tokens))
	}
	if w.Storage != nil {
		s := w.Storage()
		// In whole steps: how many pages one write took is nobody's business.
		const step = 1 << 20
		gauge("sayso_store_bytes", "Size of the vault's file, in steps of a MiB.", float64((s.Bytes+step-1)/step*step))
		gauge("sayso_log_bytes", "Size of the log's files, what is prepared included.", float64(s.LogBytes))
		gauge("sayso_ledger_entries", "Entries of the ledger.", float64(s.Ledger))
		spread("sayso_store_commit_seconds", "Time of a commit of the vault's file.", s.Commit)
		spread("sayso_store_commit_updates", "Updates that shared a commit.", s.CommitUpdates)
		spread("sayso_log_sync_seconds", "Time to write and sync records of the log.", s.LogSync)
		spread("sayso_log_sync_records", "Records that shared a sync of the log.", s.LogSyncRecords)
		spread("sayso_ledger_sync_seconds", "Time to write and sync the ledger.", s.LedgerSync)
	}
	if w.Certificate != nil {
		if ends := w.Certificate(); !ends.IsZero() {
			gauge("sayso_tls_certificate_end_seconds", "When the TLS certificate served ends, as Unix time.", float64(ends.Unix()))
		}
	}
}

// rounded is a number up to the next power of two.
func rounded(n int) uint64 {
	if n <= 0 {
		return 0
	}
	return 1 << bits.Len(uint(n-1))
}

// names and values take apart a list of label, value, label, value …
func names(labels []string) (of []string) {
	for i := 0; i < len(labels); i += 2 {
		of = append(of, labels[i])
	}
	return of
}

func values(labels []string) (of []string) {
	for i := 1; i < len(labels); i += 2 {
		of = append(of, labels[i])
	}
	return of
}

func bit(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// process are the collectors of the process and of Go's runtime. Of memory they
// tell what the last collection left and what is mapped, not what one request
// allocated.
func process() []prometheus.Collector {
	return []prometheus.Collector{
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(
			collectors.WithGoCollectorMemStatsMetricsDisabled(),
			collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
				Matcher: regexp.MustCompile(`^(/gc/cycles/total:gc-cycles|/gc/heap/live:bytes|/memory/classes/total:bytes)$`)})),
	}
}
