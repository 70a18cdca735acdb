package register

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Effect is one change with what it does to what may be released.
type Effect struct {
	Change
	// Widens says that somebody may be shown something after it that nobody
	// could be shown before. It is also true of what this version cannot tell.
	Widens bool
	Why    string // in words, for the officer who approves it
}

// Effects returns what Diff returns, each change with its effect, and beside
// these what several changes do together. It errs to widening: a change is
// narrowing or without effect only where that follows from the text alone,
// whatever people said and whatever is stored of them. looks tells which paths
// of the input the rules in force look at (policy.Revision.LooksAt): what only
// they see widens if they do. old may be nil.
func Effects(old, new *Register, looks func(path string) bool) []Effect {
	if old == nil {
		old = &Register{}
	}
	e := effects{old: old, new: new, looks: looks}
	var all []Effect
	for _, c := range Diff(old, new) {
		widens, why := e.of(c)
		all = append(all, Effect{Change: c, Widens: widens, Why: why})
	}
	return append(all, e.covered()...)
}

type effects struct {
	old, new *Register
	looks    func(string) bool
}

// The words for what most changes do.
const (
	whyWords    = "is for people to read; nothing is decided by it"
	whyOrder    = "is only another order"
	whyUnknown  = "is not known to narrow, so it counts as letting more out"
	whyNarrower = "lets less out, or the same"
)

// of says what one change does, by the part of the register it is in.
func (e *effects) of(c Change) (widens bool, why string) {
	part, rest, _ := strings.Cut(c.Path, ".")
	name, key, _ := strings.Cut(rest, ".")
	if rest == "" && slices.Contains([]string{"fields", "context", "purposes", "channels", "matrix"}, part) {
		return false, whyOrder
	}
	switch part {
	case "controller":
		return e.controller(rest)
	case "fields":
		return e.field(privacy.FieldName(name), key)
	case "context":
		return e.context(name, key)
	case "purposes":
		return e.purpose(c, privacy.PurposeID(name), key)
	case "channels":
		return e.channel(c, privacy.ChannelID(name), key)
	case "matrix":
		return e.cell(rest)
	case "settings":
		return e.settings(c, rest)
	}
	return true, whyUnknown
}

func (e *effects) controller(key string) (bool, string) {
	switch key {
	case "name", "contact", "address", "authority", "dpo":
		return false, whyWords
	case "country":
		return true, "telephone numbers without a country code are then other numbers, which may find other people"
	}
	return true, whyUnknown
}

func (e *effects) field(name privacy.FieldName, key string) (bool, string) {
	before, after := e.old.fields[name], e.new.fields[name]
	switch {
	case after == nil && e.told(before) != "":
		return true, e.told(before)
	case after == nil:
		return false, "nothing of it is released any more"
	case before == nil && after.Identifier != NotIdentifier:
		return true, "people can then be found by it"
	case before == nil && derives(after):
		return true, "facts about people are derived from it, which bases and rules look at"
	case before == nil:
		return false, "nothing of it is released until a purpose lists it"
	}
	switch base, _, _ := strings.Cut(key, "."); base { // texts have a language behind
	case "title":
		return false, whyWords
	case "category":
		if derives(before) != derives(after) {
			return true, "facts about people are derived from a date of birth, which rules look at"
		}
		return false, whyWords
	case "special":
		if after.Special {
			return false, "it then needs explicit consent"
		}
		return true, "it then no longer needs explicit consent"
	case "retention":
		if widens, why := lasts(before.Retention, after.Retention, "its values"); widens || e.told(before) == "" {
			return widens, why
		}
		return true, e.told(before)
	case "max_age":
		return lasts(before.MaxAge, after.MaxAge, "an old value")
	case "ttl":
		if before.TTL.IsZero() != after.TTL.IsZero() && derives(before) {
			return true, "facts about people are derived only from what is not of the moment"
		}
		return lasts(before.TTL, after.TTL, "a value of the moment")
	case "mask":
		for _, cell := range e.new.Matrix {
			if cell.As == ownMask && cell.Field == name && e.shows(cell.Purpose, cell.Channel, cell.Field) {
				return true, "the matrix shows it so, and this mask does not show less than the one before"
			}
		}
		return false, "no cell of the matrix shows more of it by this"
	case "identifier":
		return true, "it then finds other people, or fewer of those who said no by it"
	}
	return true, whyUnknown
}

