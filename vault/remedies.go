package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Remedy is a smallest set of moves that would have released a field that was
// withheld, in full or masked. Each was tried: the moves were made in a copy of
// the facts, and it was decided again; no smaller set of the moves does it.
type Remedy struct {
	Field privacy.FieldName `json:"field,omitempty"` // none where the question itself was refused
	Moves []Move            `json:"moves"`
}

// mostTries bounds how often it is decided again to find remedies.
const mostTries = 2000

// remedies finds, for every withheld field of a decision, all smallest sets of
// moves that turn it. untried are fields for which there was no time.
func (w whatIf) remedies(ctx context.Context, decided []policy.Outcome) (remedies []Remedy, untried []privacy.FieldName, err error) {
	t := tries{w: w, rules: w.q.regime.rules, known: map[string]*policy.Trace{}}
	remedies = []Remedy{}
	for _, o := range decided {
		if o.Action != policy.Withhold {
			continue
		}
		found, err := t.field(ctx, o.Field)
		if errors.Is(err, errTried) {
			untried = append(untried, o.Field)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		remedies = append(remedies, found...)
	}
	return remedies, untried, nil
}

var errTried = errors.New("tried often enough")

// tries decides again after moves, each set of them once.
type tries struct {
	w     whatIf
	rules *policy.Revision
	known map[string]*policy.Trace
}

// after decides after moves; nil if they cannot be made, or if the rules give no
// decision then.
func (t *tries) after(ctx context.Context, moves []Move) (*policy.Trace, error) {
	key := fmt.Sprint(moves)
	if trace, ok := t.known[key]; ok {
		return trace, nil
	}
	if len(t.known) >= mostTries {
		return nil, errTried
	}
	w, ok := t.w.after(moves)
	t.known[key] = nil
	if !ok {
		return nil, nil
	}
	trace, err := t.rules.Trace(ctx, w.facts())
	switch {
	case err == nil:
		t.known[key] = trace
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return t.known[key], nil
}

// field finds the smallest sets of moves that turn one field. Which rules are in
// the way depends on what the others let pass, so each set of other moves is
// tried, and what is then in the way of rules is added to it.
func (t *tries) field(ctx context.Context, f privacy.FieldName) (found []Remedy, err error) {
	moves := t.w.moves(f)
	best := len(moves) + 1<<16
	for size := 0; size <= min(best, len(moves)); size++ {
		for set := range combinations(len(moves), size) {
			chosen := make([]Move, 0, size)
			for _, i := range set {
				chosen = append(chosen, moves[i])
			}
			trace, err := t.after(ctx, chosen)
			if err != nil {
				return nil, err
			}
			if trace == nil {
				continue
			}
			for _, gone := range lifted(trace, f) {
				n := size + len(gone)
				if n == 0 || n > best {
					continue
				}
				if n < best {
					best, found = n, nil
				}
				all := slices.Clone(chosen)
				for _, rule := range gone {
					all = append(all, Move{Move: MoveRule, Field: f, Rule: rule, Detail: "the rule at " + rule + " is not there"})
				}
				found = append(found, Remedy{Field: f, Moves: all})
			}
		}
	}
	return found, nil
}

// lifted returns the smallest sets of rules without which a field is not withheld:
// the empty one if it is not anyway, none if the rules are not all there is.
func lifted(trace *policy.Trace, f privacy.FieldName) (sets [][]string) {
	if trace.Guarded(f).Action == policy.Withhold {
		return nil
	}
	var all, masks []string // that withhold, and that mask
	for _, a := range trace.Rules(f) {
		switch {
		case a.Withhold && !slices.Contains(all, a.Rule):
			all = append(all, a.Rule)
		case !a.Withhold && !slices.Contains(masks, a.Rule):
			masks = append(masks, a.Rule)
		}
	}
	masks = masks[:min(len(masks), 12)] // of which 4,096 sets can be tried
	for size := 0; size <= len(masks) && sets == nil; size++ {
		for set := range combinations(len(masks), size) {
			gone := slices.Clone(all)
			for _, i := range set {
				if !slices.Contains(gone, masks[i]) {
					gone = append(gone, masks[i])
				}
			}
			if o, err := trace.Without(f, gone); err == nil && o.Action != policy.Withhold {
				sets = append(sets, gone)
			}
		}
	}
	return sets
}

// combinations yields every choice of k among n, in order.
func combinations(n, k int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		set := make([]int, k)
		for i := range set {
			set[i] = i
		}
		for k <= n {
			if !yield(set) {
				return
			}
			i := k - 1
			for i >= 0 && set[i] == n-k+i {
				i--
			}
			if i < 0 {
				return
			}
			for set[i]++; i+1 < k; i++ {
				set[i+1] = set[i] + 1
			}
		}
	}
}

// moves are those that could have a part in turning a field, beside its rules.
func (w whatIf) moves(f privacy.FieldName) (moves []Move) {
	p, reg, s := w.q.asked, w.q.regime.register, w.p.standing
	if !s.Restricted.IsZero() {
		moves = append(moves, Move{Move: MoveLift, Detail: "the person's restriction (Art. 18 GDPR) is lifted"})
	}
	if p.Consent != nil || s.Objected(p.ID) || saidNo(s, p) {
		moves = append(moves, givesConsent(p))
	}
	for id := p.Broader; id != ""; { // consent to what it is part of, whose notice names it
		b, ok := reg.Purpose(id)
		if !ok {
			break
		}
		if b.Consent != nil && slices.Contains(b.Consent.Notice.Purposes, p.ID) {
			moves = append(moves, givesConsent(b))
		}
		id = b.Broader
	}
	if p.Basis != privacy.Consent && p.Basis != privacy.OptOut && !s.GroundStands(p, w.at) {
		moves = append(moves, Move{Move: MoveGround, Purpose: p.ID, Detail: "a ground for " + string(p.ID) + " begins for the person"})
	}
	if _, ok := reg.WithField(p.ID, f); ok {
		moves = append(moves, Move{Move: MoveMap, Purpose: p.ID, Field: f, Detail: "the register lists " + string(f) + " for " + string(p.ID)})
	}
	facts := facts(reg, &w.q, s, s.Covers(reg, p, w.q.channel, w.at), f, w.at)
	if facts.Stale {
		moves = append(moves, Move{Move: MoveFresher, Field: f, Detail: "a fresher value of " + string(f) + " is captured"})
	}
	if facts.Contested {
		moves = append(moves, Move{Move: MoveOverrule, Field: f, Detail: "an officer overrules the contest of " + string(f) + ", with reasons"})
	}
	if facts.Inferred || facts.Contested {
		moves = append(moves, Move{Move: MoveDeclared, Field: f, Detail: "the person tells " + string(f) + " themselves, instead of a model's guess"})
	}
	if as := reg.As(p.ID, w.q.channel.ID, f); as != "" {
		moves = append(moves, Move{Move: MoveMatrix, Purpose: p.ID, Channel: w.q.channel.ID, Field: f,
			Detail: "the matrix no longer says " + as + " of " + string(f) + " for " + string(p.ID) + " in " + string(w.q.channel.ID)})
	}
	return moves
}

// saidNo reports whether a purpose that needs nobody's consent rests until the
// person takes back a no: a new ground alone does not do it.
func saidNo(s *consent.Standing, p *register.Purpose) bool {
	c := s.Consent(p.ID)
	return (p.Basis == privacy.LegitimateInterests || p.Basis == privacy.PublicTask) && c != nil && c.Status.Narrows()
}

func givesConsent(p *register.Purpose) Move {
	m := Move{Move: MoveConsent, Purpose: p.ID, Detail: "the person gives consent for " + string(p.ID)}
	if p.Consent == nil {
		m.Detail = "the person takes back the no to " + string(p.ID)
		return m
	}
	m.Notice = p.Consent.Notice.Version
	m.Detail += " as shown in notice " + m.Notice
	return m
}

// granting is the remedy of a question that was refused because its purpose did
// not come with the credential: then nobody was looked up, so that it can be tried
// only whether the question would be let in.
func (w whatIf) granting(narrowed []privacy.PurposeID) []Remedy {
	m := Move{Move: MoveGrant, Channel: w.q.channel.ID, Purpose: w.q.purpose,
		Detail: strings.Join([]string{"the register gives channel", string(w.q.channel.ID), "the purpose", string(w.q.purpose)}, " ")}
	after, ok := w.move(m)
	if !ok {
		return []Remedy{}
	}
	after.q.by.Purposes = narrowed
	if after.q.mayAsk() != nil {
		return []Remedy{}
	}
	return []Remedy{{Moves: []Move{m}}}
}
