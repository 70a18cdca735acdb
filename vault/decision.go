package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// DecisionView is a past decision as an officer sees it: who asked for what,
// on which facts it was decided, by which rule, and what would turn it. It
// holds no value.
type DecisionView struct {
	Decision privacy.DecisionID  `json:"decision"`
	At       time.Time           `json:"at"`
	LogIndex uint64              `json:"log_index"`
	Channel  privacy.ChannelID   `json:"channel,omitempty"`
	Officer  string              `json:"officer,omitempty"`
	Reason   string              `json:"reason,omitempty"`
	Subject  *privacy.SubjectID  `json:"subject"` // null: nobody was known by the reference
	Purpose  privacy.PurposeID   `json:"purpose,omitempty"`
	Policy   string              `json:"policy"`
	Register uint64              `json:"register"`
	Standing uint64              `json:"standing,omitempty"` // the version decided on
	Refused  string              `json:"refused,omitempty"`  // the request code, if nobody was looked up
	Reasons  []policy.Outcome    `json:"reasons"`
	Missing  []privacy.FieldName `json:"missing,omitempty"`
	Facts    *policy.Input       `json:"facts,omitempty"`
	Fields   []FieldExplained    `json:"fields"` // each of the reasons, from fact to fact
	Remedies []Remedy            `json:"remedies"`
	Untried  []privacy.FieldName `json:"untried,omitempty"` // withheld fields of which no remedy was looked for: they are too many
}

// Decision tells an officer of a past decision. It is gone with the erasure of
// the person.
func (v *Vault) Decision(ctx context.Context, by Caller, id privacy.DecisionID) (*DecisionView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	view, err := v.decision(ctx, id)
	if err != nil {
		return nil, v.refusal(err)
	}
	return view, nil
}

func (v *Vault) decision(ctx context.Context, id privacy.DecisionID) (*DecisionView, error) {
	if err := v.follower.CatchUpTree(ctx, v.cfg.Store.Size()); err != nil {
		return nil, err
	}
	index, err := v.follower.Find(ctx, privacy.ID(id))
	if errors.Is(err, log.ErrNotFound) {
		return nil, refuse(CodeNotFound, "no decision of this ID")
	}
	if err != nil {
		return nil, err
	}
	entry, err := v.follower.Entry(ctx, index)
	if err != nil {
		return nil, err
	}
	if !entry.Kind.Trailed() {
		return nil, refuse(CodeNotFound, "no decision of this ID")
	}
	p, err := v.loadKeys(ctx, entry.Subject)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, refuse(CodeGone, "the person this decision was about was erased")
	}
	opening, err := entry.Open(p.history, v.id)
	if lost, err := v.ofAnErasedLife(ctx, entry.Subject, err); lost || err != nil {
		return nil, errors.Join(err, refuse(CodeGone, "the person this decision was about was erased"))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the record of %s: %w", id, err)
	}
	var r accessRecord
	if err := json.Unmarshal(opening.Record, &r); err != nil {
		return nil, fmt.Errorf("reading the record of %s: %w", id, errIntegrity)
	}
	view := &DecisionView{Decision: id, At: r.At, LogIndex: index, Channel: r.Channel, Officer: r.Officer, Reason: r.Reason, Purpose: r.Purpose,
		Policy: r.Policy, Register: r.Register, Standing: r.Standing, Refused: r.Refused, Missing: r.Missing, Reasons: []policy.Outcome{}, Fields: []FieldExplained{}, Remedies: []Remedy{}}
	if p.known() {
		view.Subject = &p.id
	}
	if r.Refused == CodePurposeNotGranted {
		view.Remedies, err = v.grants(ctx, &r)
		return view, err
	}
	if r.Refused != "" || r.Officer != "" || r.Session != nil {
		return view, nil
	}
	err = v.explain(ctx, p, &r, view)
	if errors.Is(err, errIntegrity) && v.restores.Undid(index) {
		return nil, refuse(CodeGone, "what this decision was made on was undone by a restore from an older copy")
	}
	return view, err
}

// explain makes a decision again from what was recorded of it, with the
// standing, the register and the rules of that moment.
func (v *Vault) explain(ctx context.Context, p *person, r *accessRecord, view *DecisionView) error {
	var q *question
	var modules map[string]string
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		then, err := v.regimeAt(ctx, s, r.Register, r.Policy)
		if err != nil {
			return err
		}
		if modules, err = v.modules(s, r.Policy); err != nil {
			return err
		}
		current, err := v.load(ctx, s, p.id)
		if err != nil || current == nil {
			return errors.Join(err, missing(current, p.id))
		}
		if p.standing, err = v.standingAt(ctx, s, current, r.Standing, r.At); err != nil {
			if len(current.standing.Kept) > 0 {
				return refuse(CodeGone, "the person this decision was about was erased but for what a law demands")
			}
			return err
		}
		current.standing = p.standing
		if current = current.seenFor(r.Purpose); current == nil {
			return fmt.Errorf("the standing of %s that was decided on is nobody's: %w", p.id, errIntegrity)
		}
		*p = *current
		channel, ok := then.register.Channel(r.Channel)
		purpose, ok2 := then.register.Purpose(r.Purpose)
		if !ok || !ok2 {
			return fmt.Errorf("register revision %d lacks what it decided on: %w", r.Register, errIntegrity)
		}
		q = &question{channel: channel, regime: then, purpose: r.Purpose, fields: r.Asked, context: r.Context, asked: purpose}
		return nil
	})
	if err != nil {
		return err
	}
	w := whatIf{q: *q, p: p, at: r.At, touches: r.Touches} // touches are not kept in all versions, as standings are
	view.Facts = w.facts()
	trace, err := q.regime.rules.Trace(ctx, view.Facts)
	if err != nil {
		return fmt.Errorf("deciding again: %w", err)
	}
	view.Reasons = trace.Decision.Outcomes
	view.Fields = w.explained(trace, modules)
	view.Remedies, view.Untried, err = w.remedies(ctx, view.Reasons)
	return err
}

// grants finds what would let in a question that was refused because of its
// purpose.
func (v *Vault) grants(ctx context.Context, r *accessRecord) ([]Remedy, error) {
	var then *regime
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		then, err = v.regimeAt(ctx, s, r.Register, r.Policy)
		return err
	})
	if err != nil {
		return nil, err
	}
	channel, ok := then.register.Channel(r.Channel)
	if !ok {
		return nil, fmt.Errorf("register revision %d lacks the channel that asked: %w", r.Register, errIntegrity)
	}
	w := whatIf{q: question{channel: channel, regime: then, purpose: r.Purpose, fields: r.Asked}, p: v.nobody, at: r.At}
	return w.granting(r.Granted), nil
}

// regimeAt returns what was in force at a register revision and a rule set.
func (v *Vault) regimeAt(ctx context.Context, r store.Reader, revision uint64, rules string) (*regime, error) {
	if now := v.inForce.Load(); now != nil && now.gov.Register == revision && now.gov.Policy == rules {
		return now, nil
	}
	then := &regime{gov: &governance{Register: revision, Policy: rules}, register: &register.Register{}}
	if revision > 0 {
		rev, err := v.revision(r, revision)
		if err != nil {
			return nil, err
		}
		then.register = rev.register
	}
	modules, err := v.modules(r, rules)
	if err != nil {
		return nil, err
	}
	then.rules, err = policy.Compile(ctx, schemaOf(then.register), modules)
	return then, err
}
