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
	allLooks  = 1000 // that the picture, and who looked how often, are made of
	pageLooks = 150  // that one page tells
)

// accessesPage is who looked, for what, when: all of it in a picture and by who,
// and the latest of it day by day.
type accessesPage struct {
	First   bool // the page of the latest, which tells of all
	Shown   int
	More    bool // all is only the latest
	Chart   page.Bars
	From    time.Time
	To      time.Time
	Who     []looker
	Days    []lookDay
	Count   uint64
	Later   *vault.Later // those that are shown later
	Next    string       // the query of the page of earlier ones
	Filter  accessFilter
	Channel []choice
	Purpose []choice
}

// accessFilter is what is shown of all accesses, as it was asked for.
type accessFilter struct {
	Channel, Purpose, From, To string
	Own                        bool   // what the person did themselves, too
	Only                       string // what is shown, in words; "" for all
}

// query asks for what the filter shows, with pairs of what is to differ.
func (f *accessFilter) query(pairs ...string) string {
	q := url.Values{}
	set := func(name, value string) {
		if q.Del(name); value != "" {
			q.Set(name, value)
		}
	}
	set("channel", f.Channel)
	set("purpose", f.Purpose)
	set("from", f.From)
	set("to", f.To)
	if f.Own {
		set("own", "yes")
	}
	for pair := range slices.Chunk(pairs, 2) {
		set(pair[0], pair[1])
	}
	return "?" + q.Encode()
}

type choice struct {
	Value, Title string
	Chosen       bool
}

// lookDay are the accesses of one day, those that are alike as one.
type lookDay struct {
	At     time.Time
	Count  int
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
		day.Count++
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
	if a.By != nil {
		one.Who += " " + v.actor(a.By)
	}
	return one
}

// actor says who acted for the person.
func (v *visit) actor(by *privacy.Actor) string {
	if by.Ref == "" {
		return v.say("by." + string(by.Role))
	}
	return v.say("by."+string(by.Role)+"_ref", "ref", by.Ref)
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
	f.Only = v.only(f, ask)
	p.First = ask.After == ""
	most := pageLooks
	if p.First {
		most = allLooks
	}
	looks, more, err := v.looks(ask, most, f.Own)
	if err != nil {
		return err
	}
	if p.First && len(looks) > 0 {
		p.Shown, p.More, p.From, p.To = len(looks), more != "", looks[len(looks)-1].At, looks[0].At
		p.Chart, p.Who = v.chart(looks, f), v.lookers(looks, f)
	}
	told := v.wholeDays(looks, more != "")
	if len(told) < len(looks) {
		more = told[len(told)-1].Decision.String()
	}
	p.Days = v.group(told)
	if all, err := v.vault.Accesses(v.ctx, v.by, vault.AccessRequest{Limit: 1}); err == nil {
		p.Count, p.Later = all.Count, all.Later
	}
	if more != "" {
		p.Next = f.query("after", more)
	}
	p.Channel = choices(v.titles.channels, f.Channel, v.channel)
	p.Purpose = choices(v.titles.purposes, f.Purpose, v.titles.purpose)
	return v.render(http.StatusOK, "accesses.html", p)
}

// only says in words what a filter shows.
func (v *visit) only(f *accessFilter, ask vault.AccessRequest) string {
	var all []string
	if f.Channel != "" {
		all = append(all, v.channel(ask.Channel))
	}
	if f.Purpose != "" {
		all = append(all, v.titles.purpose(ask.Purpose))
	}
	if f.From != "" {
		all = append(all, v.say("accesses.since", "date", v.day(ask.From)))
	}
	if f.To != "" {
		all = append(all, v.say("accesses.till", "date", v.day(ask.To.AddDate(0, 0, -1))))
	}
	if f.Own {
		all = append(all, v.say("accesses.own"))
	}
	return strings.Join(all, " · ")
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

// wholeDays are the latest looks, as many as a page tells and none of a day that it
// would not tell whole, unless that is the only one.
func (v *visit) wholeDays(looks []vault.OwnAccess, more bool) []vault.OwnAccess {
	n := min(len(looks), pageLooks)
	if n == len(looks) && !more {
		return looks
	}
	day := func(i int) string { return looks[i].At.In(v.location).Format(time.DateOnly) }
	whole := n
	for whole > 0 && day(whole-1) == day(min(n, len(looks)-1)) {
		whole--
	}
	if whole == 0 {
		whole = n
	}
	return looks[:whole]
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
