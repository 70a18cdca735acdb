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
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// person is a subject with what opens their records.
type person struct {
	id       privacy.SubjectID
	standing *consent.Standing
	history  *keys.DEK
	wrapped  []byte        // the values DEK; unwrapped only where a value is opened
	kept     []byte        // shares of values from before that DEK, sealed under it; mostly none
	ring     *keys.Keyring // that wrapped it; nil: the vault's
}

func (p *person) known() bool { return p.id != privacy.Nobody }

// rows of the keys engine: format, then both wrapped DEKs with their lengths, and
// for somebody of whom a part was erased the shares of the values that stayed.
//
//	0x01 values history        each after its length (2)
//	0x02 values history kept   kept, which is longer, to the end
const (
	deksFormat     = 1
	deksFormatKept = 2
)

// deks is a row of the keys engine.
type deks struct{ values, history, kept []byte }

func (d deks) pack() []byte {
	row := []byte{deksFormat}
	if len(d.kept) > 0 {
		row[0] = deksFormatKept
	}
	for _, w := range [][]byte{d.values, d.history} {
		row = binary.BigEndian.AppendUint16(row, uint16(len(w)))
		row = append(row, w...)
	}
	return append(row, d.kept...)
}

func unpackDEKs(row []byte) (d deks, err error) {
	bad := fmt.Errorf("reading a subject's keys: %w", errIntegrity)
	if len(row) == 0 || row[0] != deksFormat && row[0] != deksFormatKept {
		return d, bad
	}
	rest := row[1:]
	for _, part := range []*[]byte{&d.values, &d.history} {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return deks{}, bad
		}
		n := int(binary.BigEndian.Uint16(rest))
		*part, rest = rest[2:2+n], rest[2+n:]
	}
	if (row[0] == deksFormatKept) != (len(rest) > 0) {
		return deks{}, bad
	}
	if len(rest) > 0 {
		d.kept = rest
	}
	return d, nil
}

// newKeys draws a subject's two DEKs and wraps them.
func (v *Vault) newKeys(id privacy.SubjectID) (*person, []byte, error) {
	ring := v.keyring()
	p := &person{id: id, standing: &consent.Standing{}, ring: ring}
	var err error
	if p.history, err = ring.NewDEK(); err != nil {
		return nil, nil, err
	}
	values, err := ring.NewDEK()
	if err != nil {
		return nil, nil, err
	}
	history, err := ring.Wrap(p.history, id, keys.History)
	if err != nil {
		return nil, nil, err
	}
	p.wrapped, err = ring.Wrap(values, id, keys.Values)
	return p, deks{values: p.wrapped, history: history}.pack(), err
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
		have, err := tx.Get(bucketDEKs, id[:])
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
	_, err := v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
		row, err := tx.Get(bucketDEKs, id[:])
		if row == nil || err != nil {
			return err
		}
		return tx.Put(bucketDEKs, id[:], bytes.Clone(row))
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
			if err := tx.Delete(bucketDEKs, id[:]); err != nil {
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
	var p *person
	err := v.cfg.Keys.View(ctx, func(s store.Snapshot) error {
		row, err := s.Get(bucketDEKs, id[:])
		if row == nil || err != nil {
			return err
		}
		d, err := unpackDEKs(row)
		if err != nil {
			return err
		}
		ring := v.keyring() // it turns no further while this snapshot is open
		dek, err := ring.Unwrap(d.history, id, keys.History)
		if err != nil {
			return fmt.Errorf("opening the history key of %s: %w", id, err)
		}
		p = &person{id: id, history: dek, wrapped: bytes.Clone(d.values), kept: bytes.Clone(d.kept), ring: ring}
		return nil
	})
	return p, err
}

// load returns the subject as the reader sees it, or nil if there is none.
func (v *Vault) load(ctx context.Context, r store.Reader, id privacy.SubjectID) (*person, error) {
	row, err := r.Get(bucketStanding, id[:])
	if row == nil || err != nil {
		return nil, err
	}
	var p *person
	if rehearsing, ok := r.(*rehearsal); ok {
		p = rehearsing.made(id)
	}
	if p == nil {
		p, err = v.loadKeys(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("the keys of %s are missing: %w", id, errIntegrity)
	}
	if p.standing, err = v.openStanding(p, row); err != nil {
		return nil, err
	}
	return p, nil
}

func (v *Vault) openStanding(p *person, row []byte) (*consent.Standing, error) {
	version, n := binary.Uvarint(row)
	if n <= 0 {
		return nil, fmt.Errorf("reading the standing of %s: %w", p.id, errIntegrity)
	}
	plain, err := keys.Unseal(p.history, v.bind(p.id, "standing", version), row[n:])
	if err != nil {
		return nil, fmt.Errorf("opening the standing of %s: %w", p.id, err)
	}
	s, err := consent.Decode(plain)
	if err != nil || s.Version != version {
		return nil, fmt.Errorf("reading the standing of %s: %w", p.id, errIntegrity)
	}
	return s, nil
}

// save writes the person's standing as its next version and keeps the one
// before.
func (v *Vault) save(tx store.Tx, p *person) error {
	old, err := tx.Get(bucketStanding, p.id[:])
	if err != nil {
		return err
	}
	if old != nil {
		if err := tx.Put(bucketStandings, versionKey(p.id, p.standing.Version), bytes.Clone(old)); err != nil {
			return err
		}
	}
	p.standing.Version++
	sealed, err := keys.Seal(p.history, v.bind(p.id, "standing", p.standing.Version), p.standing.Encode())
	if err != nil {
		return err
	}
	return tx.Put(bucketStanding, bytes.Clone(p.id[:]), append(binary.AppendUvarint(nil, p.standing.Version), sealed...))
}

// standingAt returns a version of a person's standing, for a past decision.
func (v *Vault) standingAt(r store.Reader, p *person, version uint64) (*consent.Standing, error) {
	if version == p.standing.Version {
		return p.standing, nil
	}
	row, err := r.Get(bucketStandings, versionKey(p.id, version))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("version %d of the standing of %s is missing: %w", version, p.id, errIntegrity)
	}
	return v.openStanding(p, row)
}

func versionKey(id privacy.SubjectID, version uint64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(id[:]), version)
}

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
		row, err := s.Get(bucketStanding, privacy.Nobody[:])
		v.nobodyRow = bytes.Clone(row)
		return err
	})
}

