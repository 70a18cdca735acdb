package console

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sayso-vault/sayso/api/web/page"
)

// errTooOften is answered to who tries too often to get in.
var errTooOften = errors.New("too many tries")

// How often somebody may try to get in: a few times at once, then now and then.
// Secrets and codes are of 256 random bits, so this guards the server, not them.
const (
	tryBurst = 10
	tryEvery = 10 * time.Second
	maxTries = 4096 // addresses and names that are remembered at once
)

// tries counts tries to get in by address and name.
type tries struct {
	now     func() time.Time
	proxied bool
	mu      sync.Mutex // guards by
	by      map[string]*rate.Limiter
}

func newTries(now func() time.Time, proxied bool) *tries {
	return &tries{now: now, proxied: proxied, by: map[string]*rate.Limiter{}}
}

// allow reports whether another try of that name may be made from where r comes.
func (t *tries) allow(r *http.Request, name string) bool {
	key, now := page.Origin(r, t.proxied)+" "+name[:min(len(name), 100)], t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter := t.by[key]
	if limiter == nil {
		if len(t.by) >= maxTries {
			t.forget(now)
		}
		limiter = rate.NewLimiter(rate.Every(tryEvery), tryBurst)
		t.by[key] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forget makes room: those go who could try as often as a newcomer, or, under
// attack, all.
func (t *tries) forget(now time.Time) {
	for key, limiter := range t.by {
		if limiter.TokensAt(now) >= tryBurst {
			delete(t.by, key)
		}
	}
	if len(t.by) >= maxTries {
		clear(t.by)
	}
}
