package command

import (
	"strings"
	"testing"
	"time"
)

// A bar tells how fast it goes since it was first shown, and how long the rest
// will take; what was done in an earlier run does not make it look fast.
func TestABarTellsPaceAndTimeLeft(t *testing.T) {
	var shown strings.Builder
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	b := &bar{w: &shown, now: func() time.Time { return now }}
	last := func() string { s := shown.String(); return s[strings.LastIndex(s, "\r")+1:] }
	b.show("Importing", 40_000, 100_000)
	if got := last(); !strings.HasPrefix(got, "Importing [============                  ] 40000 of 100000") || strings.Contains(got, "second") {
		t.Errorf("at first: %q", got)
	}
	now = now.Add(2 * time.Second)
	b.show("Importing", 60_000, 100_000)
	if got := last(); !strings.HasSuffix(strings.TrimSpace(got), "60000 of 100000, 10000 a second, 4s left") {
		t.Errorf("after two seconds: %q", got)
	}
	b.show("index", 0, 10)
	if got := last(); strings.Contains(got, "second") {
		t.Errorf("another stage: %q", got)
	}
}
