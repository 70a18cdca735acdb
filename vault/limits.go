package vault

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// limits counts what the register limits for each channel: requests, people
// asked about in a day, answers that released nothing, captures that change one
// person. It counts references asked, never whether a person was found, so
// that a limit tells nobody who is known. Days are UTC. Counts live in memory:
// a restart begins them anew.
type limits struct {
	now func() time.Time

	mu       sync.Mutex // guards the rest
	day      string
	channels map[privacy.ChannelID]*counts
}

type counts struct {
	requests  *rate.Limiter
	perMinute int
	asked     map[[32]byte]struct{}
	forgotten int // references asked about of people who were erased since
	empty     int
	listings  int // audiences on their way
	captures  map[privacy.SubjectID]int
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, channels: map[privacy.ChannelID]*counts{}}
}

// of returns the channel's counts of today; mu is held.
func (l *limits) of(ch privacy.ChannelID) *counts {
	if today := l.now().UTC().Format(time.DateOnly); today != l.day {
		l.day = today
		for _, c := range l.channels {
			c.asked, c.captures, c.empty, c.forgotten = map[[32]byte]struct{}{}, map[privacy.SubjectID]int{}, 0, 0
		}
	}
	c := l.channels[ch]
	if c == nil {
		c = &counts{asked: map[[32]byte]struct{}{}, captures: map[privacy.SubjectID]int{}}
		l.channels[ch] = c
	}
	return c
}

func (l *limits) tomorrow() time.Time {
	y, m, d := l.now().UTC().Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
}

func (l *limits) exceeded(what string) *Error {
	return &Error{Code: CodeRateLimited, Detail: "the channel's limit is reached: " + what, RetryAfter: l.tomorrow().Sub(l.now()).Round(time.Second) + time.Second}
}

// request counts one request.
func (l *limits) request(ch *register.Channel) error {
	per := ch.Limits.RequestsPerMinute
	if per == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(ch.ID)
	if c.requests == nil || c.perMinute != per {
		c.requests, c.perMinute = rate.NewLimiter(rate.Limit(float64(per)/60), per), per
	}
	now := l.now()
	r := c.requests.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return &Error{Code: CodeRateLimited, Detail: "the channel's limit is reached: requests_per_minute", RetryAfter: wait}
	}
	return nil
}

// ask counts a reference asked about, which has a name only where it is counted. What was asked before today costs
// nothing, and neither does anything once empty answers are used up: then
// nothing is answered at all.
func (l *limits) ask(ch *register.Channel, name func() [32]byte) error {
	if ch.Limits.PeoplePerDay == 0 && ch.Limits.EmptyAnswersPerDay == 0 {
		return nil
	}
	ref := name()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(ch.ID)
	if n := ch.Limits.EmptyAnswersPerDay; n > 0 && c.empty >= n {
		return l.exceeded("empty_answers_per_day")
	}
	if n := ch.Limits.PeoplePerDay; n > 0 {
		if _, ok := c.asked[ref]; !ok {
			if len(c.asked)+c.forgotten >= n {
				return l.exceeded("people_per_day")
			}
			c.asked[ref] = struct{}{}
		}
	}
	return nil
}

// empty counts an answer that released nothing.
func (l *limits) empty(ch *register.Channel) {
	if ch.Limits.EmptyAnswersPerDay == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(ch.ID).empty++
}

// maxListings is how many audiences one channel is given at once: each goes through
// everybody there is.
const maxListings = 4

// list begins an audience, which is over when done is called.
func (l *limits) list(ch *register.Channel) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(ch.ID)
	if c.listings == maxListings {
		return nil, &Error{Code: CodeRateLimited, Detail: fmt.Sprintf("this channel is being given %d audiences already", maxListings), RetryAfter: time.Second}
	}
	c.listings++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		c.listings--
	}, nil
}

// capture counts a capture that changes a person.
func (l *limits) capture(ch *register.Channel, id privacy.SubjectID) error {
	n := ch.Limits.CapturesPerPersonPerDay
	if n == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(ch.ID)
	if c.captures[id] >= n {
		return l.exceeded("captures_per_person_per_day")
	}
	c.captures[id]++
	return nil
}

// forget forgets somebody by the names of references to them. That they were
// asked about goes on counting.
func (l *limits) forget(id privacy.SubjectID, names [][32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.channels {
		delete(c.captures, id)
		for _, name := range names {
			if _, ok := c.asked[name]; ok {
				delete(c.asked, name)
				c.forgotten++
			}
		}
	}
}

// LimitState is a limit of a channel and what is left of it.
type LimitState struct {
	Name   string    `json:"name"`
	Limit  int       `json:"limit"`
	Left   int       `json:"left"`
	Resets time.Time `json:"resets"`
	// Window is how long it is a limit for.
	Window time.Duration `json:"-"`
}

const limitCaptures = "captures_per_person_per_day"

// left returns the channel's limits as they stand.
func (l *limits) left(ch *register.Channel) []LimitState {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, states := l.of(ch.ID), []LimitState{}
	if n := ch.Limits.RequestsPerMinute; n > 0 {
		left := n
		if c.requests != nil && c.perMinute == n {
			left = max(0, int(c.requests.TokensAt(l.now())))
		}
		states = append(states, LimitState{"requests_per_minute", n, left, l.now().UTC().Add(time.Minute).Truncate(time.Second), time.Minute})
	}
	if n := ch.Limits.PeoplePerDay; n > 0 {
		states = append(states, LimitState{"people_per_day", n, max(0, n-len(c.asked)-c.forgotten), l.tomorrow(), 24 * time.Hour})
	}
	if n := ch.Limits.EmptyAnswersPerDay; n > 0 {
		states = append(states, LimitState{"empty_answers_per_day", n, max(0, n-c.empty), l.tomorrow(), 24 * time.Hour})
	}
	if n := ch.Limits.CapturesPerPersonPerDay; n > 0 {
		states = append(states, LimitState{limitCaptures, n, n, l.tomorrow(), 24 * time.Hour})
	}
	return states
}

// Limits returns the limits of a channel and what is left of them, none of them
// about one person: what they say is the same whoever was asked about, and found or
// not.
func (v *Vault) Limits(by Caller) []LimitState {
	channel := by.Client.channel
	if channel == nil || channel.Limits == (register.Limits{}) {
		return nil
	}
	return slices.DeleteFunc(v.limits.left(channel), func(l LimitState) bool { return l.Name == limitCaptures })
}
