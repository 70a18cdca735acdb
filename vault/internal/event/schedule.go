package event

import (
	"math/rand/v2"
	"time"
)

// schedule is when an event is tried again that a webhook did not take, as
// Standard Webhooks recommends; GiveUp is their sum, and a little.
var schedule = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// GiveUp is how long after its first attempt an event is a dead letter.
const GiveUp = 76 * time.Hour

// Again returns how long to wait after so many attempts at one event.
func Again(attempts int) time.Duration {
	return jitter(schedule[min(max(attempts-1, 0), len(schedule)-1)])
}

// The bounds of how often a webhook is tried that takes nothing at all.
const (
	probeFirst = 5 * time.Second
	probeMost  = 5 * time.Minute
)

// Probe returns how long to leave a webhook alone after so many failures in a row.
func Probe(failures int) time.Duration {
	return jitter(min(probeMost, probeFirst<<min(max(failures-1, 0), 10)))
}

// jitter takes or adds up to a tenth, so that what failed together is not tried
// together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5))) //nolint:gosec // nothing rests on it
}
