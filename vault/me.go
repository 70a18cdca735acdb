package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Me is what is known of a person, as they see it.
type Me struct {
	Decision  privacy.DecisionID // of the record that they were shown it
	Assurance Assurance
	// Full says that all there is is shown and may be changed; else a login shows
	// more.
	Full       bool
	Restricted time.Time // Art. 18: since when; zero: not
	Values     []OwnValue
	Purposes   []OwnPurpose
	Controller Controller
}

// OwnValue is one value of a person: what it is, where it comes from, and why it
// is held until when.
type OwnValue struct {
	Field     privacy.FieldName
	Title     privacy.Text
	Category  privacy.Category
	Special   bool
	Value     privacy.Sensitive // as JSON
	Mask      privacy.Mask      // "" unless only so much is shown
	Observed  time.Time         // when it was so
	Recorded  time.Time         // since when the vault has it
	Channel   privacy.ChannelID
	Origin    privacy.Origin
	Verified  bool
	Inference *privacy.Inference // what made it, if a model did
	Contested *OwnContest        // the person says that it is not right; nil: they do not
	By        *privacy.Actor     // who told it for the person; nil: nobody did
	Until     time.Time          // zero: no end is set
	For       []Holding
}

// OwnContest is a person's contest of a value that a model made: nobody is shown it.
type OwnContest struct {
	Since   time.Time
	Request *privacy.RequestID // which an officer decides; nil if there is none any more
	Due     time.Time          // by when; zero if there is none
}

// Holding is a purpose that a value is held for.
type Holding struct {
	Purpose privacy.PurposeID
	Title   privacy.Text
	Basis   privacy.LegalBasis
	Until   time.Time // when the purpose needs it no more; zero: no end is set
}

// OwnPurpose is a purpose of the register as it stands for a person.
type OwnPurpose struct {
	Purpose        privacy.PurposeID
	Title, Benefit privacy.Text
	DPV            string
	Basis          privacy.LegalBasis
	Fields         []privacy.FieldName
	Recipients     []string
	Retention      privacy.Period
	Notice         *OwnNotice // what is agreed to; nil if nothing is
	// Status is what the person last said of it, none if nothing.
	Status  privacy.ConsentStatus
	Consent *privacy.ConsentID // the record of that
	Since   time.Time          // when they said so, or its ground began
	Until   time.Time          // when it ends by itself; zero: it does not
	// Allowed says that something may be used for it now.
	Allowed  bool
	Objected bool
	// What the person may do about it in this session.
	MayGive, MayWithdraw, MayObject bool
}

// OwnNotice is what people are shown when they are asked.
type OwnNotice struct {
	Version  string
	Text     privacy.Text
	Explicit bool
}

// Me shows a person what is known of them: in a session of assurance verified, or
// of a channel with step_up none, everything; else what the channel that opened it
// may be released now, masked as there. That it was shown is an access record,
// durable before it is answered, on the condition that what was shown still stood
// then. In a session of nobody there is nothing.
func (v *Vault) Me(ctx context.Context, by Caller) (*Me, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	for range attempts {
		me, err := v.me(ctx, s)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return me, nil
	}
	return nil, unavailable("what is known of you kept changing; try again")
}

func (v *Vault) me(ctx context.Context, s *ownSession) (*Me, error) {
	var me *Me
	var entry []byte
	var on []store.Condition
	err := v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		r, p, err := v.self(ctx, snap, s)
		if err != nil {
			return err
		}
		on = []store.Condition{snap.Unchanged(bucketGovernance, keyCurrent), snap.Unchanged(bucketStanding.all(), p.at.key)}
		me = &Me{Assurance: s.Assurance, Full: s.full(r), Restricted: p.standing.Restricted, Controller: Controller(r.register.Controller)}
		if me.Values, err = v.ownValues(ctx, snap, r, s, p); err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		for i := range r.register.Purposes {
			me.Purposes = append(me.Purposes, ownPurpose(r, s, p.standing, &r.register.Purposes[i], now))
		}
		shown := &shownValues{}
		for _, value := range me.Values {
			if value.Mask == "" {
				shown.released = append(shown.released, value.Field)
				continue
			}
			if shown.masked == nil {
				shown.masked = map[privacy.FieldName]privacy.Mask{}
			}
			shown.masked[value.Field] = value.Mask
		}
		entry, err = v.entryOfSession(r, p, s, SessionViewed, shown)
		me.Decision = shown.decision
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := v.cfg.Store.Append(ctx, entry, on...); err != nil {
		return nil, fmt.Errorf("recording what was shown: %w", err)
	}
	return me, nil
}

