package privacy

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func accessRoutes() []route {
	return []route{
		{"GET /privacy/accesses", showAccesses, false},
		{"GET /privacy/accesses/{decision}/proof", downloadProof, false},
	}
}

const (
	homeLooks = 300  // at most, on the first page
	pageLooks = 1000 // on a page of accesses
)

// accessesPage is who looked, for what, when.
type accessesPage struct {
	Days    []lookDay
	Shown   int
	Count   uint64
	Next    string // the query of the page of earlier ones
	Chart   page.Bars
	Filter  accessFilter
	Channel []choice
	Purpose []choice
}

// accessFilter is what is shown of all accesses, as it was asked for.
type accessFilter struct {
	Channel, Purpose, From, To string
	Own                        bool // what the person did themselves, too
	Any                        bool
}

type choice struct {
	Value, Title string
	Chosen       bool
}

// lookDay are the accesses of one day, those that are alike as one.
type lookDay struct {
	At     time.Time
	Groups []lookGroup
}

// lookGroup are accesses of a day that differ in nothing but the time.
type lookGroup struct {
	Who     string // the sentence
	Saw     string // what was shown
	Less    string // what was shown in part
	Reason  string // an officer's own words
	Nothing bool
	Latest  time.Time
	Looks   []look
}

type look struct {
	At       time.Time
	Decision string
}

// looks are accesses, the latest first: at most so many, and after which others
// follow. Those of the person's own are left out unless they are wanted.
func (v *visit) looks(ask vault.AccessRequest, most int, own bool) (all []vault.OwnAccess, next string, err error) {
	for {
		got, err := v.vault.Accesses(v.ctx, v.by, ask)
		if err != nil {
			return nil, "", err
		}
		for _, a := range got.Accesses {
			if own || a.Kind != vault.AccessSession {
				all = append(all, a)
			}
		}
		if len(all) > most {
			return all[:most], all[most-1].Decision.String(), nil
		}
		if ask.After = got.Next; got.Next == "" || len(all) == most {
			return all, got.Next, nil
		}
	}
}

// group puts together what is alike, day by day.
func (v *visit) group(looks []vault.OwnAccess) []lookDay {
	var days []lookDay
	at := map[string]int{} // of a group in the last day
	for i := range looks {
		a := &looks[i]
		local := a.At.In(v.location)
		if len(days) == 0 || days[len(days)-1].At.Format(time.DateOnly) != local.Format(time.DateOnly) {
			days = append(days, lookDay{At: local})
			clear(at)
		}
		day := &days[len(days)-1]
		one := v.lookOf(a)
		key := one.Who + "\x00" + one.Saw + "\x00" + one.Less + "\x00" + one.Reason
		n, ok := at[key]
		if !ok {
			n = len(day.Groups)
			at[key], day.Groups = n, append(day.Groups, one)
		}
		day.Groups[n].Looks = append(day.Groups[n].Looks, look{a.At, a.Decision.String()})
	}
	return days
}

// lookOf says an access in words.
func (v *visit) lookOf(a *vault.OwnAccess) lookGroup {
	one := lookGroup{Latest: a.At, Reason: a.Reason, Saw: v.list(v.titles.fieldList(a.Released)),
		Less: v.list(v.titles.fieldList(slices.Sorted(maps.Keys(a.Masked))))}
	nothing := len(a.Released) == 0 && len(a.Masked) == 0
	words := func(key string) string {
		return v.say("look."+key, "channel", v.channel(a.Channel), "purpose", v.titles.purpose(a.Purpose), "officer", a.Officer)
	}
	switch {
	case a.Kind == vault.AccessLookup:
		one.Who = words("officer")
	case a.Kind == vault.AccessSession && (a.Channel == "" || a.Act != vault.SessionOpened):
		one.Who = v.say("look.self_" + a.Act)
	case a.Kind == vault.AccessSession:
		one.Who = words("session")
	case a.Kind == vault.AccessContact:
		one.Who = words("contact")
	case a.Peek:
		one.Who = words("whether")
	case nothing && len(a.Withheld) > 0:
		one.Who, one.Nothing = words("refused"), true
	case nothing:
		one.Who, one.Nothing = words("empty"), true
	default:
		one.Who = words("read")
	}
	return one
}

