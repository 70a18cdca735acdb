package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// person is a subject with what opens their records.
type person struct {
	id       privacy.SubjectID
	at       place // of their rows
	standing *consent.Standing
	history  *keys.DEK
	wrapped  []byte            // their DEKs; that of the values is unwrapped only where one is opened
	values   *keys.DEK         // that of the values, of somebody whose keys were just made
	kept     []byte            // shares of values from before that DEK, sealed under it; mostly none
	ring     *keys.Keyring     // that wrapped it; nil: the vault's
	dealings *contact.Dealings // if they were read
	room     [128]byte         // for wrapped
}

func (p *person) known() bool { return p.id != privacy.Nobody }

// deks is a row of the keys engine: a person's wrapped DEKs, and for somebody of
// whom a part was erased the shares of the values that stayed.
type deks struct{ wrapped, kept []byte }

func (d deks) pack() []byte { return slices.Concat(d.wrapped, d.kept) }

func unpackDEKs(row []byte) (d deks, err error) {
	if d.wrapped, d.kept, err = keys.CutWrapped(row); err != nil {
		return deks{}, fmt.Errorf("reading a subject's keys: %w: %w", errIntegrity, err)
	}
	return d, nil
}

// newKeys draws a subject's two DEKs and wraps them.
func (v *Vault) newKeys(id privacy.SubjectID) (*person, []byte, error) {
	ring := v.keyring()
	p := &person{id: id, at: v.place(id), standing: &consent.Standing{}, ring: ring}
	var err error
	if p.history, err = ring.NewDEK(); err != nil {
		return nil, nil, err
	}
	values, err := ring.NewDEK()
	if err != nil {
		return nil, nil, err
	}
	p.values = values
	p.wrapped, err = ring.Wrap(id, values, p.history)
	return p, p.wrapped, err
}

// newSubject is newKeys for somebody new.
func (v *Vault) newSubject() (*person, []byte, error) {
	id, err := v.keyring().NewSubject(v.cfg.Now())
	if err != nil {
		return nil, nil, err
	}
	return v.newKeys(id)
}

// makeSubject is makeKeys for somebody new.
func (v *Vault) makeSubject(ctx context.Context) (*person, error) {
	id, err := v.keyring().NewSubject(v.cfg.Now())
	if err != nil {
		return nil, err
	}
	return v.makeKeys(ctx, id)
}

// makeKeys makes a subject's two DEKs durable. It comes before anything that
// they seal.
func (v *Vault) makeKeys(ctx context.Context, id privacy.SubjectID) (*person, error) {
	p, row, err := v.newKeys(id)
	if err != nil {
		return nil, err
	}
	_, err = v.cfg.Keys.Update(ctx, func(tx store.Tx) error { return v.putKeys(tx, p, row) })
	return p, err
}

// keysOf returns the keys of a subject that the caller named, made if there are
// none yet.
func (v *Vault) keysOf(ctx context.Context, id privacy.SubjectID) (*person, error) {
	made, row, err := v.newKeys(id)
	if err != nil {
		return nil, err
	}
	_, err = v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
		have, err := bucketDEKs.get(tx, made.at)
		if have != nil || err != nil {
			return err
		}
		return v.putKeys(tx, made, row)
	})
	if err != nil {
		return nil, err
	}
	p, err := v.loadKeys(ctx, id)
	if p != nil {
		p.standing = &consent.Standing{}
	}
	return p, err
}

// touchKeys writes a subject's keys as they are. An act by an identifier takes
// it for somebody known, so that it lasts as long as for somebody new, whose
// keys are made.
func (v *Vault) touchKeys(ctx context.Context, id privacy.SubjectID) error {
	at := v.place(id)
	_, err := v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
		row, err := bucketDEKs.get(tx, at)
		if row == nil || err != nil {
			return err
		}
		return bucketDEKs.put(tx, at, bytes.Clone(row))
	})
	return err
}