// derives reports whether facts about people follow from a field.
func derives(f *Field) bool {
	return f.Type == privacy.TypeAddress || f.Type == privacy.TypeCountry || f.Name == "birthdate" || compact(string(f.Category)) == "pd:BirthDate" ||
		f.Name == "country" || f.Name == "zoneinfo"
}

// told says why it may let more out that a field's values are known no more: it
// is what they tell of people that rules, bases or quiet hours hold back by, and
// who is not known to be a minor counts as none. It is "" if nothing looks at it.
func (e *effects) told(f *Field) string {
	quiet := e.new.Settings.Contact.Quiet != nil || slices.ContainsFunc(e.new.Purposes, func(p Purpose) bool { return p.Contact != nil && p.Contact.Quiet != nil })
	switch {
	case !derives(f):
		return ""
	case f.Type == privacy.TypeDate && e.looks("subject.age_band"):
		return "how old people are is then not known, and the rules in force look at it"
	case f.Type == privacy.TypeDate:
		return ""
	case e.looks("subject.jurisdiction"):
		return "where people live is then not known by it, and the rules in force look at that"
	case f.Name != "zoneinfo" && slices.ContainsFunc(e.new.Purposes, func(p Purpose) bool { return p.Basis == privacy.OptOut }):
		return "where people live is then told by something else, and they may not be asked for consent there"
	case quiet:
		return "by whose clock it is quiet for people is then not known by it"
	}
	return ""
}

// unlisted returns why it may let more out that values end because a purpose no
// longer lists what it listed, as told does.
func (e *effects) unlisted(before, after *Purpose) string {
	for _, name := range before.Fields {
		f := e.old.fields[name]
		lives := slices.ContainsFunc(e.new.Purposes, func(p Purpose) bool { return (after == nil || p.ID != after.ID) && slices.Contains(p.Fields, name) })
		if f == nil || lives || after != nil && slices.Contains(after.Fields, name) && lastsAsLong(before.Retention, after.Retention) {
			continue
		}
		if why := e.told(f); why != "" {
			return why
		}
	}
	return ""
}

// uncaptured returns why it may let more out that no channel captures a field
// any more, as told does.
func (e *effects) uncaptured(name privacy.FieldName) string {
	f := e.old.fields[name]
	if f == nil || slices.ContainsFunc(e.new.Channels, func(c Channel) bool { return slices.Contains(c.Captures, name) }) {
		return ""
	}
	return e.told(f)
}

// lastsAsLong reports whether what ended after one period ends no sooner after
// another.
func lastsAsLong(before, after privacy.Period) bool {
	return after.IsZero() || !before.IsZero() && notLonger(before, after)
}

// lasts says what another period does to something that ends after it.
func lasts(before, after privacy.Period, what string) (bool, string) {
	switch {
	case after.IsZero():
		return true, what + " then has no end: it is released for longer"
	case before.IsZero() || notLonger(after, before):
		return false, what + " then ends earlier"
	}
	return true, what + " is then released for longer"
}

// notLonger reports whether a period is no longer than another, whenever it
// begins.
func notLonger(a, b privacy.Period) bool {
	if months := func(p privacy.Period) int { return 12*p.Years + p.Months }; months(a) <= months(b) && a.Days <= b.Days && a.Time <= b.Time {
		return true
	}
	const day = 24 * 60 * 60
	bounds := func(p privacy.Period) (shortest, longest float64) {
		rest := float64(p.Days)*day + p.Time.Seconds()
		n := float64(12*p.Years + p.Months)
		// A run of n months has at least the days of n average ones less three.
		return max(0, n*30.436875-4)*day + rest, (n*30.436875+4)*day + rest
	}
	_, most := bounds(a)
	least, _ := bounds(b)
	return most <= least
}

func (e *effects) context(name, key string) (bool, string) {
	switch {
	case key == "":
		return false, "no rule in force can look at it"
	case e.looks("context." + name):
		return true, "the rules in force look at it"
	}
	return false, "no rule in force looks at it"
}

