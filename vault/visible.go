package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// An event tells that there is somebody, so it goes to whom a read would tell as
// much: a channel to which something of the person is released now, for the event's
// purpose or, of an event that has none, for any. It is decided when it is told, by
// the register, rules and standing of that moment. What narrows is told to whom
// something would have been released until then, too; that the person said no is
// all they learn, and what a read would tell them by its refusal.

// viewer is a channel that is told events.
type viewer struct {
	regime   *regime
	channel  *register.Channel
	purposes []privacy.PurposeID // what its credentials were narrowed to; nil: all of the channel's
}

// sight is what a channel sees of a person: the fields of which anything is
// released, by purpose.
type sight map[privacy.PurposeID][]privacy.FieldName

// toldOf returns what a viewer is told of an event: nil if nothing.
func (v *Vault) toldOf(ctx context.Context, s store.Snapshot, to *viewer, e *keptEvent) (*Event, error) {
	subject := e.of.id
	if e.Type == privacy.EventSubjectErased {
		if !slices.Contains(e.To, to.channel.ID) {
			return nil, nil
		}
		subject = e.Subject
	} else if !e.of.known() {
		return nil, nil // of nobody nobody is told
	} else if told, err := v.mayHear(ctx, s, to, e); !told || err != nil {
		return nil, v.pastDamage(e.n, err)
	}
	ids, err := v.eventIDs()
	if err != nil {
		return nil, err
	}
	return &Event{ID: ids.ID(to.channel.ID, e.n), Type: e.Type, Subject: subject, Time: e.Time, Purpose: e.Purpose, Fields: e.Fields}, nil
}

// mayHear reports whether a viewer is told of an event: it may know of it, or it was
// shown what the event is about. Of the fields it leaves those of either.
func (v *Vault) mayHear(ctx context.Context, s store.Snapshot, to *viewer, e *keptEvent) (bool, error) {
	i := slices.IndexFunc(e.Had, func(h event.Had) bool { return h.Channel == to.channel.ID })
	had := i >= 0
	if had && to.purposes != nil { // narrowed credentials are told what they see now
		had = !slices.ContainsFunc(to.channel.Purposes, func(p privacy.PurposeID) bool { return !slices.Contains(to.purposes, p) })
	}
	all := e.Fields
	known := false
	if !e.Only {
		var err error
		if known, err = v.mayKnow(ctx, s, to, e); err != nil {
			return false, err
		}
	}
	if !had {
		return known, nil
	}
	if len(all) > 0 {
		seen := e.Fields
		if !known {
			seen = nil
		}
		e.Fields = slices.DeleteFunc(slices.Clone(all), func(f privacy.FieldName) bool {
			return !slices.Contains(seen, f) && !slices.Contains(e.Had[i].Fields, f)
		})
	}
	return true, nil
}

// mayKnow reports whether a viewer may know of an event, and leaves only the
// fields in it of which it may.
func (v *Vault) mayKnow(ctx context.Context, s store.Snapshot, to *viewer, e *keptEvent) (bool, error) {
	now, believed, other := v.clock.now()
	at := moments{now}
	if !believed {
		at = append(at, other)
	}
	seen, err := v.sees(ctx, s, to, e.of, e.Purpose, at)
	if err != nil {
		return false, err
	}
	switch e.Type {
	case privacy.EventProfileUpdated, privacy.EventProfileUnrestricted:
		e.Fields = seen.among(e.Fields)
		return len(e.Fields) > 0, nil
	case privacy.EventProfileRestricted:
		fields := seen.among(e.Fields) // it may be over by now
		if before, err := v.asOf(ctx, s, e.of, e.Before, e.Time); err != nil {
			return false, err
		} else if before != nil && len(fields) < len(e.Fields) {
			saw, err := v.saw(ctx, s, to, before, e.Purpose, e.Time)
			if err != nil {
				return false, err
			}
			fields = saw.among(e.Fields)
		}
		e.Fields = fields
		return len(e.Fields) > 0, nil
	}
	if len(seen) > 0 || !e.Type.Narrows() || e.Before == 0 {
		return len(seen) > 0, nil
	}
	before, err := v.asOf(ctx, s, e.of, e.Before, e.Time)
	if before == nil || err != nil {
		return false, err
	}
	saw, err := v.saw(ctx, s, to, before, e.Purpose, e.Time)
	return len(saw) > 0, err
}

// among returns those of the fields that are seen for some purpose.
func (s sight) among(fields []privacy.FieldName) (seen []privacy.FieldName) {
	for _, f := range fields {
		for _, of := range s {
			if slices.Contains(of, f) {
				seen = append(seen, f)
				break
			}
		}
	}
	return seen
}

// asOf returns the person with an earlier version of their standing: nil if that is
// no longer kept.
func (v *Vault) asOf(ctx context.Context, r store.Reader, p *person, version uint64, at time.Time) (*person, error) {
	if version != p.standing.Version {
		row, err := bucketStandings.get(r, p.at.with(versionKey(version)...))
		if row == nil || err != nil {
			return nil, err
		}
	}
	standing, err := v.standingAt(ctx, r, p, version, at)
	if err != nil {
		return nil, err
	}
	before := *p
	before.standing = standing
	return &before, nil
}

// saw returns what a channel could see of a person at a time, or within the day
// before: where rules look at the time, the hour of a no is none of its own.
func (v *Vault) saw(ctx context.Context, s store.Snapshot, to *viewer, p *person, purpose privacy.PurposeID, at time.Time) (sight, error) {
	hours := 1
	if to.regime.rules.LooksAt("now") {
		hours = 24
	}
	for h := range hours {
		seen, err := v.sees(ctx, s, to, p, purpose, moments{at.Add(-time.Duration(h) * time.Hour)})
		if len(seen) > 0 || err != nil {
			return seen, err
		}
	}
	return nil, nil
}

