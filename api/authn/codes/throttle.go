package codes

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// mostOrigins bounds what a throttle remembers.
const mostOrigins = 1 << 16

// throttle lets each origin do something so many times at once, and then once in
// a while.
type throttle struct {
	every time.Duration
	burst int

	mu   sync.Mutex // guards each
	each map[string]*rate.Limiter
}

func newThrottle(every time.Duration, burst int) *throttle {
	return &throttle{every: every, burst: burst, each: map[string]*rate.Limiter{}}
}

// allow counts one, or returns a *ThrottledError. When more origins than can be
// remembered are busy, new ones wait: nobody gets free tries by crowding others out.
func (t *throttle) allow(origin string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.each[origin]
	if one == nil {
		if len(t.each) >= mostOrigins {
			for name, other := range t.each {
				if other.TokensAt(now) >= float64(t.burst) {
					delete(t.each, name)
				}
			}
		}
		if len(t.each) >= mostOrigins {
			return &ThrottledError{After: t.every}
		}
		one = rate.NewLimiter(rate.Every(t.every), t.burst)
		t.each[origin] = one
	}
	reserved := one.ReserveN(now, 1)
	if wait := reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
		return &ThrottledError{After: wait}
	}
	return nil
}