// usual is a standing of the size that people have. The vault's own is empty and
// read faster than anybody's, so this one is read beside it.
var usual = (&consent.Standing{
	Captured: []privacy.ChannelID{"web"},
	Grounds:  []consent.Ground{{Purpose: "order-fulfilment"}, {Purpose: "customer-care"}},
	Values: []consent.Value{
		{Field: "email", Channel: "web", Index: [16]byte{1}, Holds: true, Channels: []privacy.ChannelID{"web"}},
		{Field: "family_name", Channel: "web"}, {Field: "given_name", Channel: "web"},
	},
}).Encode()

// loadOwn loads the vault's own standing for a reference that found nobody, by
// the steps that somebody's takes. By ID, a standing was looked for already.
func (v *Vault) loadOwn(ctx context.Context, r store.Reader, ref *reference) (*person, error) {
	if _, err := consent.Decode(usual); err != nil {
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
	p.standing, err = v.openStanding(p, v.nobodyRow)
	return p, err
}

// sealedValue is a value of a person as it lies in the profile record.
type sealedValue struct {
	version  uint64
	envelope []byte
}

// A profile record holds the sealed values of one person side by side, since
// they are mostly read together, in the order in which the standing names them.
// It names no field itself: whose values there are of is nobody's to see
// either.
//
//	profile = 0x01 count { version len envelope }*
const profileFormat = 1

func packProfile(values []sealedValue) []byte {
	b := binary.AppendUvarint([]byte{profileFormat}, uint64(len(values)))
	for _, s := range values {
		b = binary.AppendUvarint(b, s.version)
		b = binary.AppendUvarint(b, uint64(len(s.envelope)))
		b = append(b, s.envelope...)
	}
	return b
}

func unpackProfile(b []byte) ([]sealedValue, error) {
	if b == nil {
		return nil, nil
	}
	if len(b) == 0 || b[0] != profileFormat {
		return nil, errIntegrity
	}
	b = b[1:]
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			b = nil
			return 0
		}
		b = b[size:]
		return n
	}
	count := number()
	if count > uint64(len(b)) {
		return nil, errIntegrity
	}
	values := make([]sealedValue, 0, count)
	for range count {
		s := sealedValue{version: number()}
		n := number()
		if n > uint64(len(b)) {
			return nil, errIntegrity
		}
		s.envelope, b = b[:n], b[n:]
		values = append(values, s)
	}
	if len(b) != 0 {
		return nil, errIntegrity
	}
	return values, nil
}

// valuesOf opens nothing yet: it gives what opens single values of a person, as
// the standing says they are there.
type valuesOf struct {
	v      *Vault
	p      *person
	sealed []sealedValue // in the order of the standing's values when it was read
	dek    *keys.DEK
	kept   *keys.Kept
}

func (v *Vault) valuesOf(r store.Reader, p *person) (*valuesOf, error) {
	row, err := r.Get(bucketProfiles, p.id[:])
	if err != nil {
		return nil, err
	}
	sealed, err := unpackProfile(row)
	if err != nil {
		return nil, fmt.Errorf("reading the profile of %s: %w", p.id, err)
	}
	if len(sealed) != len(p.standing.Values) {
		return nil, fmt.Errorf("the profile of %s has %d values, their standing names %d: %w", p.id, len(sealed), len(p.standing.Values), errIntegrity)
	}
	return &valuesOf{v: v, p: p, sealed: sealed}, nil
}

// open opens one value that the standing names. That it is not there, of
// another version, or does not verify is damage.
func (o *valuesOf) open(fact *consent.Value) (privacy.Sensitive, error) {
	at := slices.IndexFunc(o.p.standing.Values, func(v consent.Value) bool { return v.Field == fact.Field })
	if at < 0 || at >= len(o.sealed) || o.sealed[at].version != fact.Version {
		return privacy.Sensitive{}, fmt.Errorf("the value of %s of %s is not there in the version its standing names: %w", fact.Field, o.p.id, errIntegrity)
	}
	plain, err := o.unseal("value/"+string(fact.Field), fact.Version, o.sealed[at].envelope)
	if err != nil {
		return privacy.Sensitive{}, fmt.Errorf("opening %s of %s: %w", fact.Field, o.p.id, err)
	}
	return privacy.NewSensitive(plain), nil
}

// unseal opens one of the person's values, current or past.
func (o *valuesOf) unseal(field string, version uint64, envelope []byte) ([]byte, error) {
	if err := o.unwrap(); err != nil {
		return nil, err
	}
	as := o.v.bind(o.p.id, field, version)
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
	dek, err := cmp.Or(o.p.ring, o.v.keyring()).Unwrap(o.p.wrapped, o.p.id, keys.Values)
	if err == nil {
		o.kept, err = keys.OpenKept(dek, o.v.id, o.p.id, o.p.kept)
	}
	if err != nil {
		return fmt.Errorf("opening the values key of %s: %w", o.p.id, err)
	}
	o.dek = dek
	return nil
}

// micro is now in the vault's resolution.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
