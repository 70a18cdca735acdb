package privacy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Period is an ISO 8601 duration, such as P3Y, P30D or PT15M. Years and months
// are calendar ones: P1M after 31 January is 28 or 29 February.
type Period struct {
	Years, Months, Days int
	Time                time.Duration
}

// ErrPeriod is returned for text that is not an ISO 8601 duration.
var ErrPeriod = errors.New("not an ISO 8601 duration such as P3Y, P30D or PT15M")

// maxCount bounds each number of a Period, so that no sum overflows.
const maxCount = 10_000

// ParsePeriod reads an ISO 8601 duration of whole numbers. Weeks (P2W) are kept
// as days. An empty or negative one is refused.
func ParsePeriod(s string) (Period, error) {
	var p Period
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return Period{}, ErrPeriod
	}
	units, clock := "YMWD", false
	for rest != "" {
		if !clock && rest[0] == 'T' {
			units, clock, rest = "HMS", true, rest[1:]
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 1 {
			return Period{}, ErrPeriod
		}
		n, err := strconv.Atoi(rest[:end])
		at := strings.IndexByte(units, rest[end])
		if err != nil || n > maxCount*100 || at < 0 {
			return Period{}, ErrPeriod
		}
		switch unit := units[at]; {
		case unit == 'Y' && n <= maxCount:
			p.Years = n
		case unit == 'M' && !clock && n <= maxCount:
			p.Months = n
		case unit == 'W' && n <= maxCount:
			p.Days += 7 * n
		case unit == 'D':
			p.Days += n
		case unit == 'H':
			p.Time += time.Duration(n) * time.Hour
		case unit == 'M' && clock:
			p.Time += time.Duration(n) * time.Minute
		case unit == 'S':
			p.Time += time.Duration(n) * time.Second
		default:
			return Period{}, ErrPeriod
		}
		units, rest = units[at+1:], rest[end+1:]
	}
	if p.IsZero() {
		return Period{}, ErrPeriod
	}
	return p, nil
}

// IsZero reports whether no period is set.
func (p Period) IsZero() bool { return p == Period{} }

// After returns the moment one period after t.
func (p Period) After(t time.Time) time.Time {
	y, m, d := t.Date()
	hour, minute, second := t.Clock()
	months := int(m) + p.Months + 12*p.Years
	if d > 28 { // which not every month has
		if last := time.Date(y, time.Month(months+1), 0, 0, 0, 0, 0, time.UTC).Day(); d > last {
			d = last
		}
	}
	return time.Date(y, time.Month(months), d+p.Days, hour, minute, second, t.Nanosecond(), t.Location()).Add(p.Time)
}

// AtLeast returns a time that is no longer than the period, from whenever and
// wherever it is counted. It needs no calendar.
func (p Period) AtLeast() time.Duration {
	const day, most = 24 * time.Hour, 200 * 365
	days := min(365*p.Years+28*p.Months+p.Days, most)
	return max(time.Duration(days)*day+p.Time-day, 0) // a day can lack an hour
}

// String returns the period in ISO 8601.
func (p Period) String() string {
	var b strings.Builder
	part := func(n int, unit string) {
		if n != 0 {
			fmt.Fprintf(&b, "%d%s", n, unit)
		}
	}
	b.WriteString("P")
	part(p.Years, "Y")
	part(p.Months, "M")
	part(p.Days, "D")
	if p.Time != 0 {
		b.WriteString("T")
		part(int(p.Time/time.Hour), "H")
		part(int(p.Time%time.Hour/time.Minute), "M")
		part(int(p.Time%time.Minute/time.Second), "S")
	}
	return b.String()
}

// MarshalText returns the period in ISO 8601, or nothing for the zero Period.
func (p Period) MarshalText() ([]byte, error) {
	if p.IsZero() {
		return nil, nil
	}
	return []byte(p.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *Period) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = Period{}
		return nil
	}
	*p, err = ParsePeriod(string(b))
	return err
}
