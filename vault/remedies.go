package vault

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Remedy is a smallest set of moves that would release a field that was
// withheld. Each was tried: the decision was made again with the moves done.
type Remedy struct {
	Field privacy.FieldName `json:"field"`
	Moves []Move            `json:"moves"`
}

// Move is one change that somebody could make.
type Move struct {
	Move    string            `json:"move"` // consent, ground, lift_restriction, fresher_value, declared_value, map_field, matrix, rule, known_subject
	Purpose privacy.PurposeID `json:"purpose,omitempty"`
	Field   privacy.FieldName `json:"field,omitempty"`
	Notice  string            `json:"notice_version,omitempty"`
	Rule    string            `json:"rule,omitempty"`
	Detail  string            `json:"detail"`

	apply func(*policy.Input)
}

// remedies finds for every withheld field the smallest sets of moves that turn
// it.
func (v *Vault) remedies(ctx context.Context, q *question, facts *policy.Input, decided policy.Decision) ([]Remedy, error) {
	remedies := []Remedy{}
	bare, err := policy.Compile(ctx, schemaOf(q.regime.register), nil)
	if err != nil {
		return nil, err
	}
	for i, o := range decided.Outcomes {
		if o.Action != policy.Withhold {
			continue
		}
		moves := movesFor(q, facts, o)
		smallest := 0
		for size := 1; size <= len(moves) && smallest == 0; size++ {
			for set := uint(1); set < 1<<len(moves); set++ {
				if bits.OnesCount(set) != size {
					continue
				}
				turned, chosen, err := tryMoves(ctx, q, bare, facts, moves, set, i)
				if err != nil {
					return nil, err
				}
				if turned {
					smallest = size
					remedies = append(remedies, Remedy{Field: o.Field, Moves: chosen})
				}
			}
		}
	}
	return remedies, nil
}

func tryMoves(ctx context.Context, q *question, bare *policy.Revision, facts *policy.Input, moves []Move, set uint, at int) (bool, []Move, error) {
	in, rules := copyInput(facts), q.regime.rules
	var chosen []Move
	for i, m := range moves {
		if set&(1<<i) == 0 {
			continue
		}
		chosen = append(chosen, m)
		if m.apply == nil {
			rules = bare
			continue
		}
		m.apply(in)
	}
	d, err := rules.Decide(ctx, in)
	if err != nil {
		return false, nil, fmt.Errorf("trying a remedy: %w", err)
	}
	return d.Outcomes[at].Action != policy.Withhold, chosen, nil
}

func movesFor(q *question, facts *policy.Input, o policy.Outcome) []Move {
	p, f := q.asked, o.Field
	field := func(change func(*policy.Facts)) func(*policy.Input) {
		return func(in *policy.Input) {
			x := in.Guard.Fields[f]
			change(&x)
			in.Guard.Fields[f] = x
		}
	}
	var moves []Move
	if facts.Subject.Standing == policy.StandingUnknown {
		moves = append(moves, Move{Move: "known_subject", Detail: "nobody is known by the reference: capture the person",
			apply: func(in *policy.Input) { in.Subject.Standing = policy.StandingActive }})
	}
	if facts.Subject.Standing == policy.StandingRestricted {
		moves = append(moves, Move{Move: "lift_restriction", Detail: "the person's restriction (Art. 18) is lifted",
			apply: func(in *policy.Input) { in.Subject.Standing = policy.StandingActive }})
	}
	if terms := p.Consent; terms != nil || facts.Objected[p.ID] {
		m := Move{Move: "consent", Purpose: p.ID, Detail: "the person gives consent for " + string(p.ID)}
		explicit := false
		if terms != nil {
			m.Notice, explicit = terms.Notice.Version, terms.Explicit
			m.Detail += " as shown in notice " + terms.Notice.Version
		}
		m.apply = func(in *policy.Input) {
			in.Consents[p.ID], in.Objected[p.ID] = privacy.StatusGiven, false
			for name, x := range in.Guard.Fields {
				if slices.Contains(p.Fields, name) {
					x.Covered, x.Explicit = true, explicit
					in.Guard.Fields[name] = x
				}
			}
		}
		moves = append(moves, m)
	}
	if !facts.Guard.Ground && p.Basis != privacy.Consent && p.Basis != privacy.OptOut {
		moves = append(moves, Move{Move: "ground", Purpose: p.ID, Detail: "a ground for " + string(p.ID) + " begins for the person",
			apply: func(in *policy.Input) { in.Guard.Ground = true }})
	}
	if x := facts.Guard.Fields[f]; x.Declared && !x.InPurpose {
		moves = append(moves, Move{Move: "map_field", Purpose: p.ID, Field: f, Detail: "the register lists " + string(f) + " for " + string(p.ID) + ", and consent is renewed where it rests on one",
			apply: field(func(x *policy.Facts) { x.InPurpose, x.Covered = true, true })})
	} else if x.Stale {
		moves = append(moves, Move{Move: "fresher_value", Field: f, Detail: "a fresher value of " + string(f) + " is captured",
			apply: field(func(x *policy.Facts) { x.Stale = false })})
	}
	if facts.Guard.Fields[f].Inferred {
		moves = append(moves, Move{Move: "declared_value", Field: f, Detail: "the person tells " + string(f) + " themselves, instead of a model's guess",
			apply: field(func(x *policy.Facts) { x.Inferred = false })})
	}
	if facts.Guard.Fields[f].As == "withhold" {
		moves = append(moves, Move{Move: "matrix", Purpose: p.ID, Field: f, Detail: "the matrix no longer withholds " + string(f) + " here",
			apply: field(func(x *policy.Facts) { x.As = "" })})
	}
	if q.regime.gov.Policy != Guardrails {
		m := Move{Move: "rule", Detail: "the officers' rules let it pass"}
		if o.Code == privacy.CodePolicy {
			m.Rule = o.Rule
		}
		moves = append(moves, m)
	}
	return moves
}

func copyInput(in *policy.Input) *policy.Input {
	c := *in
	c.Consents, c.Objected, c.Guard.Fields = maps.Clone(in.Consents), maps.Clone(in.Objected), maps.Clone(in.Guard.Fields)
	return &c
}