func showAccesses(v *visit) error {
	q := v.r.URL.Query()
	p := accessesPage{Filter: accessFilter{Channel: q.Get("channel"), Purpose: q.Get("purpose"), From: q.Get("from"), To: q.Get("to"), Own: q.Get("own") == "yes"}}
	f := &p.Filter
	ask := vault.AccessRequest{Channel: privacy.ChannelID(f.Channel), Purpose: privacy.PurposeID(f.Purpose), After: q.Get("after")}
	var err error
	if f.From != "" {
		if ask.From, err = time.ParseInLocation(time.DateOnly, f.From, v.location); err != nil {
			f.From = ""
		}
	}
	if f.To != "" {
		if ask.To, err = time.ParseInLocation(time.DateOnly, f.To, v.location); err != nil {
			f.To = ""
		} else {
			ask.To = ask.To.AddDate(0, 0, 1)
		}
	}
	f.Any = f.Channel != "" || f.Purpose != "" || f.From != "" || f.To != "" || f.Own
	looks, more, err := v.looks(ask, pageLooks, f.Own)
	if err != nil {
		return err
	}
	p.Days, p.Shown, p.Chart = v.group(looks), len(looks), v.chart(looks)
	if all, err := v.vault.Accesses(v.ctx, v.by, vault.AccessRequest{Limit: 1}); err == nil {
		p.Count = all.Count
	}
	if more != "" {
		q.Set("after", more)
		q.Del("lang")
		p.Next = "?" + q.Encode()
	}
	p.Channel = choices(v.titles.channels, f.Channel, v.channel)
	p.Purpose = choices(v.titles.purposes, f.Purpose, v.titles.purpose)
	return v.render(http.StatusOK, "accesses.html", p)
}

// choices are those of a filter, by title.
func choices[ID ~string, T any](of map[ID]T, chosen string, title func(ID) string) []choice {
	var all []choice
	for id := range of {
		all = append(all, choice{Value: string(id), Title: title(id), Chosen: string(id) == chosen})
	}
	slices.SortFunc(all, func(a, b choice) int { return strings.Compare(a.Title, b.Title) })
	return all
}

// mostBars bounds the picture.
const mostBars = 12

// chart counts accesses by month, or by day where they are all of a few days.
func (v *visit) chart(looks []vault.OwnAccess) page.Bars {
	bars := page.Bars{Title: v.say("chart.title"), Label: v.say("chart.month"), Count: v.say("chart.count")}
	if len(looks) == 0 {
		return bars
	}
	latest, first := looks[0].At.In(v.location), looks[len(looks)-1].At.In(v.location)
	label := func(t time.Time) string {
		return v.say("month."+t.Format("1")) + " " + t.Format("2006")
	}
	step := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, v.location).AddDate(0, -1, 0)
	}
	if latest.Sub(first) < mostBars*24*time.Hour {
		bars.Label = v.say("chart.day")
		label = func(t time.Time) string {
			return v.say("date_short", "day", t.Day(), "month", v.say("month."+t.Format("1")))
		}
		step = func(t time.Time) time.Time { return t.AddDate(0, 0, -1) }
	}
	counts := map[string]int{}
	for _, a := range looks {
		counts[label(a.At.In(v.location))]++
	}
	for t := latest; len(bars.Bars) < mostBars; t = step(t) {
		bars.Bars = append(bars.Bars, page.Bar{Label: label(t), Count: counts[label(t)]})
		if label(t) == label(first) {
			break
		}
	}
	return bars
}

// downloadProof gives what shows a stranger that an access is in the log.
func downloadProof(v *visit) error {
	id, err := privacy.ParseDecisionID(v.r.PathValue("decision"))
	if err != nil {
		return errNotFound
	}
	proof, err := v.vault.ProveAccess(v.ctx, v.by, id)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return err
	}
	return v.file("proof-"+url.PathEscape(id.String())+".json", "application/json", text)
}
