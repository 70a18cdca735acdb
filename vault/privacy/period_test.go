package privacy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What a period lasts at least, it lasts whenever it begins: in a leap year, at
// the end of a month, and where clocks are put forward.
func TestNoPeriodIsShorterThanItsLeast(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := Period{
			Years:  rapid.IntRange(0, 12).Draw(t, "years"),
			Months: rapid.IntRange(0, 30).Draw(t, "months"),
			Days:   rapid.IntRange(0, 800).Draw(t, "days"),
			Time:   time.Duration(rapid.IntRange(0, 100_000).Draw(t, "seconds")) * time.Second,
		}
		from := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "from"), 0).In(rapid.SampledFrom([]*time.Location{time.UTC, berlin}).Draw(t, "where"))
		if from.Add(p.AtLeast()).After(p.After(from)) {
			t.Errorf("%v from %v ends at %v, before its least of %v", p, from, p.After(from), p.AtLeast())
		}
	})
	if got := (Period{Years: 1}).AtLeast(); got != 364*24*time.Hour {
		t.Errorf("a year is at least %v", got)
	}
}