// self is the person of a session in a snapshot, with what is in force: the vault's
// own empty one in a session of nobody, ErrInvalidClient if they are gone.
func (v *Vault) self(ctx context.Context, r store.Reader, s *ownSession) (*regime, *person, error) {
	now, err := v.regime(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if !s.stands(now, v.latestNow()) {
		return nil, nil, ErrInvalidClient
	}
	p, err := v.load(ctx, r, s.Subject)
	if err == nil && (p == nil || s.Subject != privacy.Nobody && there(p) == nil) {
		err = ErrInvalidClient
	}
	return now, p, err
}

// ownValues opens what a session may show of a person, in the order of the
// register.
func (v *Vault) ownValues(ctx context.Context, snap store.Snapshot, r *regime, s *ownSession, p *person) ([]OwnValue, error) {
	all := []OwnValue{}
	if s.Subject == privacy.Nobody {
		return all, nil
	}
	now, _, _ := v.clock.now()
	seen, err := v.sightOf(ctx, snap, r, s, p)
	if err != nil {
		return nil, err
	}
	opened, err := v.valuesOf(snap, p)
	if err != nil {
		return nil, err
	}
	for i := range r.register.Fields {
		f := &r.register.Fields[i]
		fact := p.standing.Value(f.Name)
		if fact == nil || fact.Kept || p.standing.Ended(r.register, f, fact.Observed, now) || !seen.shows(f.Name) {
			continue
		}
		value := ownValue(r.register, p.standing, f, fact, now)
		if value.Value, err = opened.open(fact); err != nil {
			return nil, err
		}
		if mask, masked := seen.masks[f.Name]; masked {
			if value.Value, err = profile.Mask(mask, f.Type, value.Value, now); err != nil {
				return nil, fmt.Errorf("masking %s: %w", f.Name, err)
			}
			value.Mask = mask
		}
		if value.Contested != nil {
			open, err := v.contestsOf(snap, p, f.Name)
			if err != nil {
				return nil, err
			}
			if len(open) > 0 {
				value.Contested.Request, value.Contested.Due = &open[0].ID, open[0].Due
			}
		}
		all = append(all, value)
	}
	if !s.full(r) {
		return all, nil
	}
	for i := range p.standing.Values { // what the register no longer declares is kept until somebody decides
		fact := &p.standing.Values[i]
		if _, declared := r.register.Field(fact.Field); declared || fact.Kept {
			continue
		}
		value := ownValue(r.register, p.standing, &register.Field{Name: fact.Field}, fact, now)
		if value.Value, err = opened.open(fact); err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

// ownSight is which fields a session may show of a person, and how.
type ownSight struct {
	full   bool // all, and whole
	fields map[privacy.FieldName]bool
	masks  map[privacy.FieldName]privacy.Mask
}

func (o *ownSight) shows(f privacy.FieldName) bool { return o.full || o.fields[f] }

// sightOf returns what a session may show of a person.
func (v *Vault) sightOf(ctx context.Context, snap store.Snapshot, r *regime, s *ownSession, p *person) (*ownSight, error) {
	sight := &ownSight{full: s.full(r), fields: map[privacy.FieldName]bool{}, masks: map[privacy.FieldName]privacy.Mask{}}
	if sight.full {
		return sight, nil
	}
	channel, _ := r.register.Channel(s.Channel) // it stands
	by := Caller{Purposes: s.Granted}
	return sight, v.readable(ctx, snap, by, r, channel, p, func(_ *question, _ *person, outcomes []policy.Outcome) error {
		for _, o := range outcomes {
			switch before, seen := sight.masks[o.Field]; {
			case o.Action == policy.Withhold:
			case o.Action == policy.Release:
				sight.fields[o.Field] = true
				delete(sight.masks, o.Field)
			case !sight.fields[o.Field], seen && privacy.NoMore(before, o.Mask):
				sight.fields[o.Field], sight.masks[o.Field] = true, o.Mask
			}
		}
		return nil
	})
}

// ownValue says of a value all but what it is.
func ownValue(reg *register.Register, s *consent.Standing, f *register.Field, fact *consent.Value, now time.Time) OwnValue {
	value := OwnValue{Field: f.Name, Title: f.Title, Category: f.Category, Special: f.Special, Observed: fact.Observed, Recorded: fact.Recorded,
		Channel: fact.Channel, Origin: fact.Origin, Verified: fact.Verified, Inference: fact.Inference, By: fact.By,
		Until: s.ValueEnd(reg, f, fact.Observed, now)}
	if c := s.Contest(f.Name); c != nil && s.Contested(f.Name) {
		value.Contested = &OwnContest{Since: c.Since}
	}
	for i := range reg.Purposes {
		p := &reg.Purposes[i]
		if !slices.Contains(p.Fields, f.Name) || !s.Live(reg, p, now) {
			continue
		}
		held := Holding{Purpose: p.ID, Title: p.Title, Basis: p.Basis}
		if !p.Retention.IsZero() {
			held.Until = p.Retention.After(fact.Observed)
		}
		value.For = append(value.For, held)
	}
	return value
}

// ownPurpose is a purpose as it stands for a person.
func ownPurpose(r *regime, s *ownSession, standing *consent.Standing, p *register.Purpose, now time.Time) OwnPurpose {
	own := OwnPurpose{Purpose: p.ID, Title: p.Title, Benefit: p.Benefit, DPV: p.DPV, Basis: p.Basis, Fields: p.Fields, Recipients: p.Recipients,
		Retention: p.Retention, Status: standing.Status(p.ID, now), Objected: standing.Objected(p.ID)}
	if terms := p.Consent; terms != nil {
		own.Notice = &OwnNotice{Version: terms.Notice.Version, Text: terms.Notice.Text, Explicit: terms.Explicit}
	}
	if c := standing.Consent(p.ID); c != nil && c.Status != privacy.StatusNone {
		own.Consent, own.Since, own.Until = &c.ID, c.At, c.Until
	}
	for i := range standing.Grounds {
		if g := &standing.Grounds[i]; g.Purpose == p.ID && own.Consent == nil {
			if own.Since.IsZero() || g.Since.Before(own.Since) {
				own.Since = g.Since
			}
		}
	}
	own.Allowed = standing.Restricted.IsZero() && !own.Objected && standing.Live(r.register, p, now)
	if p.Basis == privacy.OptOut {
		known := factsOf(standing).At(now)
		opted := profile.Within(known.Jurisdiction, p.Jurisdictions) && !standing.Lapsed(p.ID)
		own.Allowed = own.Allowed && (opted || own.Status == privacy.StatusGiven)
	}
	no := objectable(p) && (own.Objected || own.Status.Narrows())
	own.MayGive = (p.Consent != nil || no) && own.Status != privacy.StatusGiven && mayGive(r, s, p.ID)
	own.MayWithdraw = own.Allowed && (p.Basis == privacy.Consent || p.Basis == privacy.OptOut)
	own.MayObject = !own.Objected && objectable(p)
	return own
}

// mayGive reports whether yes may be said to a purpose in a session: in one of the
// person's own, or where the channel that opened it could record it.
func mayGive(r *regime, s *ownSession, p privacy.PurposeID) bool {
	if s.Subject != privacy.Nobody && s.full(r) {
		return true
	}
	channel, ok := r.register.Channel(s.Channel)
	return ok && contains(channel.Obtains, p) && (s.Granted == nil || contains(s.Granted, p))
}

// objectable reports whether one objects to a purpose (Art. 21(1) to (3)): it
// rests on an interest or a task, or is direct marketing.
func objectable(p *register.Purpose) bool {
	return p.Basis == privacy.LegitimateInterests || p.Basis == privacy.PublicTask || p.Basis == privacy.OptOut || p.DirectMarketing()
}

var errStepUp = refuse(CodeStepUpRequired, "this needs a login whose identifier is verified; a channel's session may see less, and let out less")

// mustFull refuses what a session of a channel may not do without a login, before
// it is looked at whether there is a person.
func (v *Vault) mustFull(by Caller) (*ownSession, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if !s.full(now) {
		return nil, errStepUp
	}
	return s, nil
}

// ActOwn records an act of say-so of the person of a session. No is accepted for
// every purpose; yes in a session of their own, or for what the channel that opened
// it could record, else it is step_up_required. A yes of their own takes back what
// they objected to, with the request that an officer would have decided. A request
// that names a subject is refused.
func (v *Vault) ActOwn(ctx context.Context, by Caller, req ConsentRequest) (*ConsentResult, error) {
	s, err := mine(by)
	if err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if req.Status == privacy.StatusGiven && !mayGive(now, s, req.Purpose) {
		if _, known := now.register.Purpose(req.Purpose); known {
			return nil, errStepUp
		}
	}
	req.Subject = SubjectRef{ID: s.Subject}
	if s.Subject == privacy.Nobody {
		req.Subject = s.Ref.ref()
	}
	if req.By == nil {
		req.By = s.For
	}
	if req.Status == privacy.StatusGiven && s.Subject != privacy.Nobody && s.full(now) {
		req.also = func(tx store.Tx, p *person) error { return v.takeObjectionBack(tx, p, req.Purpose, s.actor(req.By)) }
	}
	by.acts = true
	by.Purposes = nil
	if !s.full(now) {
		by.Purposes = s.Granted
	}
	return v.RecordConsent(ctx, by, req)
}

// Correct keeps what a person says is right of them (Art. 16): declared by them, or
// by who acts for them, now, in the place of what was known, which goes to history.
// It needs a session of the person's own. What it answers is what a capture answers.
func (v *Vault) Correct(ctx context.Context, by Caller, fields []CapturedField) (*CaptureResult, error) {
	s, err := v.mustFull(by)
	if err != nil {
		return nil, err
	}
	if s.Subject == privacy.Nobody {
		return nil, errNothingKnown
	}
	if err := checkWords("", by.For); err != nil {
		return nil, err
	}
	by.acts = true
	now, _, _ := v.clock.now()
	told := &telling{request: privacy.NewRequestID(now), had: v.whoHad(ctx, s.Subject)}
	return v.Capture(ctx, by, CaptureRequest{Subject: &SubjectRef{ID: s.Subject}, Fields: fields, Grounds: []GroundTerm{}, corrects: told,
		also: func(tx store.Tx, res *CaptureResult) error {
			return v.saveCorrection(ctx, tx, s, told, s.actor(by.For), res.Accepted)
		}})
}

// saveCorrection keeps a correction as a request that was answered as it was made: who
// made it, and who is told.
func (v *Vault) saveCorrection(ctx context.Context, tx store.Tx, s *ownSession, t *telling, who privacy.Actor, fields []privacy.FieldName) error {
	if len(fields) == 0 {
		return nil
	}
	p, err := v.load(ctx, tx, s.Subject)
	if err != nil || p == nil {
		return err
	}
	now, _, _ := v.clock.now()
	q := &requestRecord{ID: t.request, Kind: RequestRectification, Status: RequestCompleted, Own: &who, Received: now, Due: answerWithin.After(now), Done: now,
		Subject: p.id, Fields: fields, Told: tellings(t.at(fields, now).had, privacy.EventProfileUpdated)}
	if err := v.noteRight(tx, p, q, "completed", "", "", rowDigest{}); err != nil {
		return err
	}
	return v.saveRequest(tx, q)
}

// errNothingKnown answers in a session of nobody what needs somebody.
var errNothingKnown = refuse(CodeNotFound, "nothing is known of you here")
