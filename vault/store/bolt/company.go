package bolt

import (
	"runtime"
	"time"
)

// A group of many costs its sync once, so where many append a leader waits for
// company. Nothing else makes it wait on a fast disk: its groups would be as
// small as what the processors get done during one sync.
const (
	few      = 4                      // nobody waits where fewer append at a time
	crowd    = 32                     // nor for more than so many
	patience = 500 * time.Microsecond // nor once nobody came for so long
	gathered = 64                     // entries are enough for one sync in any case
)

// company is how many entries a group waits for. It feels its way up while those
// who are waited for come, and back when they do not. A lone appender is never
// waited with: nobody was together with it.
type company struct {
	want  uint64
	came  int       // groups since want changed
	last  time.Time // when the last group was durable
	timer *time.Timer
}

// expected is how many entries a group that is led now waits for. What was so a
// while ago tells nothing.
func (c *company) expected(now time.Time) uint64 {
	if now.Sub(c.last) > 10*patience {
		c.want, c.came = 0, 0
	}
	return c.want
}

// learn takes what became of a group: how many it was, how many have gathered
// since for the next one, and whether it had waited in vain.
func (c *company) learn(now time.Time, count, after uint64, late bool) {
	c.last = now
	switch {
	case late && count < few:
		c.want, c.came = 0, 0
	case late: // perhaps they are only slow
		c.want, c.came = c.want*7/8, 0
	case count+after < few || c.want == crowd:
	case count > c.want:
		c.want, c.came = min(count, crowd), 0
	default:
		if c.came++; c.came == 16 {
			c.want, c.came = c.want+1, 0
		}
	}
}

// gather returns when g, which is the open group, need not wait for more, and
// whether it waited in vain.
func (a *appender) gather(g *group) (late bool) {
	a.mu.Lock()
	want, count := a.company.expected(time.Now()), g.count
	waits := want >= few && count < want
	if waits {
		g.want = want
	}
	a.mu.Unlock()
	if waits {
		return a.waitFor(g, count)
	}
	// Let those run who are ready to append: a lone appender loses nothing by it,
	// and where more goroutines than cores append, it gathers nearly all.
	for before := uint64(0); count != before && count < gathered; {
		before = count
		runtime.Gosched()
		count = a.counted(g)
	}
	return false
}

// waitFor returns when g is as large as it wants to be, or when nobody has come
// for a while to those who were there before.
func (a *appender) waitFor(g *group, before uint64) (late bool) {
	if a.company.timer == nil {
		a.company.timer = time.NewTimer(patience)
	} else {
		a.company.timer.Reset(patience)
	}
	for {
		select {
		case <-g.full:
			a.company.timer.Stop()
			return false
		case <-a.company.timer.C:
		}
		count := a.counted(g)
		if count == before {
			return count < g.want
		}
		before = count
		a.company.timer.Reset(patience)
	}
}

func (a *appender) counted(g *group) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return g.count
}
