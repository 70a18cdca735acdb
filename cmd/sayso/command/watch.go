package command

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/metrics"
	"github.com/sayso-vault/sayso/api/traces"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// The variables by which OpenTelemetry is told where to send traces, and that it
// must not.
const (
	envCollector       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesCollector = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envNoTelemetry     = "OTEL_SDK_DISABLED"
)

// watching is what a served vault is watched with: metrics always, traces where
// somebody collects them.
type watching struct {
	metrics *metrics.Metrics
	traces  *traces.Traces // nil: nobody collects, and nothing is set up
}

// watch makes what watches. An empty endpoint is that of the environment, if it
// has one.
func watch(ctx context.Context, endpoint string, logger *slog.Logger) (*watching, error) {
	w := &watching{metrics: metrics.New(metrics.Config{Version: version()})}
	if endpoint == "" && os.Getenv(envCollector) == "" && os.Getenv(envTracesCollector) == "" || os.Getenv(envNoTelemetry) == "true" {
		return w, nil
	}
	var err error
	w.traces, err = traces.New(ctx, traces.Config{Endpoint: endpoint, Version: version(), Logger: logger})
	return w, err
}

// Close sends the traces that are left, if somebody takes them soon.
func (w *watching) Close() error {
	if w.traces == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return w.traces.Close(ctx)
}

// observer is who the vault and the server tell.
func (w *watching) observer() observer {
	if w.traces == nil {
		return w.metrics
	}
	return both{w.metrics, w.traces}
}

type observer interface {
	vault.Observer
	api.Observer
}

// both tells one after the other.
type both [2]observer

func (b both) Observe(ctx context.Context, o vault.Observation) {
	for _, one := range b {
		one.Observe(ctx, o)
	}
}

func (b both) Arrived(ctx context.Context, at time.Time, h http.Header) context.Context {
	return b[1].Arrived(b[0].Arrived(ctx, at, h), at, h)
}

func (b both) Answered(ctx context.Context, a api.Answered) {
	for _, one := range b {
		one.Answered(ctx, a)
	}
}

// storage tells of the engines what metrics may know.
func (s stores) storage() metrics.Storage {
	data, ledger := s.data.Stats(), s.ledger.Stats()
	const second = 1e9 // of nanoseconds
	return metrics.Storage{
		Bytes: data.Bytes, LogBytes: data.LogBytes, Ledger: ledger.Entries,
		Commit: spread(data.CommitTook, second), CommitUpdates: spread(data.CommitOf, 1),
		LogSync: spread(data.SyncTook, second), LogSyncRecords: spread(data.SyncOf, 1),
		LedgerSync: spread(ledger.SyncTook, second),
	}
}

func spread(s bolt.Spread, unit float64) metrics.Spread {
	out := metrics.Spread{Counts: make(map[float64]uint64, len(s.Bounds)), All: s.Counts[len(s.Counts)-1], Sum: float64(s.Sum) / unit}
	for i, bound := range s.Bounds {
		out.Counts[float64(bound)/unit] = s.Counts[i]
	}
	return out
}
