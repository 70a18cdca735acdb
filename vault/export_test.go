package vault

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What tests look at that nobody else may.

// StandingOf returns a person's standing, nil for an ID that nobody has.
func (v *Vault) StandingOf(ctx context.Context, id privacy.SubjectID) (s *consent.Standing, err error) {
	err = v.cfg.Store.View(ctx, func(r store.Snapshot) error {
		p, err := v.load(ctx, r, id)
		if p != nil {
			s = p.standing
		}
		return err
	})
	return s, err
}

// OpenEntry opens an entry of the log.
func (v *Vault) OpenEntry(ctx context.Context, raw []byte) (log.Entry, []byte, error) {
	e, err := log.ParseEntry(raw)
	if err != nil {
		return e, nil, err
	}
	dek, err := v.historyKey(ctx, e.Subject)
	if err != nil {
		return e, nil, err
	}
	o, err := e.Open(dek, v.id)
	return e, o.Record, err
}

// PastValues returns the values that lost, in the order in which they did.
func (v *Vault) PastValues(ctx context.Context, id privacy.SubjectID) (past []string, err error) {
	err = v.cfg.Store.View(ctx, func(r store.Snapshot) error {
		p, err := v.load(ctx, r, id)
		if err != nil || p == nil {
			return err
		}
		values := &valuesOf{v: v, p: p}
		return bucketHistory.scan(r, p.at, func(key, sealed []byte) error {
			plain, err := values.unsealPast(privacy.ID(key), sealed)
			if err != nil {
				return err
			}
			var row pastValue
			err = json.Unmarshal(plain, &row)
			past = append(past, string(row.Field)+" "+string(row.Value)+" "+string(row.Channel))
			return err
		})
	})
	return past, err
}

// RowKey returns the key of a row, of one that has the person's ID where the row
// has their place. Of a person's only row, the key itself will do.
func (v *Vault) RowKey(b store.Bucket, key []byte) []byte {
	const id = len(privacy.SubjectID{})
	at := 0
	switch {
	case b == bucketIndex || b == bucketIndexEven:
		at = 16
		fallthrough
	case slices.Contains([]personal{bucketStanding, bucketProfiles, bucketDEKs, bucketDealings}, personal(b)):
		if len(key) != at+id {
			return key
		}
	case !slices.Contains([]personal{bucketStandings, bucketHistory, bucketConsents}, personal(b)):
		return key
	}
	return slices.Concat(key[:at], v.place(privacy.SubjectID(key[at:])).key, key[at+id:])
}

// PersonAt returns whose place a row's key is.
func (v *Vault) PersonAt(key []byte) (privacy.SubjectID, error) { return v.personAt(key) }

// UnpackProfile and PackProfile read and write profile records.
func UnpackProfile(row []byte) (envelopes [][]byte, err error) {
	l, err := keys.ParseList(row)
	for i := range l.Len() {
		envelopes = append(envelopes, l.Envelope(i))
	}
	return envelopes, err
}

func PackProfile(envelopes [][]byte) ([]byte, error) { return keys.PackList(envelopes) }

// Clock is the vault's clock as the doubts about it are told.
type Clock struct{ c *clock }

// NewClock returns a clock that last committed at a time.
func NewClock(read func() time.Time, committed time.Time) Clock {
	return Clock{&clock{read: read, start: read(), committed: committed}}
}

// Believed reports whether the clock is believed now.
func (c Clock) Believed() bool {
	_, believed, _ := c.c.now()
	return believed
}

// Confirm is an officer's word.
func (c Clock) Confirm() { c.c.confirm() }

// OnRotation has fn called at every step of a rotation, outside of transactions.
// An error of it ends the rotation there, as a crash would.
func (v *Vault) OnRotation(fn func(step string) error) {
	if fn == nil {
		v.rotating.fault.Store(nil)
		return
	}
	v.rotating.fault.Store(&fn)
}

// OnTheBeat waits for the beat.
var OnTheBeat = onTheBeat

// Quiet reports whether a read's answer would wait for the beat. It records
// nothing.
func (v *Vault) Quiet(ctx context.Context, by Caller, req ReadRequest) (bool, error) {
	a, err := v.decide(ctx, by, req, values)
	return a.quiet, err
}

// Reads tries to read somebody's values as whoever has these files would who
// knows this program and keeps to none of its rules: the standing of the data is
// believed, whatever log and ledger say. It returns the values that open.
func Reads(ctx context.Context, data interface {
	View(ctx context.Context, fn func(store.Snapshot) error) error
}, deks store.Engine, ring *keys.Keyring, id privacy.SubjectID) (opened []string) {
	v := newVault(Config{Keys: deks, Keyring: ring})
	var err error
	if v.nobody, err = v.loadKeys(ctx, privacy.Nobody); v.nobody == nil || err != nil {
		return nil
	}
	_ = data.View(ctx, func(s store.Snapshot) error {
		p, err := v.loadKeys(ctx, id)
		if p == nil || err != nil {
			return err
		}
		row, err := bucketStanding.get(s, p.at)
		if row == nil || err != nil {
			return err
		}
		if p.standing, err = v.openStanding(s, p, row); err != nil {
			return err
		}
		values, err := v.valuesOf(s, p)
		if err != nil {
			return err
		}
		for i := range p.standing.Values {
			if value, err := values.open(&p.standing.Values[i]); err == nil {
				opened = append(opened, string(p.standing.Values[i].Field)+" "+string(value.Reveal()))
			}
		}
		return nil
	})
	return opened
}

// Guesses tries whether an identifier was anybody's, as whoever has data and
// keyring can without any other key.
func Guesses(ctx context.Context, data interface {
	View(ctx context.Context, fn func(store.Snapshot) error) error
}, ring *keys.Keyring, field privacy.FieldName, lookup string) (found bool) {
	_ = data.View(ctx, func(s store.Snapshot) error {
		for _, epoch := range ring.IndexEpochs() {
			index, err := ring.BlindIndexAt(epoch, field, lookup)
			if err != nil {
				return err
			}
			err = s.Scan(indexBucket(epoch), index[:16], after(index[:16]), func([]byte, []byte) error {
				found = true
				return store.ErrStop
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return found
}

// QuietContact likewise, of the question whether to contact somebody.
func (v *Vault) QuietContact(ctx context.Context, by Caller, req TouchRequest) (bool, error) {
	a, err := v.decide(ctx, by, req.read(), contacts)
	return a.quiet, err
}

// QuietAsk likewise, of the question whether to ask somebody.
func (v *Vault) QuietAsk(ctx context.Context, by Caller, id privacy.SubjectID, purpose privacy.PurposeID, fields ...privacy.FieldName) (bool, error) {
	a, err := v.decide(ctx, by, ReadRequest{Subject: SubjectRef{ID: id}, Purpose: purpose, Fields: fields}, asking)
	return a.quiet, err
}

// ListInLittleMemory lets an audience know so many people ahead.
func (v *Vault) ListInLittleMemory(people int) { v.audiencePeople = people }
