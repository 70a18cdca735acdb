package vault

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// FieldExplained is what became of one asked field, and why: the rule that
// decided, with its text, and the facts one after another, in words. It holds no
// value.
type FieldExplained struct {
	Field  privacy.FieldName `json:"field"`
	Action policy.Action     `json:"action"`
	Mask   privacy.Mask      `json:"mask,omitempty"`
	Code   privacy.Code      `json:"code,omitempty"`
	Detail string            `json:"detail,omitempty"`
	Rule   string            `json:"rule,omitempty"`
	Rego   *policy.Line      `json:"rego,omitempty"` // the text of the rule that decided; none of what is released whole
	Chain  []Fact            `json:"chain"`
}

// Fact is one link of the chain: what it takes for a field to be released, and
// whether it was so.
type Fact struct {
	Step  FactStep `json:"step"`
	Holds bool     `json:"holds"`
	Words string   `json:"words"`
}

// FactStep names a link.
type FactStep string

// The links, in the order in which the first that does not hold is told.
const (
	FactGranted   FactStep = "granted"   // the purpose came with the credential
	FactStanding  FactStep = "standing"  // the person's record is active
	FactObjection FactStep = "objection" // no objection stands
	FactPurpose   FactStep = "purpose"   // the register lists the field for the purpose
	FactBasis     FactStep = "basis"     // the legal basis is true for the person
	FactCategory  FactStep = "category"  // a special category is explicitly consented to
	FactAge       FactStep = "age"       // the value is not too old
	FactProfiling FactStep = "profiling" // it is no model's guess, or the purpose may use one
	FactContest   FactStep = "contest"   // the person does not contest what a model made
	FactMatrix    FactStep = "matrix"    // what the register's matrix says of it
	FactRule      FactStep = "rule"      // what an officers' rule says of it
)

// explained says of every asked field why it was decided so.
func (w whatIf) explained(trace *policy.Trace, modules map[string]string) []FieldExplained {
	person := w.personFacts()
	all := make([]FieldExplained, 0, len(trace.Decision.Outcomes))
	for _, o := range trace.Decision.Outcomes {
		e := FieldExplained{Field: o.Field, Action: o.Action, Mask: o.Mask, Code: o.Code, Detail: o.Detail, Rule: o.Rule}
		if line, ok := policy.Source(modules, o.Rule, w.q.asked.Basis); ok {
			e.Rego = &line
		}
		e.Chain = slices.Concat(person, w.fieldFacts(o.Field))
		for _, a := range trace.Rules(o.Field) {
			f := Fact{Step: FactRule, Words: fmt.Sprintf("the rule at %s masks it as %s", a.Rule, a.Mask), Holds: true}
			if a.Withhold {
				f = Fact{Step: FactRule, Words: fmt.Sprintf("the rule at %s withholds it: %s", a.Rule, a.Reason)}
			}
			e.Chain = append(e.Chain, f)
		}
		all = append(all, e)
	}
	return all
}

// personFacts are the links that are the same for all fields.
func (w whatIf) personFacts() []Fact {
	p, s := w.q.asked, w.p.standing
	rev := w.q.regime.register.Revision
	facts := []Fact{{FactGranted, true, fmt.Sprintf("channel %s held the purpose %s in register revision %d", w.q.channel.ID, p.ID, rev)}}
	switch state(w.p) {
	case policy.StandingActive:
		facts = append(facts, Fact{FactStanding, true, "the person was known, and their record active"})
	case policy.StandingRestricted:
		facts = append(facts, Fact{FactStanding, false, "processing was restricted since " + day(s.Restricted) + " (Art. 18 GDPR)"})
	case policy.StandingErasing:
		facts = append(facts, Fact{FactStanding, false, "the person was being erased (Art. 17 GDPR)"})
	default:
		facts = append(facts, Fact{FactStanding, false, "nobody was known by the reference"})
	}
	switch {
	case !s.Objected(p.ID):
		facts = append(facts, Fact{FactObjection, true, "no objection to " + string(p.ID) + " stood"})
	case p.Basis == privacy.LegalObligation || p.Basis == privacy.VitalInterests:
		facts = append(facts, Fact{FactObjection, true, "an objection to " + string(p.ID) + " does not reach what a law demands or a life depends on"})
	default:
		facts = append(facts, Fact{FactObjection, false, "the person objected to " + string(p.ID) + " on " + day(s.Consent(p.ID).At) + " (Art. 21 GDPR)"})
	}
	return facts
}

