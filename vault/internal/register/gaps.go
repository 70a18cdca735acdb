package register

import (
	"maps"
	"slices"
	"strings"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// GapKind says what a register leaves open.
type GapKind string

// The gaps. None of them makes a register wrong, so Parse lets them pass; each
// is something its controller will be asked about.
const (
	UnusedFields       GapKind = "unused-fields"       // that no purpose uses
	UncapturedFields   GapKind = "uncaptured-fields"   // of purposes, that no channel captures
	FieldsForEver      GapKind = "fields-for-ever"     // without a retention of their own
	UnheldPurposes     GapKind = "unheld-purposes"     // that no channel holds
	PurposesForEver    GapKind = "purposes-for-ever"   // without retention
	UnobtainedPurposes GapKind = "unobtained-purposes" // on consent that no channel obtains
	Untranslated       GapKind = "untranslated"        // shown texts that lack a language used elsewhere
	IdleChannels       GapKind = "idle-channels"       // that may neither read, capture nor obtain
	Unlimited          GapKind = "unlimited-channels"  // that read without any limit
	NoStepUp           GapKind = "sessions-no-step-up" // whose sessions of people need no login
)

// GapKinds lists every kind, in the order Gaps tells them in.
var GapKinds = []GapKind{UnusedFields, UncapturedFields, FieldsForEver, UnheldPurposes, PurposesForEver, UnobtainedPurposes, Untranslated, IdleChannels, Unlimited, NoStepUp}

// Gaps returns what the register leaves open: by kind the fields, purposes or
// channels it is about, in the register's order.
func (r *Register) Gaps() map[GapKind][]string {
	gaps := map[GapKind][]string{}
	add := func(kind GapKind, is bool, about string) {
		if is {
			gaps[kind] = append(gaps[kind], about)
		}
	}
	used, captured := map[privacy.FieldName]bool{}, map[privacy.FieldName]bool{}
	for _, p := range r.Purposes {
		for _, f := range p.Fields {
			used[f] = true
		}
	}
	held, obtained := map[privacy.PurposeID]bool{}, map[privacy.PurposeID]bool{}
	for _, c := range r.Channels {
		for _, f := range c.Captures {
			captured[f] = true
		}
		for _, id := range c.Purposes {
			r.upwards(id, func(p *Purpose) { held[p.ID] = true }) // a broader one is held by its parts
		}
		for _, id := range c.Obtains {
			obtained[id] = true
			if p, ok := r.Purpose(id); ok && p.Consent != nil {
				for _, narrower := range p.Consent.Notice.Purposes {
					obtained[narrower] = true
				}
			}
		}
	}
	for _, f := range r.Fields {
		add(UnusedFields, !used[f.Name], string(f.Name))
		add(UncapturedFields, used[f.Name] && !captured[f.Name], string(f.Name))
		add(FieldsForEver, f.Retention.IsZero(), string(f.Name))
	}
	languages := r.languages()
	for i := range r.Purposes {
		p := &r.Purposes[i]
		add(UnheldPurposes, !held[p.ID], string(p.ID))
		add(PurposesForEver, p.Retention.IsZero(), string(p.ID))
		add(UnobtainedPurposes, p.Basis == privacy.Consent && !obtained[p.ID], string(p.ID))
		lacks := p.lacks(languages)
		add(Untranslated, len(lacks) > 0, string(p.ID)+" ("+strings.Join(lacks, ", ")+")")
	}
	for _, c := range r.Channels {
		add(IdleChannels, len(c.Purposes)+len(c.Captures)+len(c.Obtains) == 0, string(c.ID))
		add(Unlimited, len(c.Purposes) > 0 && c.Limits == (Limits{}), string(c.ID))
		add(NoStepUp, c.Sessions == StepUpNone, string(c.ID))
	}
	return gaps
}

// upwards calls fn for a purpose and those it is part of.
func (r *Register) upwards(id privacy.PurposeID, fn func(*Purpose)) {
	for range r.Purposes { // which have no cycle, but who knows
		p, ok := r.Purpose(id)
		if !ok {
			return
		}
		fn(p)
		id = p.Broader
	}
}

// languages returns every language that a text of the register is in.
func (r *Register) languages() []string {
	all := map[string]bool{}
	take := func(texts ...privacy.Text) {
		for _, t := range texts {
			for l := range t {
				all[l] = true
			}
		}
	}
	for _, f := range r.Fields {
		take(f.Title)
	}
	for _, p := range r.Purposes {
		take(p.Title, p.Benefit)
		if p.Consent != nil {
			take(p.Consent.Notice.Text)
		}
	}
	for _, c := range r.Channels {
		take(c.Title)
	}
	delete(all, "")
	return slices.Sorted(maps.Keys(all))
}

// lacks returns the languages in which a person who is asked for consent would
// not be told all of what they are asked. A text in de serves de-AT too.
func (p *Purpose) lacks(languages []string) (lacks []string) {
	if p.Consent == nil {
		return nil
	}
	shown := []privacy.Text{p.Title, p.Consent.Notice.Text}
	if len(p.Benefit) > 0 {
		shown = append(shown, p.Benefit)
	}
	for _, l := range languages {
		base, _, _ := strings.Cut(l, "-")
		if slices.ContainsFunc(shown, func(t privacy.Text) bool { return t[l] == "" && t[base] == "" }) {
			lacks = append(lacks, l)
		}
	}
	return lacks
}
