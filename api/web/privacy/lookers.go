package privacy

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
)

// looker is somebody who looked for a purpose, with how often that was.
type looker struct {
	Who     string
	Href    string // what they looked at; "" for who cannot be asked for alone
	Count   int
	Nothing int // of these, those that were told nothing
	Latest  time.Time
}

// lookers puts together looks of all days, who looked most first.
func (v *visit) lookers(looks []vault.OwnAccess, f *accessFilter) []looker {
	at := map[string]int{}
	var all []looker
	for i := range looks {
		a := &looks[i]
		one := looker{Latest: a.At}
		if a.Channel != "" && a.Purpose != "" {
			one.Who = v.say("look.read", "channel", v.channel(a.Channel), "purpose", v.titles.purpose(a.Purpose))
			one.Href = f.query("channel", string(a.Channel), "purpose", string(a.Purpose))
		} else {
			one.Who = v.lookOf(a).Who
		}
		key := string(a.Channel) + "\x00" + string(a.Purpose) + "\x00" + one.Who
		n, known := at[key]
		if !known {
			n = len(all)
			at[key], all = n, append(all, one)
		}
		all[n].Count++
		if len(a.Released)+len(a.Masked) == 0 {
			all[n].Nothing++
		}
	}
	slices.SortStableFunc(all, func(a, b looker) int { return b.Count - a.Count })
	return all
}

// mostBars bounds the picture.
const mostBars = 14

// span is what one bar counts: the days from one to the next.
type span struct {
	key   string // of the message that heads the bars
	begin func(time.Time) time.Time
	next  func(begin time.Time, n int) time.Time
	label func(begin time.Time) string
}

// spans are days, weeks, months and years, the shortest first.
func (v *visit) spans() []span {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, v.location) }
	days := func(t time.Time) string {
		return v.say("date_short", "day", t.Day(), "month", v.say("month."+t.Format("1")))
	}
	return []span{
		{"day", day, func(t time.Time, n int) time.Time { return t.AddDate(0, 0, n) }, days},
		{"week", func(t time.Time) time.Time { return day(t).AddDate(0, 0, -(int(t.Weekday())+6)%7) }, func(t time.Time, n int) time.Time { return t.AddDate(0, 0, 7*n) },
			func(t time.Time) string { return v.say("chart.week_from", "date", days(t)) }},
		{"month", func(t time.Time) time.Time { return day(t).AddDate(0, 0, 1-t.Day()) }, func(t time.Time, n int) time.Time { return t.AddDate(0, n, 0) },
			func(t time.Time) string { return v.say("month."+t.Format("1")) + " " + t.Format("2006") }},
		{"year", func(t time.Time) time.Time { return day(t).AddDate(0, 0, 1-t.YearDay()) }, func(t time.Time, n int) time.Time { return t.AddDate(n, 0, 0) },
			func(t time.Time) string { return t.Format("2006") }},
	}
}

// chart counts looks by the shortest span of which few enough bars tell all, the
// latest first. Each leads to the looks it counts.
func (v *visit) chart(looks []vault.OwnAccess, f *accessFilter) page.Bars {
	latest, first := looks[0].At.In(v.location), looks[len(looks)-1].At.In(v.location)
	var by span
	for _, by = range v.spans() {
		if by.next(by.begin(first), mostBars).After(latest) {
			break
		}
	}
	bars := page.Bars{Title: v.say("chart.title"), Label: v.say("chart." + by.key), Count: v.say("chart.count")}
	counts := map[int64]int{}
	for i := range looks {
		counts[by.begin(looks[i].At.In(v.location)).Unix()]++
	}
	for t := by.begin(latest); len(bars.Bars) < mostBars && !t.Before(by.begin(first)); t = by.next(t, -1) {
		bar := page.Bar{Label: by.label(t), Count: counts[t.Unix()]}
		if bar.Count > 0 {
			bar.Href = f.query("from", t.Format(time.DateOnly), "to", by.next(t, 1).AddDate(0, 0, -1).Format(time.DateOnly))
		}
		bars.Bars = append(bars.Bars, bar)
	}
	return bars
}
