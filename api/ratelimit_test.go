package api

import (
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// A channel sees its limits on every answer, whatever the answer is; nobody else does,
// and neither does a channel that has none.
func TestLimitsAreToldWithEveryAnswer(t *testing.T) {
	b := newBench(t)
	b.srv.now = func() time.Time { return morning }
	body := `{"subject":"` + ana.String() + `","purpose":"delivery"}`
	if a := b.call("POST", "/v1/reads", body, "web"); a.header.Get("RateLimit") != "" {
		t.Errorf("no limits: got %v", a.header)
	}
	left := 9
	b.limits = func() []vault.LimitState {
		return []vault.LimitState{{Name: "requests_per_minute", Limit: 600, Left: 12, Resets: morning.Add(time.Minute), Window: time.Minute},
			{Name: "people_per_day", Limit: 10, Left: left, Resets: morning.Add(90*time.Minute + time.Millisecond), Window: 24 * time.Hour}}
	}
	const policy = `"requests_per_minute";q=600;w=60, "people_per_day";q=10;w=86400`
	for what, c := range map[string]struct {
		read error
		left int
		want string
	}{
		"released": {nil, 9, `"requests_per_minute";r=12;t=60, "people_per_day";r=9;t=5401`},
		"denied":   {&vault.DeniedError{Decision: decision, Purpose: "delivery", Withheld: []vault.Withheld{{Field: "email", Code: privacy.CodeNoConsent}}}, 9, `"requests_per_minute";r=12;t=60, "people_per_day";r=9;t=5401`},
		"used up":  {&vault.Error{Code: vault.CodeRateLimited, RetryAfter: 40 * time.Second}, 0, `"requests_per_minute";r=12;t=60, "people_per_day";r=0;t=40`},
	} {
		left = c.left
		b.read = func(vault.Caller, vault.ReadRequest) (*vault.ReadResult, error) {
			if c.read != nil {
				return nil, c.read
			}
			return &vault.ReadResult{}, nil
		}
		a := b.call("POST", "/v1/reads", body, "web")
		if a.header.Get("RateLimit-Policy") != policy || a.header.Get("RateLimit") != c.want {
			t.Errorf("%s: got %q and %q, want %q and %q", what, a.header.Get("RateLimit-Policy"), a.header.Get("RateLimit"), policy, c.want)
		}
	}
	if a := b.call("POST", "/v1/reads/batch", body, "web"); a.header.Get("RateLimit") == "" {
		t.Error("a stream: nothing told")
	}
	for who, path := range map[string]string{"officer": "/v1/channels", "": "/healthz"} {
		if a := b.call("GET", path, "", who); a.header.Get("RateLimit") != "" {
			t.Errorf("%q: got %v", who, a.header)
		}
	}
}
