package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Tried is a question about somebody that is decided in memory.
type Tried struct {
	w       whatIf
	modules map[string]string
	rules   map[string]*policy.Revision // by what they lack
}

// Try asks about somebody, nobody if their standing is nil.
func Try(text string, modules map[string]string, s *consent.Standing, ch privacy.ChannelID, purpose privacy.PurposeID, fields []privacy.FieldName, at time.Time) (*Tried, error) {
	reg, _, err := register.Parse("register.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	p := &person{standing: &consent.Standing{}}
	if s != nil {
		p.id, p.standing = privacy.NewSubjectID(), s
	}
	channel, _ := reg.Channel(ch)
	asked, _ := reg.Purpose(purpose)
	t := &Tried{modules: modules, rules: map[string]*policy.Revision{}}
	rules, err := t.without(reg, nil)
	if err != nil {
		return nil, err
	}
	t.w = whatIf{q: question{channel: channel, regime: &regime{gov: &governance{Policy: "pol_x"}, register: reg, rules: rules}, purpose: purpose, asked: asked, fields: fields}, p: p, at: at}
	return t, nil
}

// without compiles the rules without those at some places.
func (t *Tried) without(reg *register.Register, gone []string) (*policy.Revision, error) {
	key := fmt.Sprint(gone)
	if t.rules[key] != nil {
		return t.rules[key], nil
	}
	modules := map[string]string{}
	for name, text := range t.modules {
		lines := strings.Split(text, "\n")
		for i := range lines {
			if slices.Contains(gone, fmt.Sprintf("%s:%d", name, i+1)) {
				lines[i] = ""
			}
		}
		modules[name] = strings.Join(lines, "\n")
	}
	rules, err := policy.Compile(context.Background(), schemaOf(reg), modules)
	if err != nil {
		return nil, err
	}
	t.rules[key] = rules.WithDeadline(time.Minute)
	return t.rules[key], nil
}

// Remedies are what officers would be told.
func (t *Tried) Remedies(ctx context.Context) (withheld []privacy.FieldName, remedies []Remedy, err error) {
	trace, err := t.w.q.regime.rules.Trace(ctx, t.w.facts())
	if err != nil {
		return nil, nil, err
	}
	for _, o := range trace.Decision.Outcomes {
		if o.Action == policy.Withhold {
			withheld = append(withheld, o.Field)
		}
	}
	remedies, _, err = t.w.remedies(ctx, trace.Decision.Outcomes)
	return withheld, remedies, err
}

// Stated are all moves that are stated for a field: those of facts and register,
// and every line of the rules.
func (t *Tried) Stated(f privacy.FieldName, lines []string) []Move {
	moves := t.w.moves(f)
	for _, line := range lines {
		moves = append(moves, Move{Move: MoveRule, Field: f, Rule: line})
	}
	return moves
}

// Turns decides after moves, with rules that were compiled without the lines that
// go: not as remedies are found.
func (t *Tried) Turns(ctx context.Context, f privacy.FieldName, moves []Move) (bool, error) {
	w, ok := t.w.after(moves)
	if !ok {
		return false, nil
	}
	var gone []string
	for _, m := range moves {
		if m.Move == MoveRule {
			gone = append(gone, m.Rule)
		}
	}
	slices.Sort(gone)
	rules, err := t.without(w.q.regime.register, gone)
	if err != nil {
		return false, err
	}
	d, err := rules.Decide(ctx, w.facts())
	if err != nil {
		return false, err
	}
	for _, o := range d.Outcomes {
		if o.Field == f {
			return o.Action != policy.Withhold, nil
		}
	}
	return false, fmt.Errorf("%s was not asked for", f)
}

// WalkInLittleMemory lets walks over people hold so few entries at once.
func (v *Vault) WalkInLittleMemory(entries int) { v.walkRefs = entries }