// dropKeys removes keys that were made for subjects that did not come to be.
func (v *Vault) dropKeys(ctx context.Context, ids ...privacy.SubjectID) {
	if len(ids) == 0 {
		return
	}
	_, err := v.cfg.Keys.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		for _, id := range ids {
			if err := bucketDEKs.delete(tx, v.place(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		v.cfg.Logger.Warn("keys of subjects that did not come to be stay behind", "subjects", len(ids), "err", err)
	}
}

// loadKeys reads a subject's keys: nil if there are none.
func (v *Vault) loadKeys(ctx context.Context, id privacy.SubjectID) (*person, error) {
	return v.loadKeysAt(ctx, id, v.place(id))
}

func (v *Vault) loadKeysAt(ctx context.Context, id privacy.SubjectID, at place) (*person, error) {
	p := &person{id: id, at: at}
	err := v.cfg.Keys.View(ctx, func(s store.Snapshot) error {
		row, err := bucketDEKs.get(s, at)
		if row == nil || err != nil {
			return err
		}
		d, err := unpackDEKs(row)
		if err != nil {
			return err
		}
		p.ring = v.keyring() // it turns no further while this snapshot is open
		if p.history, err = p.ring.Unwrap(d.wrapped, id, keys.History); err != nil {
			return fmt.Errorf("opening the history key of %s: %w", id, err)
		}
		p.wrapped, p.kept = append(p.room[:0], d.wrapped...), bytes.Clone(d.kept)
		return nil
	})
	if err != nil || p.history == nil {
		return nil, err
	}
	return p, nil
}

// load returns the subject as the reader sees it, or nil if there is none.
func (v *Vault) load(ctx context.Context, r store.Reader, id privacy.SubjectID) (*person, error) {
	at := v.place(id)
	row, err := bucketStanding.get(r, at)
	if row == nil || err != nil {
		return nil, err
	}
	var p *person
	if rehearsing, ok := r.(*rehearsal); ok {
		p = rehearsing.made(id)
	}
	if p == nil {
		p, err = v.loadKeysAt(ctx, id, at)
	}
	if err != nil {
		return nil, err
	}
	if p == nil {
		t, err := v.tombstone(r, id) // the reader may see what was before
		if t != nil || err != nil {
			return nil, err
		}
		if err := v.withoutKeys(ctx, id); !errors.Is(err, log.ErrErased) {
			return nil, err
		}
		return nil, nil
	}
	if p.standing, err = v.openStanding(r, p, row); err != nil {
		return nil, err
	}
	return p, v.lapse(ctx, r, p.standing)
}

// lapse narrows a standing as of now, if it was lost what people said no to.
func (v *Vault) lapse(ctx context.Context, r store.Reader, s *consent.Standing) error {
	if v.lapsed.IsZero() {
		return nil
	}
	now, err := v.regime(ctx, r)
	if err != nil {
		return err
	}
	var purposes []privacy.PurposeID
	for i := range now.register.Purposes {
		if p := &now.register.Purposes[i]; p.Basis == privacy.OptOut || p.Basis == privacy.LegitimateInterests || p.Basis == privacy.PublicTask {
			purposes = append(purposes, p.ID)
		}
	}
	s.Lapse(v.lapsed, purposes)
	return nil
}

func (v *Vault) openStanding(r store.Reader, p *person, row []byte) (*consent.Standing, error) {
	version, n := binary.Uvarint(row)
	if n <= 0 {
		return nil, fmt.Errorf("reading the standing of %s: %w", p.id, errIntegrity)
	}
	plain, err := keys.Unseal(p.history, v.bind(p.id, "standing", version), row[n:])
	if err != nil {
		return nil, fmt.Errorf("opening the standing of %s: %w", p.id, err)
	}
	revision, err := consent.NamesOf(plain)
	if err != nil {
		return nil, fmt.Errorf("reading the standing of %s: %w", p.id, errIntegrity)
	}
	names, err := v.names(r, revision)
	if err != nil {
		return nil, fmt.Errorf("reading the standing of %s: %w", p.id, err)
	}
	s, err := consent.Decode(plain, names)
	if err != nil || s.Version != version {
		return nil, fmt.Errorf("reading the standing of %s: %w", p.id, errIntegrity)
	}
	return s, nil
}

// save writes the person's standing as its next version and keeps the one
// before.
func (v *Vault) save(tx store.Tx, p *person) error {
	old, err := bucketStanding.get(tx, p.at)
	if err != nil {
		return err
	}
	if old != nil {
		if err := bucketStandings.put(tx, p.at.with(versionKey(p.standing.Version)...), bytes.Clone(old)); err != nil {
			return err
		}
	}
	p.standing.Version++
	sealed, err := keys.Seal(p.history, v.bind(p.id, "standing", p.standing.Version), p.standing.Encode(v.namesNow(p.id)))
	if err != nil {
		return err
	}
	return bucketStanding.put(tx, p.at, append(binary.AppendUvarint(nil, p.standing.Version), sealed...))
}

// standingAt returns a version of a person's standing as it was for a decision
// made at a time.
func (v *Vault) standingAt(ctx context.Context, r store.Reader, p *person, version uint64, at time.Time) (*consent.Standing, error) {
	bucket, key := bucketStandings, p.at.with(versionKey(version)...)
	if version == p.standing.Version {
		bucket, key = bucketStanding, p.at
	}
	row, err := bucket.get(r, key)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("version %d of the standing of %s is missing: %w", version, p.id, errIntegrity)
	}
	s, err := v.openStanding(r, p, row)
	if err == nil && at.After(v.lapsed) {
		err = v.lapse(ctx, r, s)
	}
	return s, err
}

func versionKey(version uint64) []byte { return binary.BigEndian.AppendUint64(nil, version) }

func (v *Vault) bind(id privacy.SubjectID, field string, version uint64) keys.Binding {
	return keys.Binding{Vault: v.id, Subject: id, Field: field, Version: version}
}

// loadNobody loads the vault's own keys and the standing that unknown people
// are read with.
func (v *Vault) loadNobody(ctx context.Context) error {
	return v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		p, err := v.load(ctx, s, privacy.Nobody)
		if err == nil && p == nil {
			err = fmt.Errorf("the vault's own standing is missing: %w", errIntegrity)
		}
		if err != nil {
			return err
		}
		v.nobody, p.ring = p, nil // it lives long, and must not keep an old KEK
		row, err := bucketStanding.get(s, p.at)
		v.nobodyRow = bytes.Clone(row)
		return err
	})
}

