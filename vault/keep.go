package vault

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// keep folds the captured values, grounds and consents into the person and
// writes everything.
func (c *capture) keep(ctx context.Context, tx store.Tx, p *person) (*CaptureResult, error) {
	if c.regime.touches {
		var err error
		if p.dealings, err = c.v.dealings(tx, p); err != nil {
			return nil, err
		}
	}
	reads, err := c.reads(ctx, p)
	if err != nil {
		return nil, err
	}
	known := p.standing.Phase == consent.Active && (c.by.acts || p.standing.HasCaptured(c.channel.ID) || p.standing.Version > 0 && len(c.values) > 0 &&
		!slices.ContainsFunc(c.values, func(k captured) bool { return !contains(reads, k.field.Name) }))
	mayTell := c.mayTell(p.standing, reads)
	if err := c.count(p.id); err != nil {
		return nil, err
	}
	created := p.standing.Version == 0
	if created && c.by.acts { // who corrects themselves was erased meanwhile, and does not come back by it
		return nil, errNothingKnown
	}
	res := &CaptureResult{Subject: p.id}
	values, err := c.v.valuesOf(tx, p)
	if err != nil {
		return nil, err
	}
	over := momentOver(c.regime.register, p.standing)
	if err := c.merge(ctx, tx, p, values, res); err != nil {
		return nil, err
	}
	if err := c.v.planMoment(tx, p, over, momentOver(c.regime.register, p.standing)); err != nil {
		return nil, err
	}
	s := p.standing
	if !s.HasCaptured(c.channel.ID) {
		s.Captured = append(s.Captured, c.channel.ID)
	}
	for _, purpose := range c.purposes {
		s.BeginGround(purpose, "", s.ActTime(time.Time{}, c.now))
	}
	terms, err := c.keepTerms(tx, p)
	if err != nil {
		return nil, err
	}
	digest, err := c.keepActs(ctx, tx, p, res)
	if err != nil {
		return nil, err
	}
	record := captureRecord{Format: 1, At: c.now, Channel: c.channel.ID, Register: c.regime.register.Revision,
		Accepted: res.Accepted, Unchanged: res.Unchanged, Superseded: res.Superseded, Grounds: c.purposes, Terms: terms, By: c.teller, Standing: digest, corrects: c.corrects}
	for _, k := range c.values {
		if k.verified {
			record.Verified = append(record.Verified, k.field.Name)
		}
	}
	if err := c.v.noteOf(tx, p, log.Capture, privacy.NewID(c.now), record); err != nil {
		return nil, err
	}
	if err := c.settled(tx, p, res, digest); err != nil {
		return nil, err
	}
	if !created && len(c.values) > 0 {
		if err := c.v.told(tx, c.regime.register, c.channel.ID, p, c.told(), c.now); err != nil {
			return nil, err
		}
	}
	if created || !known { // no oracle: joined looks like new
		return &CaptureResult{Subject: p.id, Created: true, Accepted: c.names(), Consents: res.Consents}, nil
	}
	res.hush(c.names(), mayTell)
	return res, nil
}

// keepTerms begins grounds as of a time. One that stood and is said to end narrows,
// so the ledger has it first.
func (c *capture) keepTerms(tx store.Tx, p *person) (records []termRecord, err error) {
	s := p.standing
	for i, g := range c.terms {
		since := s.ActTime(g.Since, c.now)
		stood := s.HasGround(g.Purpose, g.Ref)
		s.BeginGround(g.Purpose, g.Ref, since)
		if !g.Until.IsZero() && s.LimitGround(g.Purpose, g.Ref, g.Until) && stood {
			id, promised := c.ends[i]
			if !promised {
				if !c.rehearsing {
					return nil, errAgain
				}
				id = privacy.NewID(c.now)
				if c.ends == nil {
					c.ends = map[int]privacy.ID{}
				}
				c.ends[i] = id
			}
			if err := c.v.ledger.kept(tx, id); err != nil {
				return nil, err
			}
		}
		records = append(records, termRecord{Purpose: g.Purpose, Ref: g.Ref, Since: since, Until: g.Until})
	}
	return records, nil
}

