package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// dealing is how a question was decided that goes on to change the person's
// dealings: what the change depends on.
type dealing struct {
	q       *question
	p       *person
	res     *ReadResult
	at      moments
	verdict contact.Verdict // of a contact
}

// dealtRecord is the part of an access record that says what was asked other than
// a read: whether to contact the person, or to be the one who asks them.
type dealtRecord struct {
	Kind   string    `json:"kind"` // of a touch, or ask
	Topic  string    `json:"topic,omitempty"`
	Medium string    `json:"medium,omitempty"`
	Ref    string    `json:"ref,omitempty"`
	Code   string    `json:"code,omitempty"` // empty: yes
	Until  time.Time `json:"until,omitzero"`
}

// deal decides the part of a question that looks at the person's dealings.
func (v *Vault) deal(ctx context.Context, s store.Snapshot, q *question, p *person, want look, outcomes []policy.Outcome, at moments, a *answer, res *ReadResult, plan *TouchRequest) error {
	shows := a.allowed || !q.silent() // else everybody is answered alike, whatever is known
	if shows {
		if err := v.readDealings(s, p, a); err != nil {
			return err
		}
	}
	if want != contacts && shows {
		var err error
		if res.Missing, err = v.gaps(ctx, q, p, outcomes, at); err != nil {
			return err
		}
	}
	if want == gaps {
		return nil
	}
	d := &dealing{p: p, res: res, at: at}
	if want == asking {
		q.dealt = &dealtRecord{Kind: dealtAsk, Code: p.answered(res.Missing, q.channel.ID, at)}
	} else {
		d.verdict = v.mayContact(q, p, outcomes, at, plan)
		q.dealt = dealtOf(plan, d.verdict)
	}
	kept := *q
	d.q, a.dealing = &kept, d
	return nil
}

func dealtOf(plan *TouchRequest, verdict contact.Verdict) *dealtRecord {
	return &dealtRecord{Kind: string(plan.Kind), Topic: plan.Topic, Medium: plan.Medium, Ref: plan.Ref, Code: verdict.Code, Until: verdict.Until}
}

// mayContact says whether a contact may happen: first, whether the person is to
// be reached for the purpose at all, then what speaks against it now.
func (v *Vault) mayContact(q *question, p *person, outcomes []policy.Outcome, at moments, plan *TouchRequest) contact.Verdict {
	if no := q.unreachable(outcomes, plan.Medium); !no.Allowed() {
		return no
	}
	return v.contactAt(q, p, p.dealings, at, plan)
}

// contactAt holds a contact against the register's rules: of the moments it
// could be, at the one that says no.
func (v *Vault) contactAt(q *question, p *person, d *contact.Dealings, at moments, plan *TouchRequest) (verdict contact.Verdict) {
	rules := contact.RulesOf(q.regime.register, q.purpose)
	wall := contact.Wall{Zones: profile.ZonesOf(cmp.Or(p.standing.TimeZone, p.standing.Jurisdiction)), Else: profile.ZoneOf(q.regime.register.Controller.Country), Load: v.zone}
	for _, t := range at {
		verdict = rules.Check(d, contact.Plan{Kind: plan.Kind, Topic: plan.Topic, Medium: plan.Medium, Ref: plan.Ref,
			At: orNow(micro(plan.At), t), Expires: plan.Expires}, wall)
		if !verdict.Allowed() {
			break
		}
	}
	return verdict
}

// unreachable says why the person is not to be contacted for the purpose by
// whatever contacts it: nothing may be released for it, or not the field that the
// medium reaches people by. Where the purpose is silent and nothing may be
// released it says the same of everybody.
func (q *question) unreachable(outcomes []policy.Outcome, medium string) contact.Verdict {
	verdict := func(code privacy.Code, detail string) contact.Verdict {
		if code != privacy.CodePolicy {
			code, detail = privacy.CodeNoConsent, details[privacy.CodeNoConsent]
		}
		return contact.Verdict{Code: string(code), Detail: detail}
	}
	withheld := func(o policy.Outcome) bool { return o.Action == policy.Withhold }
	if !slices.ContainsFunc(outcomes, func(o policy.Outcome) bool { return !withheld(o) }) {
		i := slices.IndexFunc(outcomes, func(o policy.Outcome) bool { return o.Code == privacy.CodePolicy })
		if q.silent() || i < 0 {
			return verdict(privacy.CodeNoConsent, "")
		}
		return verdict(privacy.CodePolicy, detail(outcomes[i]))
	}
	field := q.regime.register.ReachedBy(medium)
	if field == "" {
		return contact.Verdict{}
	}
	i := slices.IndexFunc(outcomes, func(o policy.Outcome) bool { return o.Field == field })
	switch {
	case i < 0:
		return contact.Verdict{Code: contact.CodePolicy, Detail: fmt.Sprintf("the purpose does not list %s, by which %s reaches people", field, medium)}
	case outcomes[i].Action == policy.Mask:
		return contact.Verdict{Code: contact.CodePolicy, Detail: fmt.Sprintf("of %s, by which %s reaches people, only a part is shown here", field, medium)}
	case withheld(outcomes[i]):
		return verdict(outcomes[i].Code, detail(outcomes[i]))
	}
	return contact.Verdict{}
}

// zone returns a time zone by its name. Reading one takes as long as deciding.
func (v *Vault) zone(name string) (*time.Location, error) {
	if zone, ok := v.zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		v.zones.Store(name, zone)
	}
	return zone, err
}

// current returns the dealings inside a transaction, or errAgain if what the
// question was decided on is no longer in force: governance, the person's
// standing, and their dealings where officers' rules look at them.
func (d *dealing) current(v *Vault, tx store.Tx) (*contact.Dealings, error) {
	raw, err := tx.Get(bucketGovernance, keyCurrent)
	if err != nil {
		return nil, err
	}
	if string(raw) != string(d.q.regime.raw) {
		return nil, errAgain
	}
	row, err := bucketStanding.get(tx, d.p.at)
	if err != nil {
		return nil, err
	}
	if version, n := binary.Uvarint(row); n <= 0 || version != d.p.standing.Version {
		return nil, errAgain
	}
	dealings, err := v.dealings(tx, d.p)
	if err != nil {
		return nil, err
	}
	if d.q.regime.touches && dealings.Version != d.p.dealings.Version {
		return nil, errAgain
	}
	return dealings, nil
}

// record is the access record of the question as it was answered on the dealings
// of the transaction.
func (d *dealing) record(v *Vault, dealings *contact.Dealings, dealt *dealtRecord, at time.Time) ([]byte, error) {
	q, p := *d.q, *d.p
	q.dealt, p.dealings = dealt, dealings
	return v.recordAccess(&q, &p, d.res, at, true)
}
