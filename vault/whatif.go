package vault

import (
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Move is one change that somebody could make: an act of the person, of a channel
// or of officers.
type Move struct {
	Move    MoveKind          `json:"move"`
	Purpose privacy.PurposeID `json:"purpose,omitempty"`
	Channel privacy.ChannelID `json:"channel,omitempty"`
	Field   privacy.FieldName `json:"field,omitempty"`
	Notice  string            `json:"notice_version,omitempty"`
	Rule    string            `json:"rule,omitempty"` // module and line of a rule that would not be there
	Detail  string            `json:"detail"`
}

// MoveKind is what a move does.
type MoveKind string

// The moves, all there are. Consent and ground make somebody known who was not: a
// word by an identifier that nobody has is remembered.
const (
	MoveLift     MoveKind = "lift_restriction" // the restriction of Art. 18 ends
	MoveConsent  MoveKind = "consent"          // the person gives consent, as shown in a notice
	MoveGround   MoveKind = "ground"           // a ground begins
	MoveFresher  MoveKind = "fresher_value"    // a value is captured anew
	MoveDeclared MoveKind = "declared_value"   // the person tells what a model guessed
	MoveOverrule MoveKind = "overrule_contest" // an officer decides that what a model guessed stands
	MoveMap      MoveKind = "map_field"        // the register lists the field for the purpose
	MoveGrant    MoveKind = "grant_purpose"    // the register gives the channel the purpose
	MoveMatrix   MoveKind = "matrix"           // the matrix says nothing of the field there
	MoveRule     MoveKind = "rule"             // a rule is not there
)

// whatIf is a question as it was asked, about somebody as they were, in what was
// in force, where moves can be made. What is moved is a copy.
type whatIf struct {
	q       question
	p       *person
	at      time.Time
	touches *policy.Touches // as they were told to the rules
}

// after returns the world after moves; it is false if one of them cannot be made
// there. Those of the register come first: a consent covers what is shown then.
func (w whatIf) after(moves []Move) (whatIf, bool) {
	for _, ofRegister := range []bool{true, false} {
		for _, m := range moves {
			if m.ofRegister() == ofRegister {
				var ok bool
				if w, ok = w.move(m); !ok {
					return w, false
				}
			}
		}
	}
	return w, true
}

func (m Move) ofRegister() bool {
	return m.Move == MoveMap || m.Move == MoveMatrix || m.Move == MoveGrant
}

func (w whatIf) move(m Move) (whatIf, bool) {
	switch m.Move {
	case MoveMap:
		return w.under(w.q.regime.register.WithField(m.Purpose, m.Field))
	case MoveMatrix:
		return w.under(w.q.regime.register.WithoutCell(m.Purpose, m.Channel, m.Field))
	case MoveGrant:
		return w.under(w.q.regime.register.WithPurpose(m.Channel, m.Purpose))
	case MoveRule:
		return w, true // who decides leaves it out
	}
	p, s := *w.p, copyStanding(w.p.standing)
	p.standing, w.p = s, &p
	if !p.known() && (m.Move == MoveConsent || m.Move == MoveGround) {
		p.id = privacy.NewSubjectID()
	}
	switch m.Move {
	case MoveLift:
		if s.Restricted.IsZero() {
			return w, false
		}
		s.Restricted = time.Time{}
	case MoveConsent:
		shown, ok := w.q.regime.register.Purpose(m.Purpose)
		if !ok {
			return w, false
		}
		s.Record(consent.Act{Purpose: m.Purpose, Status: privacy.StatusGiven, At: s.ActTime(time.Time{}, w.at), Recorded: w.at, Shown: shown})
	case MoveGround:
		s.BeginGround(m.Purpose, "", s.ActTime(time.Time{}, w.at))
	case MoveFresher:
		value := s.Value(m.Field)
		if value == nil {
			return w, false
		}
		value.Observed = w.at
	case MoveOverrule:
		if !s.EndContest(m.Field) {
			return w, false
		}
	case MoveDeclared:
		value := s.Value(m.Field)
		if value == nil {
			return w, false
		}
		value.Origin, value.Inference, value.Observed = privacy.Declared, nil, w.at
	}
	return w, true
}

// under is the world with another register in force.
func (w whatIf) under(reg *register.Register, ok bool) (whatIf, bool) {
	if !ok {
		return w, false
	}
	regime := *w.q.regime
	regime.register, w.q.regime = reg, &regime
	w.q.channel, ok = reg.Channel(w.q.channel.ID)
	if w.q.asked != nil && ok {
		w.q.asked, ok = reg.Purpose(w.q.asked.ID)
	}
	return w, ok
}

// facts gathers what is decided on.
func (w whatIf) facts() *policy.Input {
	in := w.q.input(w.p, w.at)
	if w.touches != nil {
		in.Touches = *w.touches
	}
	return in
}

// copyStanding returns a standing whose lists can be changed.
func copyStanding(s *consent.Standing) *consent.Standing {
	c := *s
	c.Consents, c.Grounds, c.Values = slices.Clone(s.Consents), slices.Clone(s.Grounds), slices.Clone(s.Values)
	c.Contests = slices.Clone(s.Contests)
	return &c
}