// keepActs folds the acts into the person, saves the standing and keeps the
// records. What narrows is done to everybody who has the same identifier, too.
func (c *capture) keepActs(ctx context.Context, tx store.Tx, p *person, res *CaptureResult) (digest rowDigest, err error) {
	records := make([]consentRecord, len(c.acts))
	for i, a := range c.acts {
		done := ConsentResult{Consent: a.id, Status: a.req.Status}
		records[i] = c.v.fold(p, c.channel, a, c.now)
		done.Effective = records[i].Effective
		if c.receipts {
			if done.Receipt, err = c.v.receipt(records[i]); err != nil {
				return digest, err
			}
		}
		res.Consents = append(res.Consents, done)
	}
	if digest, err = c.v.saveDigest(tx, p); err != nil {
		return digest, err
	}
	for _, record := range records {
		if err := c.v.putConsent(tx, p, record, digest); err != nil {
			return digest, err
		}
	}
	if narrows(c.acts) {
		err = c.reachOthers(ctx, tx, p)
	}
	return digest, err
}

// reach is a narrowing act of the capture as it is done to somebody else.
type reach struct {
	act     int // of the capture's
	subject privacy.SubjectID
}

// reachOthers does what narrows to all who have an identifier of the person's: a
// no is for whoever it finds, whichever channel made them. A shared identifier
// counts only where the capture has no unique one.
func (c *capture) reachOthers(ctx context.Context, tx store.Tx, p *person) error {
	reaches := register.Shared
	if slices.ContainsFunc(c.values, func(k captured) bool { return k.value.Lookup != "" && k.field.Identifier == register.Unique }) {
		reaches = register.Unique
	}
	done := map[privacy.SubjectID]bool{p.id: true}
	for _, k := range c.values {
		if k.value.Lookup == "" || k.field.Identifier != reaches {
			continue
		}
		claimants, err := c.v.claimants(ctx, tx, k.field, k.value.Lookup)
		if err != nil {
			return err
		}
		for _, o := range claimants {
			if done[o.id] {
				continue
			}
			done[o.id] = true
			if err := c.actOn(tx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// actOn does what narrows to somebody else. In a transaction it must have been
// rehearsed, for the ledger comes first.
func (c *capture) actOn(tx store.Tx, o *person) error {
	var records []consentRecord
	for i, a := range c.acts {
		if !a.req.Status.Narrows() {
			continue
		}
		as := c.reached[reach{i, o.id}]
		if as == nil {
			if !c.rehearsing {
				return errAgain
			}
			other := *a
			other.id = privacy.NewConsentID(c.now)
			as = &other
			if c.reached == nil {
				c.reached = map[reach]*act{}
			}
			c.reached[reach{i, o.id}] = as
		}
		records = append(records, c.v.fold(o, c.channel, as, c.now))
	}
	digest, err := c.v.saveDigest(tx, o)
	if err != nil {
		return err
	}
	for _, record := range records {
		if err := c.v.putConsent(tx, o, record, digest); err != nil {
			return err
		}
	}
	return nil
}

// count holds the capture against the channel's limit, once: fn can be called
// more than once.
func (c *capture) count(id privacy.SubjectID) error {
	if c.counted {
		return nil
	}
	if err := c.v.limits.capture(c.channel, id); err != nil {
		return err
	}
	c.counted = true
	return nil
}

// reads returns the fields of the captured ones that the channel can read of
// the person now.
func (c *capture) reads(ctx context.Context, p *person) ([]privacy.FieldName, error) {
	if p.standing.Version == 0 || len(c.values) == 0 || len(c.regime.rules.ContextKeys()) > 0 {
		return nil, nil
	}
	var reads []privacy.FieldName
	for _, id := range c.channel.Purposes {
		q := question{by: c.by, channel: c.channel, regime: c.regime, purpose: id, fields: c.names()}
		if q.mayAsk() != nil {
			continue
		}
		seen := p.seenFor(id)
		if seen == nil {
			continue
		}
		outcomes, err := c.v.outcomes(ctx, &q, seen, c.now)
		if err != nil {
			return nil, err
		}
		for _, o := range outcomes {
			if o.Action == policy.Release && !contains(reads, o.Field) {
				reads = append(reads, o.Field)
			}
		}
	}
	return reads, nil
}

// mayTell returns the fields of which the channel may learn how what it
// captured compares with what was known: those it can read, those nobody told
// yet, and those it told itself. Of the rest it would learn by guessing. The person
// themselves may learn all.
func (c *capture) mayTell(s *consent.Standing, reads []privacy.FieldName) map[privacy.FieldName]bool {
	told := map[privacy.FieldName]bool{}
	for _, k := range c.values {
		fact := s.Value(k.field.Name)
		told[k.field.Name] = c.by.acts || fact == nil || contains(reads, k.field.Name) ||
			!fact.Kept && (fact.Channel == c.channel.ID || contains(fact.Channels, c.channel.ID))
	}
	return told
}

// hush makes fields that may not be told of look accepted.
func (r *CaptureResult) hush(names []privacy.FieldName, mayTell map[privacy.FieldName]bool) {
	silent := func(f privacy.FieldName) bool { return !mayTell[f] }
	unchanged, superseded := slices.DeleteFunc(r.Unchanged, silent), slices.DeleteFunc(r.Superseded, silent)
	accepted := r.Accepted
	r.Accepted = nil
	for _, f := range names {
		if silent(f) || contains(accepted, f) {
			r.Accepted = append(r.Accepted, f)
		}
	}
	r.Unchanged, r.Superseded = unchanged, superseded
}

// merge settles each captured value against what is known: the later
// observation wins, ties go to what came last, and the loser goes to history.
func (c *capture) merge(ctx context.Context, tx store.Tx, p *person, values *valuesOf, res *CaptureResult) error {
	if p.standing.Version > 0 {
		if err := c.v.mustSettle(tx, p.at, p.id); err != nil {
			return err
		}
	}
	p.standing.Values = slices.Grow(p.standing.Values, len(c.values))
	plain := map[privacy.FieldName]privacy.Sensitive{} // current values, for the facts derived from them
	sealed := map[privacy.FieldName][]byte{}           // of them, those that stay as they are
	for i := range p.standing.Values {
		fact := &p.standing.Values[i]
		value, err := values.open(fact)
		if err != nil {
			return err
		}
		plain[fact.Field], sealed[fact.Field] = value, values.sealed.Envelope(i)
	}
	c.ended = nil
	proves := c.proves(p, plain)
	for _, k := range c.values {
		name := k.field.Name
		if k.field.Identifier == register.Unique && !proves {
			k.verified = false
		}
		old := p.standing.Value(name)
		if old != nil && old.Kept {
			p.standing.EndContest(name) // of an erased life
		}
		gone := old != nil && !k.field.TTL.IsZero() && !c.now.Before(k.field.TTL.After(old.Observed))
		if old != nil && !gone && profile.Equal(profile.Value{JSON: plain[name]}, k.value) {
			fact := *old
			if k.settles(p.standing, c, true) {
				c.endContest(p.standing, name)
			}
			if k.origin == privacy.Inferred || !p.standing.Contested(name) {
				k.confirms(&fact, c)
			}
			if old.Kept { // of an erased life: it is told anew
				fact.Kept, fact.Verified, fact.Channel, fact.Recorded = false, k.verified, c.channel.ID, c.recorded
				fact.Origin, fact.Inference, fact.By = k.origin, k.inference, c.teller
			}
			// What was said earlier than what is known gives no hold on it: else
			// a channel could guess with old times until it has one.
			if k.value.Lookup != "" && (k.verified || !c.observed.Before(old.Observed)) {
				if err := c.claim(ctx, tx, p, k, &fact, false); err != nil {
					return err
				}
			}
			p.standing.SetValue(fact)
			res.Unchanged = append(res.Unchanged, name)
			continue
		}
		// A value that was removed may have had any version up to this.
		fact := consent.Value{Field: name, Version: p.standing.Version + 1, Observed: c.observed, Recorded: c.recorded, Channel: c.channel.ID,
			Origin: k.origin, Inference: k.inference, Verified: k.verified, By: c.teller}
		same := old != nil && old.Index != [16]byte{} && sameLookup(k.field, plain[name], k.value.Lookup)
		if old != nil {
			if !gone {
				res.Superseded = append(res.Superseded, name)
			}
			if !gone && !old.Kept && k.loses(old, c) {
				if err := c.putPast(tx, values, k.field, fact, k.value.JSON); err != nil {
					return err
				}
				continue
			}
			if err := c.putPast(tx, values, k.field, *old, plain[name]); err != nil {
				return err
			}
			fact.Version = old.Version + 1
			if old.Index != [16]byte{} && !same {
				if err := c.letGo(ctx, tx, p, k.field, *old, plain[name]); err != nil {
					return err
				}
			}
		}
		if k.value.Lookup != "" {
			if err := c.claim(ctx, tx, p, k, &fact, !same); err != nil {
				return err
			}
		}
		if k.settles(p.standing, c, false) {
			c.endContest(p.standing, name)
		}
		p.standing.SetValue(fact)
		plain[name] = k.value.JSON
		delete(sealed, name)
		res.Accepted = append(res.Accepted, name)
	}
	derive(p.standing, plain, c.regime.register, c.now)
	return values.put(tx, sealed, plain)
}

// derive keeps the facts that rules may know of a person in the standing.
func derive(s *consent.Standing, plain map[privacy.FieldName]privacy.Sensitive, reg *register.Register, now time.Time) {
	facts := profile.Derive(lasting(s, plain, reg), reg, now)
	unlessUnknown := func(word string) string {
		if word == profile.Unknown {
			return ""
		}
		return word
	}
	s.Jurisdiction, s.TimeZone = unlessUnknown(facts.Jurisdiction), unlessUnknown(facts.TimeZone)
	s.AgeBand, s.AgeBandUntil = unlessUnknown(facts.AgeBand), facts.AgeBandUntil
}

// pastValue is a value that lost to another.
type pastValue struct {
	Field    privacy.FieldName `json:"field"`
	Value    json.RawMessage   `json:"value"`
	Observed time.Time         `json:"observed_at"`
	Recorded time.Time         `json:"recorded_at"`
	Channel  privacy.ChannelID `json:"channel"`
	Origin   privacy.Origin    `json:"origin"`
	Verified bool              `json:"verified,omitempty"`
	Kept     bool              `json:"kept,omitempty"` // of an erased life

	Inference *privacy.Inference `json:"inference,omitempty"`
	By        *privacy.Actor     `json:"by,omitempty"`
}

// putPast keeps a value in the person's history, unless it was of the moment.
func (c *capture) putPast(tx store.Tx, values *valuesOf, f *register.Field, fact consent.Value, value privacy.Sensitive) error {
	if !f.TTL.IsZero() {
		return nil
	}
	return c.v.putPast(tx, values, fact, value)
}

// putPast keeps a value in the person's history, under the values key: what is
// erased there is unreadable here.
func (v *Vault) putPast(tx store.Tx, values *valuesOf, fact consent.Value, value privacy.Sensitive) error {
	plain, err := json.Marshal(pastValue{Field: fact.Field, Value: value.Reveal(), Observed: fact.Observed, Recorded: fact.Recorded,
		Channel: fact.Channel, Origin: fact.Origin, Verified: fact.Verified, Kept: fact.Kept, Inference: fact.Inference, By: fact.By})
	if err != nil {
		return err
	}
	id := privacy.NewID(v.cfg.Now())
	envelope, err := values.seal(pastField(id), 1, plain)
	if err != nil {
		return err
	}
	return bucketHistory.put(tx, values.p.at.with(id[:]...), envelope)
}

func pastField(id privacy.ID) string { return "past/" + privacy.DecisionID(id).String() }

// saveDigest saves the standing and returns what ties a record to it.
func (v *Vault) saveDigest(tx store.Tx, p *person) (rowDigest, error) {
	if err := v.save(tx, p); err != nil {
		return rowDigest{}, err
	}
	row, err := bucketStanding.get(tx, p.at)
	if err != nil {
		return rowDigest{}, err
	}
	return digestOf(p.standing.Version, row), nil
}

// saveMoved saves somebody else's standing of whom an identifier was taken, or
// to whom it came back.
func (v *Vault) saveMoved(tx store.Tx, o *person, f privacy.FieldName, ch privacy.ChannelID) error {
	digest, err := v.saveDigest(tx, o)
	if err != nil {
		return err
	}
	now, _, _ := v.clock.now()
	return v.noteOf(tx, o, log.Capture, privacy.NewID(now), captureRecord{Format: 1, At: now, Channel: ch, Moved: f, Standing: digest})
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