func (e *effects) purpose(c Change, id privacy.PurposeID, key string) (bool, string) {
	before, after := e.old.purposes[id], e.new.purposes[id]
	switch {
	case after == nil && (e.looks("consents") || e.looks("objected")):
		return true, "the rules in force look at what people said to purposes, and would no longer see this one"
	case after == nil && e.unlisted(before, nil) != "":
		return true, e.unlisted(before, nil)
	case after == nil:
		return false, "nothing is released for it any more"
	case before == nil:
		return true, "data may be released for it, and what it lists lives as long as it needs"
	}
	base, inner, _ := strings.Cut(key, ".")
	switch base {
	case "title", "benefit":
		return false, whyWords
	case "dpv":
		if e.looks("purpose.dpv") {
			return true, "the rules in force look at it"
		}
		if before.DirectMarketing() && !after.DirectMarketing() {
			return true, "it is then no direct marketing: who never wants to be contacted again is not kept from it, and an objection can be overruled"
		}
		return false, whyWords
	case "basis":
		return true, "another basis may be true for people for whom the one before was not"
	case "fields", "recipients", "jurisdictions":
		if why := e.unlisted(before, after); base == "fields" && c.Op == Removed && why != "" {
			return true, why
		}
		return cameOrWent(c, map[string]string{"fields": "it may then be released for this purpose", "recipients": "it may then be told to them",
			"jurisdictions": "people there are then asked for no consent"}[base])
	case "retention":
		if widens, why := lasts(before.Retention, after.Retention, "what it lists"); widens || e.unlisted(before, after) == "" {
			return widens, why
		}
		return true, e.unlisted(before, after)
	case "broader":
		if e.loosens(id) {
			return true, "it is then not held to the rules of contact of what it was part of"
		}
		return false, "what consent to a broader purpose then covers is told by itself"
	case "consent":
		return e.terms(c, before.Consent, after.Consent, inner)
	case "profiling":
		if after.Profiling {
			return true, "what a model inferred may then be released for it"
		}
		return false, "what a model inferred is not released for it any more"
	case "confidential_for":
		if before.ConfidentialFor.IsZero() || after.ConfidentialFor.IsZero() || !notLonger(after.ConfidentialFor, before.ConfidentialFor) {
			return !after.ConfidentialFor.IsZero(), "people are shown later, or again at once, who read for it"
		}
		return false, "people are shown earlier who read for it"
	case "contact":
		return e.contact(c, inner, before.Contact, after.Contact)
	}
	return true, whyUnknown
}

// cameOrWent says what an entry that came or went does.
func cameOrWent(c Change, why string) (bool, string) {
	switch c.Op {
	case Added:
		return true, why
	case Removed:
		return false, whyNarrower
	}
	return false, whyOrder
}

func (e *effects) terms(c Change, before, after *ConsentTerms, key string) (bool, string) {
	switch {
	case after == nil:
		return false, "no consent can be given any more"
	case before == nil:
		return true, "consent can then be given"
	}
	switch {
	case key == "valid_for":
		return lasts(before.ValidFor, after.ValidFor, "a consent given from then on")
	case key == "explicit" && after.Explicit:
		return true, "consents given from then on are explicit, which special categories need"
	case key == "explicit":
		return false, whyNarrower
	case key == "notice.version", key == "notice.text", strings.HasPrefix(key, "notice.text."):
		return false, "what people consented to before stays as it was shown"
	case key == "notice.purposes":
		return cameOrWent(c, "a consent given from then on covers it too")
	}
	return true, whyUnknown
}

func (e *effects) channel(c Change, id privacy.ChannelID, key string) (bool, string) {
	before, after := e.old.channels[id], e.new.channels[id]
	switch {
	case after == nil:
		for _, name := range before.Captures {
			if why := e.uncaptured(name); why != "" {
				return true, why
			}
		}
		return false, "it loses its access"
	case before == nil && len(after.Purposes)+len(after.Captures)+len(after.Obtains) == 0 && after.Sessions == NoSessions:
		return false, "it may read, capture and obtain nothing"
	case before == nil:
		return true, "it may then read, capture or obtain consent"
	}
	base, inner, _ := strings.Cut(key, ".")
	switch base {
	case "title":
		return false, whyWords
	case "kind":
		if e.looks("channel.kind") {
			return true, "the rules in force look at it"
		}
		return false, "no rule in force looks at it"
	case "purposes", "captures", "obtains", "webhooks":
		if why := e.uncaptured(privacy.FieldName(c.From)); base == "captures" && c.Op == Removed && why != "" {
			return true, why
		}
		return cameOrWent(c, map[string]string{"webhooks": "what it is told may then be sent to this host, too",
			"purposes": "it may then read for this purpose", "captures": "what it captures begins grounds, and changes what is known of people",
			"obtains": "it may then record consent"}[base])
	case "recipient":
		return true, "somebody else then reads here"
	case "stops":
		if c.Op == Added || c.Op == Changed && c.From == "" {
			return false, "a no is then heard that was not before"
		}
		return true, "a no that people say by it may then not be heard"
	case "bulk":
		if after.Bulk.Audiences {
			return true, "it may then ask who may be reached, without naming anybody"
		}
		return false, "it is then told of nobody whom it does not name"
	case "sessions":
		return sessions(before.Sessions, after.Sessions)
	case "limits":
		from, _ := strconv.Atoi(c.From)
		to, _ := strconv.Atoi(c.To)
		if limited(inner) && to > 0 && (from == 0 || to <= from) {
			return false, "it may then ask less"
		}
		return true, "it may then ask more"
	}
	return true, whyUnknown
}

