package traces

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// within takes over the trace that a client says its request belongs to (W3C
// Trace Context), if its IDs look made by a machine: letters and digits both, as
// with request IDs, so that nobody's number becomes one. The state that may come
// along is free text, and stays out.
func within(ctx context.Context, h http.Header) context.Context {
	headers := h["Traceparent"]
	if len(headers) != 1 {
		return ctx
	}
	parts := strings.Split(headers[0], "-")
	if len(parts) != 4 || parts[0] != "00" || !sane(parts[1], 4) || !sane(parts[2], 1) {
		return ctx
	}
	traceID, err := trace.TraceIDFromHex(parts[1])
	spanID, err2 := trace.SpanIDFromHex(parts[2])
	if err != nil || err2 != nil || parts[3] != "00" && parts[3] != "01" {
		return ctx
	}
	cfg := trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, Remote: true}
	if parts[3] == "01" {
		cfg.TraceFlags = trace.FlagsSampled
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(cfg))
}

// sane reports whether an ID of hex digits has at least so many letters and
// digits of each.
func sane(id string, atLeast int) bool {
	letters := 0
	for _, c := range id {
		if c >= 'a' && c <= 'f' {
			letters++
		}
	}
	return letters >= atLeast && len(id)-letters >= atLeast
}

// errEndpoint: an address that nothing can be sent to.
var errEndpoint = errors.New("the endpoint of traces is not an address such as http://127.0.0.1:4318")

// endpoint is where traces go below the base address.
func endpoint(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", errEndpoint
	}
	return u.JoinPath("v1", "traces").String(), nil
}
