package command

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	jsonexp "github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/examples"
)

func page(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", url, resp.StatusCode, err)
	}
	return string(text)
}

// A served vault counts what it and its disk do, and sends its traces where the
// environment says. Neither they nor the docs learn who Anahita is.
func TestAServedVaultIsWatched(t *testing.T) {
	var mu sync.Mutex // guards sent
	var sent strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&sent, r.Body)
	}))
	personal := regexp.MustCompile(`(?i)anahita|quintero|example\.org|sub_[0-9a-z]{5}`)
	t.Cleanup(func() { // when the vault was closed, and what was left is sent
		collector.Close()
		if all := sent.String(); !strings.Contains(all, "POST /v1/reads") || !strings.Contains(all, "order-fulfilment") || personal.MatchString(all) {
			t.Errorf("the traces lack the read, or name a person: %q", personal.FindString(all))
		}
	})
	t.Setenv(envCollector, collector.URL)
	s := openShop(t, examples.ShopRegister())
	before := page(t, s.url+"/docs")
	var fields wire.Values
	if err := jsonexp.Unmarshal([]byte(`{"given_name":"Anahita","family_name":"Quintero","email":"ana.quintero@example.org"}`), &fields); err != nil {
		t.Fatal(err)
	}
	if _, err := s.channels["web"].Capture(t.Context(), &wire.CaptureRequest{Fields: fields}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.read("web", "order-fulfilment", "ana.quintero@example.org"); err != nil || got["family_name"] != "Quintero" {
		t.Fatalf("reading her: %v %v", got, err)
	}
	metrics := page(t, s.url+"/metrics")
	for name, least := range map[string]float64{
		`sayso_decisions_total{outcome="released",purpose="order-fulfilment"}`: 1,
		"sayso_log_records":                        4,
		"sayso_log_bytes":                          1 << 20,
		"sayso_log_sync_seconds_count":             2,
		"sayso_log_sync_records_sum":               2,
		"sayso_store_bytes":                        1 << 20,
		"sayso_store_commit_seconds_count":         2,
		"sayso_store_commit_seconds_sum":           1e-6,
		"sayso_store_commit_updates_sum":           2,
		"sayso_ledger_entries":                     1,
		"sayso_ledger_sync_seconds_count":          0,
		"sayso_ready":                              1,
		"sayso_clock_believed":                     1,
		`sayso_key_epoch{key="kek"}`:               1,
		"process_resident_memory_bytes":            1 << 20,
		"sayso_log_checkpoint_lag_seconds":         0,
		`sayso_token_checks_total{how="verified"}`: 2,
	} {
		_, rest, found := strings.Cut(metrics, "\n"+name+" ")
		value, _, _ := strings.Cut(rest, "\n")
		if got, err := strconv.ParseFloat(value, 64); !found || err != nil || got < least {
			t.Errorf("%s: got %q, want at least %v", name, value, least)
		}
	}
	if who := personal.FindString(metrics); who != "" {
		t.Errorf("/metrics shows %s", who)
	}
	if after := page(t, s.url+"/docs"); after != before || personal.MatchString(after) {
		t.Error("the docs changed by what happened, or name a person")
	}
}

// Where nobody collects traces, or they were turned off, nothing is set up for
// them.
func TestWithoutACollectorThereAreNoTraces(t *testing.T) {
	for _, env := range []map[string]string{{}, {envCollector: "http://127.0.0.1:4318", envNoTelemetry: "true"}} {
		for _, name := range []string{envCollector, envTracesCollector, envNoTelemetry} {
			t.Setenv(name, env[name])
		}
		w, err := watch(t.Context(), "", slog.New(slog.DiscardHandler))
		if err != nil || w.traces != nil || w.observer() != observer(w.metrics) {
			t.Errorf("with %v: got traces %v, %v", env, w.traces, err)
		}
	}
}
