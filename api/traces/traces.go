package traces

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/vault"
)

// Config is what Traces are made of. Nothing is required.
type Config struct {
	// Endpoint is the collector's base address, such as
	// http://127.0.0.1:4318; /v1/traces is put behind it. Default: what the
	// variables of OTLP say (OTEL_EXPORTER_OTLP_ENDPOINT and its kin).
	Endpoint string
	// Version of the program. Default: "dev".
	Version string
	// Logger is told what could not be sent. Default: none.
	Logger *slog.Logger
}

// Traces makes spans and sends them. They are safe for concurrent use.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

var (
	_ vault.Observer = (*Traces)(nil)
	_ api.Observer   = (*Traces)(nil)
)

// New returns Traces that send in the background, in batches. Which requests
// are sampled is for OTEL_TRACES_SAMPLER to say; by default all are.
func New(ctx context.Context, cfg Config) (*Traces, error) {
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	var options []otlptracehttp.Option
	if cfg.Endpoint != "" {
		u, err := endpoint(cfg.Endpoint)
		if err != nil {
			return nil, err
		}
		options = append(options, otlptracehttp.WithEndpointURL(u))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("setting up the exporter of traces: %w", err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", "sayso"), attribute.String("service.version", cfg.Version))
	named, err := resource.New(ctx, resource.WithFromEnv()) // what operators call this service wins
	if err == nil {
		about, err = resource.Merge(about, named)
	}
	if err != nil {
		return nil, fmt.Errorf("naming the service in traces: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(&told{SpanExporter: exporter, logger: cfg.Logger}), sdk.WithResource(about))
	return &Traces{provider: provider, tracer: provider.Tracer("github.com/sayso-vault/sayso")}, nil
}

// Close sends what is left, for as long as ctx lasts.
func (t *Traces) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// told tells of what could not be sent once, not at every attempt: a collector
// that is away must not fill the log.
type told struct {
	sdk.SpanExporter
	logger  *slog.Logger
	failing atomic.Bool
}

// ExportSpans implements sdk.SpanExporter. The spans of an attempt that failed
// are gone.
func (e *told) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.failing.Swap(true):
		e.logger.Warn("traces cannot be sent", "err", err)
	case err == nil && e.failing.Swap(false):
		e.logger.Info("traces can be sent again")
	}
	return nil
}

// Arrived implements api.Observer: it begins the request's span.
func (t *Traces) Arrived(ctx context.Context, began time.Time, h http.Header) context.Context {
	ctx, _ = t.tracer.Start(within(ctx, h), "request", trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindServer))
	return ctx
}

// Answered implements api.Observer: it ends the request's span, and makes those
// of its stages.
func (t *Traces) Answered(ctx context.Context, a api.Answered) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	ended := a.Began.Add(a.Took)
	t.stage(ctx, "route", a.Began, a.Routed)
	t.stage(ctx, "token", a.Began.Add(a.Routed), a.Admitted-a.Routed)
	if a.Encoding > 0 {
		t.stage(ctx, "encode", a.Began.Add(a.Encoding), a.Took-a.Encoding)
	}
	span.SetName(a.Method + " " + a.Route)
	span.SetAttributes(attribute.String("http.request.method", a.Method), attribute.String("http.route", a.Route),
		attribute.Int("http.response.status_code", a.Status), attribute.String("sayso.request_id", a.RequestID))
	if a.Code != "" {
		span.SetAttributes(attribute.String("sayso.code", a.Code))
	}
	if a.Channel != "" {
		span.SetAttributes(attribute.String("sayso.channel", string(a.Channel)))
	}
	if a.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, a.Code)
	}
	span.End(trace.WithTimestamp(ended))
}

// Observe implements vault.Observer: it makes the span of a question, with one
// for each of its stages, laid one after the other.
func (t *Traces) Observe(ctx context.Context, o vault.Observation) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	name := "read"
	if o.Peek {
		name = "question"
	}
	at := o.Began
	ctx, span := t.tracer.Start(ctx, name, trace.WithTimestamp(at))
	for s, took := range o.Took {
		t.stage(ctx, vault.Stage(s).String(), at, took)
		at = at.Add(took)
	}
	span.SetAttributes(attribute.String("sayso.purpose", string(o.Purpose)), attribute.String("sayso.outcome", o.Outcome.String()),
		attribute.Bool("sayso.reused", o.Reused), attribute.Int("sayso.attempts", o.Attempts))
	if o.Outcome != vault.Refused && o.Outcome != vault.Failed {
		span.SetAttributes(attribute.String("sayso.decision", o.Decision.String()))
	}
	if o.Outcome == vault.Failed {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(at))
}

func (t *Traces) stage(ctx context.Context, name string, at time.Time, took time.Duration) {
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(at))
	span.End(trace.WithTimestamp(at.Add(took)))
}