// sees returns what a channel sees of a person for a purpose, or for any that it
// has. It opens no value and is no question of the channel's: nothing is counted,
// nothing recorded.
func (v *Vault) sees(ctx context.Context, s store.Snapshot, to *viewer, p *person, purpose privacy.PurposeID, at moments) (sight, error) {
	if to.regime.touches && p.dealings == nil {
		var err error
		if p.dealings, err = v.dealings(s, p); err != nil {
			return nil, err
		}
	}
	seen := sight{}
	for _, id := range to.channel.Purposes {
		if purpose != "" && id != purpose {
			continue
		}
		q := question{by: Caller{Purposes: to.purposes}, channel: to.channel, regime: to.regime, purpose: id}
		if q.mayAsk() != nil {
			continue
		}
		for _, q.context = range to.regime.contexts() {
			outcomes, err := v.outcomesAt(ctx, &q, p, at)
			if noDecision(err) { // as a read: nothing is released
				v.cfg.Logger.Error("the rules in force gave no decision; an event is not told", "err", err)
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, o := range outcomes {
				if o.Action != policy.Withhold && !slices.Contains(seen[id], o.Field) {
					seen[id] = append(seen[id], o.Field)
				}
			}
		}
	}
	return seen, nil
}

// maxContexts bounds how many circumstances are tried.
const maxContexts = 32

// contexts are the circumstances that the rules in force look at: an event comes in
// none of its own, so who would see the person in some may know of it.
func (r *regime) contexts() []map[string]any {
	all := []map[string]any{nil}
	for _, name := range r.rules.ContextKeys() {
		i := slices.IndexFunc(r.register.Context, func(k register.ContextKey) bool { return k.Name == name })
		if i < 0 {
			continue
		}
		key := &r.register.Context[i]
		values := []any{""}
		switch {
		case key.Type == register.ContextNumber:
			values = []any{0.0}
		case key.Type == register.ContextBoolean:
			values = []any{false, true}
		case len(key.Enum) > 0:
			values = values[:0]
			for _, one := range key.Enum {
				values = append(values, one)
			}
		}
		var more []map[string]any
		for _, have := range all {
			for _, value := range values {
				with := map[string]any{name: value}
				for k, v := range have {
					with[k] = v
				}
				more = append(more, with)
			}
		}
		all = more[:min(len(more), maxContexts)]
	}
	return all
}

// whoSaw returns the channels that are told of somebody's erasure beside those that
// were shown something: who could see them until it was asked for, and whom an event is
// about to tell that they cannot any more, since that goes with the person.
func (v *Vault) whoSaw(ctx context.Context, id privacy.SubjectID) (to []privacy.ChannelID, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		to = nil
		wanted, err := s.Get(bucketOutboxState, keyOutboxWanted)
		if err != nil || !listens(wanted, privacy.EventSubjectErased) {
			return err
		}
		r, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		p, err := v.load(ctx, s, id)
		if p == nil || err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		until := map[uint64]time.Time{}
		err = bucketOutboxOf.scan(s, p.at, func(rest, _ []byte) error {
			row, err := s.Get(bucketOutbox, rest)
			if row == nil || err != nil {
				return err
			}
			e, err := v.openEvent(ctx, s, binary.BigEndian.Uint64(rest), row)
			if e != nil && e.Type.Narrows() && e.Before > 0 {
				until[e.Before] = e.Time
			}
			return err
		})
		if err != nil {
			return err
		}
		for n := p.standing.Version; n > 0; n-- { // the last before they were to be erased
			before, err := v.asOf(ctx, s, p, n, now)
			if before == nil || err != nil {
				return err
			}
			if before.standing.Phase == consent.Active {
				until[n] = now
				break
			}
		}
		for version, at := range until {
			before, err := v.asOf(ctx, s, p, version, at)
			if err != nil {
				return err
			}
			if before == nil {
				continue
			}
			for i := range r.register.Channels {
				ch := &r.register.Channels[i]
				if slices.Contains(to, ch.ID) {
					continue
				}
				saw, err := v.saw(ctx, s, &viewer{regime: r, channel: ch}, before, "", at)
				if err != nil {
					return err
				}
				if len(saw) > 0 {
					to = append(to, ch.ID)
				}
			}
		}
		slices.Sort(to)
		return nil
	})
	return to, err
}

// raiseErased puts into the outbox that somebody was erased. It is all that is left
// of them there, and nobody's: it holds the ID that these channels have.
func (v *Vault) raiseErased(tx store.Tx, id privacy.SubjectID, request privacy.RequestID, to []privacy.ChannelID, at time.Time) {
	if len(to) > 0 {
		tx.(raiser).raise(raised{v.nobody, event.Event{Type: privacy.EventSubjectErased, Time: at, Subject: id, To: to}, request})
	}
}

// erasedFor finds out before somebody is erased who is told, and who of them was shown
// something. That it cannot be found out is in no erasure's way.
func (v *Vault) erasedFor(ctx context.Context, id privacy.SubjectID) (to []privacy.ChannelID, had []shownTo) {
	had = v.whoHad(ctx, id)
	to, err := v.whoSaw(ctx, id)
	if err != nil && !errors.Is(err, context.Canceled) {
		v.cfg.Logger.Error("who is to be told of an erasure cannot be found out", "err", err)
	}
	for _, one := range had {
		if !slices.Contains(to, one.channel) {
			to = append(to, one.channel)
		}
	}
	slices.Sort(to)
	return to, had
}