// usual is a standing of the size that people have. The vault's own is empty and
// read faster than anybody's, so this one is read beside it.
var usual = (&consent.Standing{
	Jurisdiction: "DE", TimeZone: "Europe/Berlin",
	Captured: []privacy.ChannelID{"web"},
	Grounds:  []consent.Ground{{Purpose: "order-fulfilment"}, {Purpose: "customer-care"}},
	Values: []consent.Value{
		{Field: "email", Channel: "web", Index: [16]byte{1}, Holds: true, Channels: []privacy.ChannelID{"web"}},
		{Field: "family_name", Channel: "web"}, {Field: "given_name", Channel: "web"},
	},
}).Encode(usualNames)

var usualNames = consent.NewNames(1, []string{"web", "order-fulfilment", "customer-care", "email", "family_name", "given_name"})

// loadOwn loads the vault's own standing for a reference that found nobody, by
// the steps that somebody's takes. By ID, a standing was looked for already.
func (v *Vault) loadOwn(ctx context.Context, r store.Reader, ref *reference) (*person, error) {
	if _, err := consent.Decode(usual, usualNames); err != nil {
		return nil, err
	}
	if ref.field != nil {
		_ = v.indexProof(ref.field.Name, [16]byte{}, privacy.Nobody, [16]byte{})
		return v.load(ctx, r, privacy.Nobody)
	}
	p, err := v.loadKeys(ctx, privacy.Nobody)
	if err != nil || p == nil {
		return nil, errors.Join(err, missing(p, privacy.Nobody))
	}
	p.standing, err = v.openStanding(r, p, v.nobodyRow)
	return p, err
}

// A profile is a list of the envelopes of one person's values, side by side since
// they are mostly read together, in the order in which the standing names them. It names no
// field itself: whose values there are of is nobody's to see either.

// maxBinding is more than what a value is bound to takes.
const maxBinding = 192

// valuesOf opens nothing yet: it gives what opens single values of a person, as
// the standing says they are there.
type valuesOf struct {
	v      *Vault
	p      *person
	sealed keys.List // in the order of the standing's values when it was read
	dek    *keys.DEK
	kept   *keys.Kept
	room   []byte // where opened values lie, one behind the other
}

func (v *Vault) valuesOf(r store.Reader, p *person) (*valuesOf, error) {
	o := &valuesOf{v: v, p: p}
	return o, o.read(r)
}

