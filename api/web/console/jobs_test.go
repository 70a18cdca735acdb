package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/web/console"
	"github.com/sayso-vault/sayso/api/web/webtest"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// slow is a vault whose replays and reports take until they are let go.
type slow struct {
	console.Vault
	held chan struct{}
}

func (s *slow) wait(ctx context.Context, progress func(done, of uint64)) error {
	progress(3, 10)
	select {
	case <-s.held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slow) ReplayPolicy(ctx context.Context, _ vault.Caller, id string, _ vault.ReplayRequest, progress func(done, of uint64)) (*vault.PolicyReplay, error) {
	if err := s.wait(ctx, progress); err != nil {
		return nil, err
	}
	return &vault.PolicyReplay{Policy: id, Report: replay.Report{Decisions: 4321}}, nil
}

func (s *slow) Denials(ctx context.Context, _ vault.Caller, req vault.ReportRequest) (*vault.Denials, error) {
	if err := s.wait(ctx, req.Progress); err != nil {
		return nil, err
	}
	return &vault.Denials{Asked: 4321}, nil
}

// A replay that takes long outlives the request that began it and the page that
// showed it: it tells how far it is, is stopped by who began it and nobody else,
// and its page shows what came of it without being asked.
func TestWhatTakesLongGoesOnBehindThePage(t *testing.T) {
	browser := webtest.Start(t)
	s := &slow{held: make(chan struct{})}
	d := openWith(t, &vaulttest.Options{Now: time.Date(2026, 3, 7, 9, 0, 0, 0, time.UTC)}, func(c *console.Config) {
		s.Vault = c.Vault
		c.Vault = s
	})
	d.second("beatrix")
	draft, err := d.DraftPolicy(t.Context(), d.Officer, map[string]string{"rules.rego": noAddresses}, "No addresses")
	if err != nil {
		t.Fatal(err)
	}
	anna := browser.Tab(t, webtest.Options{})
	d.logIn(anna, first)
	begin := func() string {
		t.Helper()
		anna.Go(d.URL + "/console/rules/" + draft.ID)
		anna.Click("form[action='/console/replays'] button")
		anna.See("3 of 10 records")
		return strings.TrimSuffix(anna.Attribute("form[action$='/stop']", "action"), "/stop")
	}
	stopped := begin()
	anna.Accessible()
	anna.Shot("replay-running")
	// Beatrix sees it, and cannot stop it.
	if res := d.ask("beatrix", http.MethodGet, stopped, nil); res.StatusCode != http.StatusOK {
		t.Errorf("another officer looks at it: %d", res.StatusCode)
	}
	if res := d.ask("beatrix", http.MethodPost, stopped+"/stop", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("another officer stops it: %d", res.StatusCode)
	}
	anna.Go(d.URL + "/console/rules") // she leaves, and comes back
	anna.Go(d.URL + stopped)
	anna.See("3 of 10 records")
	anna.Click("form[action$='/stop'] button")
	anna.See("It was stopped.")

	// One too many is refused; it is not queued up.
	running := begin()
	begin()
	anna.Go(d.URL + "/console/reports/denials")
	anna.See("3 of 10 records")
	if again := begin(); again == running {
		t.Error("the same replay was shown twice")
	}
	if res := d.ask(first, http.MethodGet, "/console/reports/gaps", nil); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a fifth job: %d", res.StatusCode)
	}
	if res := d.ask("beatrix", http.MethodGet, "/console/reports/gaps", nil); res.StatusCode != http.StatusOK {
		t.Errorf("a job of another officer: %d", res.StatusCode)
	}
	anna.Go(d.URL + "/console/reports/denials")
	anna.See("3 of 10 records")
	close(s.held)
	anna.See("4321 questions") // without that she did anything
	anna.Go(d.URL + running)
	anna.See("4321")
}

// What still runs when the console ends ends with it: nothing is left behind, which
// TestMain looks at.
func TestWhatRunsEndsWithTheConsole(t *testing.T) {
	s := &slow{held: make(chan struct{})}
	d := openWith(t, nil, func(c *console.Config) {
		s.Vault = c.Vault
		c.Vault = s
	})
	if res := d.ask(first, http.MethodGet, "/console/reports/denials", nil); res.StatusCode != http.StatusOK {
		t.Errorf("a report that runs: %d", res.StatusCode)
	}
}
