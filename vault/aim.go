package vault

import (
	"context"
	"slices"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// aimed is whom an act is about, found before the act is promised in the
// ledger and found again, the same, in the transaction that does it.
type aimed struct {
	v       *Vault
	by      Caller
	channel *register.Channel
	regime  *regime
	ref     *reference
	found   privacy.SubjectID // whom the reference found; Nobody: nobody
	// reaches is everybody whose value the identifier is, found first: a no by
	// an identifier is for all of them, whoever else holds it.
	reaches []privacy.SubjectID
	fresh   *person // made for an identifier nobody holds
	makes   bool    // the act says more of somebody than no: the channel knows them
	used    bool
}

// aim checks a request with check and finds whom it is about. An identifier
// that nobody has gets keys for somebody new; so does one that finds nobody,
// unless the act narrows and so reaches everybody who has it.
func (v *Vault) aim(ctx context.Context, by Caller, subject SubjectRef, narrows bool, check func(store.Snapshot, *regime, *register.Channel) error) (*aimed, error) {
	w := &aimed{v: v, by: by}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		var err error
		if w.regime, err = v.regime(ctx, s); err != nil {
			return err
		}
		if w.channel, err = w.regime.channelOf(by); err != nil {
			return err
		}
		if err := check(s, w.regime, w.channel); err != nil {
			return err
		}
		if w.ref, err = v.reference(w.regime.register, w.channel, subject); err != nil {
			return err
		}
		p, err := v.find(ctx, s, w.ref)
		if p != nil {
			w.found = p.id
		}
		if err != nil || !narrows || w.ref.field == nil {
			return err
		}
		all, err := v.claimants(ctx, s, w.ref.field, w.ref.value.Lookup)
		for _, c := range all {
			if w.found == privacy.Nobody {
				w.found = c.id
			}
			w.reaches = append(w.reaches, c.id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case w.ref.field == nil:
	case w.found != privacy.Nobody:
		err = v.touchKeys(ctx, w.found)
	default:
		w.fresh, err = v.makeSubject(ctx)
	}
	return w, err
}

// id is whom the act is about: for an ID that nobody has, that ID.
func (w *aimed) id() privacy.SubjectID {
	switch {
	case w.found != privacy.Nobody:
		return w.found
	case w.fresh != nil:
		return w.fresh.id
	}
	return w.ref.id
}

// everybody is all whom the act is about, the one it is answered about first.
func (w *aimed) everybody() []privacy.SubjectID {
	all := []privacy.SubjectID{w.id()}
	for _, id := range w.reaches {
		if id != all[0] {
			all = append(all, id)
		}
	}
	return all
}

// hitAll returns everybody inside the transaction, in the order of everybody:
// one nil for an ID that nobody has, errAgain if they are others by now.
func (w *aimed) hitAll(ctx context.Context, tx store.Tx) ([]*person, error) {
	if len(w.reaches) == 0 {
		p, err := w.hit(ctx, tx)
		return []*person{p}, err
	}
	if err := w.regime.stillInForce(tx); err != nil {
		return nil, err
	}
	claimants, err := w.v.claimants(ctx, tx, w.ref.field, w.ref.value.Lookup)
	if err != nil {
		return nil, err
	}
	wanted := w.everybody()
	if len(claimants) != len(wanted) {
		return nil, errAgain
	}
	people := make([]*person, len(wanted))
	for _, p := range claimants {
		at := slices.Index(wanted, p.id)
		if at < 0 {
			return nil, errAgain
		}
		people[at] = p
	}
	return people, nil
}

// hit returns the person inside the transaction: nil for an ID that nobody has,
// errAgain if the reference finds somebody else by now.
func (w *aimed) hit(ctx context.Context, tx store.Tx) (*person, error) {
	w.used = false
	if err := w.regime.stillInForce(tx); err != nil {
		return nil, err
	}
	p, err := w.v.find(ctx, tx, w.ref)
	switch {
	case err != nil:
		return nil, err
	case p != nil && p.id == w.found:
		if w.makes && w.ref.field != nil && p.standing.KnownByNarrowingOnly() {
			if fact := p.standing.Value(w.ref.field.Name); !contains(fact.Channels, w.channel.ID) {
				fact.Channels = append(fact.Channels, w.channel.ID)
			}
		}
		return p, nil
	case p != nil || w.found != privacy.Nobody:
		return nil, errAgain
	case w.fresh == nil:
		return nil, nil
	}
	return w.begin(ctx, tx)
}

// begin makes the new subject with the identifier as their only value. Its
// standing and profile are the caller's to save.
func (w *aimed) begin(ctx context.Context, tx store.Tx) (*person, error) {
	p, standing := *w.fresh, *w.fresh.standing
	p.standing = &standing
	now, _, _ := w.v.clock.now()
	c := &capture{v: w.v, by: w.by, regime: w.regime, channel: w.channel, now: now, observed: now, recorded: now,
		values: []captured{{field: w.ref.field, value: w.ref.value}}}
	if err := c.merge(ctx, tx, &p, &valuesOf{v: w.v, p: &p}, &CaptureResult{}); err != nil {
		return nil, err
	}
	if !w.makes {
		// A no gives the channel no hold on whoever has the identifier: who
		// captures it becomes them, if nothing but noes is known.
		p.standing.Value(w.ref.field.Name).Channels = nil
	}
	w.used = true
	return &p, nil
}

// noteIdentifiers returns what finds one of those whom the act is about.
func (w *aimed) noteIdentifiers(ctx context.Context, act privacy.ID, id privacy.SubjectID) []byte {
	var own *person
	if w.fresh != nil && w.fresh.id == id {
		own = w.fresh
	}
	var given []captured
	if w.ref.field != nil {
		given = append(given, captured{field: w.ref.field, value: w.ref.value})
	}
	return w.v.noteIdentifiers(ctx, act, id, own, given)
}

// close drops keys that were made for nobody.
func (w *aimed) close(ctx context.Context) {
	if w.fresh != nil && !w.used {
		w.v.dropKeys(ctx, w.fresh.id)
	}
}