// read reads what is sealed of the person.
func (o *valuesOf) read(r store.Reader) error {
	p := o.p
	row, err := bucketProfiles.get(r, p.at)
	if err != nil {
		return err
	}
	if row != nil {
		o.room = make([]byte, 0, len(row)+maxBinding)
		if o.sealed, err = keys.ParseList(row); err != nil {
			return fmt.Errorf("reading the profile of %s: %w: %w", p.id, errIntegrity, err)
		}
	}
	if o.sealed.Len() != len(p.standing.Values) {
		return fmt.Errorf("the profile of %s has %d values, their standing names %d: %w", p.id, o.sealed.Len(), len(p.standing.Values), errIntegrity)
	}
	return nil
}

// open opens one value that the standing names. That it is not there, of
// another version, or does not verify is damage.
func (o *valuesOf) open(fact *consent.Value) (privacy.Sensitive, error) {
	at := slices.IndexFunc(o.p.standing.Values, func(v consent.Value) bool { return v.Field == fact.Field })
	if err := o.unwrap(); err != nil {
		return privacy.Sensitive{}, err
	}
	as := o.v.bindValue(o.p.id, fact)
	var plain []byte
	var err error
	if o.kept.Has(as) {
		plain, err = o.kept.Unseal(as, o.sealed.Envelope(at))
	} else {
		var room []byte
		if room, err = o.sealed.Unseal(o.room, o.dek, at, as); err == nil {
			plain, o.room = room[len(o.room):len(room):len(room)], room
		}
	}
	if err != nil {
		return privacy.Sensitive{}, fmt.Errorf("opening %s of %s: %w", fact.Field, o.p.id, err)
	}
	return privacy.NewSensitive(plain), nil
}

// unsealPast opens one of the person's past values.
func (o *valuesOf) unsealPast(id privacy.ID, envelope []byte) ([]byte, error) {
	if err := o.unwrap(); err != nil {
		return nil, err
	}
	as := o.v.bind(o.p.id, pastField(id), 1)
	if o.kept.Has(as) {
		return o.kept.Unseal(as, envelope)
	}
	return keys.Unseal(o.dek, as, envelope)
}

// seal seals one of the person's values.
func (o *valuesOf) seal(field string, version uint64, value []byte) ([]byte, error) {
	if err := o.unwrap(); err != nil {
		return nil, err
	}
	return keys.Seal(o.dek, o.v.bind(o.p.id, field, version), value)
}

// unwrap opens the person's values key.
func (o *valuesOf) unwrap() error {
	if o.dek != nil {
		return nil
	}
	dek, err := o.p.values, error(nil)
	if dek == nil {
		dek, err = cmp.Or(o.p.ring, o.v.keyring()).Unwrap(o.p.wrapped, o.p.id, keys.Values)
	}
	if err == nil {
		o.kept, err = keys.OpenKept(dek, o.v.id, o.p.id, o.p.kept)
	}
	if err != nil {
		return fmt.Errorf("opening the values key of %s: %w", o.p.id, err)
	}
	o.dek = dek
	return nil
}

// put writes the person's values as their standing names them by now: those that
// are sealed already stay as they are, and all others are sealed together.
func (o *valuesOf) put(tx store.Tx, sealed map[privacy.FieldName][]byte, plain map[privacy.FieldName]privacy.Sensitive) error {
	if err := o.unwrap(); err != nil {
		return err
	}
	var fresh []keys.Item
	for i := range o.p.standing.Values {
		fact := &o.p.standing.Values[i]
		if sealed[fact.Field] == nil {
			fresh = append(fresh, keys.Item{Binding: o.v.bindValue(o.p.id, fact), Plaintext: plain[fact.Field].Reveal()})
		}
	}
	next, err := keys.SealAll(o.dek, fresh)
	if err != nil {
		return fmt.Errorf("sealing values of %s: %w", o.p.id, err)
	}
	envelopes := make([][]byte, len(o.p.standing.Values))
	for i := range o.p.standing.Values {
		if envelopes[i] = sealed[o.p.standing.Values[i].Field]; envelopes[i] == nil {
			envelopes[i], next = next[0], next[1:]
		}
	}
	row, err := keys.PackList(envelopes)
	if err != nil {
		return fmt.Errorf("packing the profile of %s: %w", o.p.id, err)
	}
	return bucketProfiles.put(tx, o.p.at, row)
}

func (v *Vault) bindValue(id privacy.SubjectID, fact *consent.Value) keys.Binding {
	return v.bind(id, "value/"+string(fact.Field), fact.Version)
}

// micro is now in the vault's resolution.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