// sessions says what another word on a channel's sessions does.
func sessions(before, after StepUp) (bool, string) {
	switch {
	case after == NoSessions:
		return false, "it opens no sessions any more, and those it opened end"
	case after == StepUpVerified && before == StepUpNone:
		return false, "its sessions then need a login for all but what it may read itself"
	case after == StepUpNone:
		return true, "its credentials then show and change everything of everybody it knows, without a login"
	}
	return true, "it then opens sessions, which show a person's consents and who read what"
}

// limited reports whether a limit is one of which less is narrower.
func limited(name string) bool {
	return slices.Contains([]string{"requests_per_minute", "people_per_day", "empty_answers_per_day", "captures_per_person_per_day"}, name)
}

func (e *effects) cell(path string) (bool, string) {
	name, _, _ := strings.Cut(path, ".")
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return true, whyUnknown
	}
	p, c, f := privacy.PurposeID(parts[0]), privacy.ChannelID(parts[1]), privacy.FieldName(parts[2])
	switch {
	case !e.old.meets(p, c, f) || !e.new.meets(p, c, f):
		return false, "purpose, channel and field did not meet before, or do not any more"
	case e.shows(p, c, f):
		return true, "more of the field is then shown there"
	}
	return false, "less of the field is then shown there, or the same"
}

// meets reports whether a channel reads a field for a purpose at all.
func (r *Register) meets(p privacy.PurposeID, c privacy.ChannelID, f privacy.FieldName) bool {
	purpose, channel := r.purposes[p], r.channels[c]
	return purpose != nil && channel != nil && slices.Contains(purpose.Fields, f) && slices.Contains(channel.Purposes, p)
}

// shows reports whether the matrix may show more of a field than before, where
// it is read before and after.
func (e *effects) shows(p privacy.PurposeID, c privacy.ChannelID, f privacy.FieldName) bool {
	return e.old.meets(p, c, f) && e.new.meets(p, c, f) && !showsLess(e.new.As(p, c, f), e.old.As(p, c, f))
}

// showsLess reports whether the matrix's one word shows no more than its other,
// whatever the rules put on top of either.
func showsLess(a, b string) bool {
	return a == Withhold || b != Withhold && privacy.NoMore(privacy.Mask(a), privacy.Mask(b))
}

// covered tells of each purpose that consent to a broader one covers now and
// could not before: it depends on the fields of both and on which are special,
// so that even to take a field away can make it so.
func (e *effects) covered() (all []Effect) {
	for i := range e.new.Purposes {
		p := &e.new.Purposes[i]
		for _, b := range e.new.broader(p) {
			was, before := e.old.purposes[p.ID]
			if before && slices.ContainsFunc(e.old.broader(was), func(o *Purpose) bool { return o.ID == b.ID && e.old.reaches(o, was) }) {
				continue
			}
			if before && e.new.reaches(b, p) { // a new purpose is told of anyway
				all = append(all, Effect{Change: Change{Op: Changed, Path: "purposes." + string(p.ID)}, Widens: true,
					Why: "consent to " + string(b.ID) + " given under a notice that names it covers it then"})
			}
		}
	}
	return all
}

// broader returns the purposes that a purpose is part of, the nearest first.
func (r *Register) broader(p *Purpose) (all []*Purpose) {
	r.upwards(p.Broader, func(b *Purpose) { all = append(all, b) })
	return all
}

// reaches reports whether fields and categories let consent to a broader
// purpose cover a narrower one.
func (r *Register) reaches(broader, p *Purpose) bool {
	special := func(name privacy.FieldName) bool { f, ok := r.Field(name); return !ok || f.Special }
	return !slices.ContainsFunc(p.Fields, special) && !slices.ContainsFunc(broader.Fields, special) &&
		!slices.ContainsFunc(p.Fields, func(f privacy.FieldName) bool { return !slices.Contains(broader.Fields, f) })
}