func (w whatIf) fieldFacts(name privacy.FieldName) []Fact {
	p, s, reg := w.q.asked, w.p.standing, w.q.regime.register
	cover := s.Covers(reg, p, w.q.channel, w.at)
	f, declared := reg.Field(name)
	if !declared {
		return []Fact{{FactPurpose, false, fmt.Sprintf("register revision %d declares no field %s", reg.Revision, name)}}
	}
	known := facts(reg, &w.q, s, cover, name, w.at)
	all := []Fact{{FactPurpose, known.InPurpose, fmt.Sprintf("register revision %d %s %s for %s", reg.Revision, choose(known.InPurpose, "lists", "does not list"), name, p.ID)}, w.basisFact(name, cover)}
	if f.Special {
		holds := known.Covered && known.Explicit
		all = append(all, Fact{FactCategory, holds, fmt.Sprintf("%s is of a special category (Art. 9 GDPR), and %s", name, choose(holds, "the person explicitly consented", "no explicit consent covers it"))})
	}
	if fact := s.Value(name); fact != nil && !f.MaxAge.IsZero() {
		all = append(all, Fact{FactAge, !known.Stale, fmt.Sprintf("its value is of %s, and may be %s old", day(fact.Observed), f.MaxAge)})
	}
	if known.Inferred {
		all = append(all, Fact{FactProfiling, false, "its value is a model's guess, and the register does not let " + string(p.ID) + " use one"})
	}
	if c := s.Contest(name); c != nil && known.Contested {
		all = append(all, Fact{FactContest, false, "its value is a model's guess, which the person contested on " + day(c.Since) + " (Arts. 16, 18(1)(a) GDPR)"})
	}
	switch known.As {
	case "":
		all = append(all, Fact{FactMatrix, true, "the matrix says nothing of it there"})
	case register.Withhold:
		all = append(all, Fact{FactMatrix, false, fmt.Sprintf("the matrix withholds it for %s in %s", p.ID, w.q.channel.ID)})
	default:
		all = append(all, Fact{FactMatrix, true, fmt.Sprintf("the matrix masks it as %s for %s in %s", known.As, p.ID, w.q.channel.ID)})
	}
	return all
}

// basisFact says whether the purpose's legal basis was true for the person.
func (w whatIf) basisFact(name privacy.FieldName, cover consent.Coverage) Fact {
	p, s := w.q.asked, w.p.standing
	covered := slices.Contains(cover.Fields, name)
	switch p.Basis {
	case privacy.Consent:
		return Fact{FactBasis, covered, w.said(p) + choose(covered, ", which covers "+string(name), w.uncovered(p, name))}
	case privacy.OptOut:
		where := factsOf(s).At(w.at).Jurisdiction
		holds := w.facts().Guard.OptOut && s.Status(p.ID, w.at) == privacy.StatusNone
		if !covered && holds {
			return Fact{FactBasis, true, fmt.Sprintf("%s holds where the person lives (%s) until they opt out, which they had not", p.ID, where)}
		}
		return Fact{FactBasis, covered, fmt.Sprintf("%s holds by opt-out in %s, the person lives in %s; %s%s", p.ID, strings.Join(p.Jurisdictions, ", "), where, w.said(p),
			choose(covered, ", which covers "+string(name), ""))}
	}
	if g := w.ground(p); g != nil && s.GroundStands(p, w.at) {
		return Fact{FactBasis, true, fmt.Sprintf("%s rests on %s, and a ground stood since %s", p.ID, p.Basis, day(g.Since))}
	}
	return Fact{FactBasis, false, fmt.Sprintf("%s rests on %s, and no ground stood for the person", p.ID, p.Basis)}
}

// ground returns the latest ground for a purpose that had not ended.
func (w whatIf) ground(p *register.Purpose) *consent.Ground {
	var latest *consent.Ground
	for i := range w.p.standing.Grounds {
		g := &w.p.standing.Grounds[i]
		if g.Purpose == p.ID && (g.Until.IsZero() || w.at.Before(g.Until)) && (latest == nil || g.Since.After(latest.Since)) {
			latest = g
		}
	}
	return latest
}

// said is what the person had said to a purpose.
func (w whatIf) said(p *register.Purpose) string {
	c := w.p.standing.Consent(p.ID)
	switch status := w.p.standing.Status(p.ID, w.at); {
	case c == nil || status == privacy.StatusNone:
		return "the person had said nothing to " + string(p.ID)
	case status == privacy.StatusExpired:
		return fmt.Sprintf("consent to %s, given on %s, had expired on %s", p.ID, day(c.At), day(c.Until))
	case status == privacy.StatusGiven:
		until := ""
		if !c.Until.IsZero() {
			until = " until " + day(c.Until)
		}
		return fmt.Sprintf("consent to %s was given on %s under register revision %d%s", p.ID, day(c.At), c.Revision, until)
	default:
		return fmt.Sprintf("%s was %s on %s", p.ID, strings.ReplaceAll(string(status), "_", " "), day(c.At))
	}
}

// uncovered says why a given does not cover a field, as far as it is one.
func (w whatIf) uncovered(p *register.Purpose, name privacy.FieldName) string {
	c := w.p.standing.Consent(p.ID)
	switch {
	case c == nil || w.p.standing.Status(p.ID, w.at) != privacy.StatusGiven:
		return ""
	case w.q.channel.Recipient != "" && !slices.Contains(c.Recipients, w.q.channel.Recipient):
		return ", but " + w.q.channel.Recipient + " was not shown as a recipient"
	case !slices.Contains(c.Fields, name):
		return ", but " + string(name) + " was not shown then"
	}
	return ", but does not cover " + string(name) + " any more"
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
