package vault

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Who is erased is forgotten, with what they said no to: an old list that somebody
// imports next year brings them back, and a yes of years ago with them. Who asks for
// it at their erasure leaves one keyed hash of each identifier, and nothing else.
// Whoever is captured with it later comes with a no for direct marketing.
//
// The hash is not the blind index's: it survives the turns of that key, which make
// old copies find nobody. So the choice is the person's, and without it none stays.
//
//	never    keyed hash(16) → 0x01 day(4): the days since 1970 on which it was asked

const (
	neverFormat = 1
	neverLen    = 1 + 4
	daySeconds  = 24 * 60 * 60
)

// neverNote is what an erasure is to leave: in its request until what stays is
// decided, and in the ledger, whose entry outlives the keys of the person. Both are
// sealed with the vault's own key.
type neverNote struct {
	Format int      `json:"v"`
	Day    uint32   `json:"day"`
	Names  [][]byte `json:"names"`
}

// neverName is what stays of an identifier. What nobody verified of the person may
// be somebody else's, whom they only named: it has a name of its own, which says
// nothing to who verifies that it is theirs.
func (v *Vault) neverName(f found) []byte {
	label := "never contact"
	if !f.theirs {
		label = "never contact, as somebody said"
	}
	sum := v.keyring().MAC(label, []byte(f.field.Name), []byte(f.lookup))
	return sum[:16]
}

// found is an identifier that finds, or would find, a person.
type found struct {
	field  *register.Field
	lookup string
	theirs bool // it is verified, or shared by whoever has it
}

// foundWith returns by which identifiers that the register declares somebody can be
// found.
func foundWith(reg *register.Register, s *consent.Standing, values *opened) (all []found) {
	for i := range s.Values {
		f, declared := reg.Field(s.Values[i].Field)
		if !declared || s.Values[i].Index == [16]byte{} {
			continue
		}
		if lookup, wrong := profile.LookupForm(f, values.plain[f.Name].Reveal(), ""); wrong == nil {
			all = append(all, found{f, lookup, s.Values[i].Verified || f.Identifier != register.Unique})
		}
	}
	return all
}

// neverOf is what an erasure of somebody that begins at a time is to leave.
func (v *Vault) neverOf(ctx context.Context, id privacy.SubjectID, at time.Time) (note *neverNote, err error) {
	note = &neverNote{Format: 1, Day: uint32(at.Unix() / daySeconds)}
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		p, err := v.load(ctx, s, id)
		if err == nil && living(p) == nil {
			err = errAgain
		}
		if err != nil {
			return err
		}
		values, err := v.openAll(s, p)
		if err != nil {
			return err
		}
		for _, f := range foundWith(r.register, p.standing, values) {
			note.Names = append(note.Names, v.neverName(f))
		}
		return nil
	})
	return note, err
}

// neverAgain reports whether that was chosen with an erasure that waits.
func (v *Vault) neverAgain(ctx context.Context, request privacy.RequestID) (is bool, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		q, err := v.requestOf(s, request)
		is = q != nil && q.NeverAgain
		return err
	})
	return is, err
}

// sealNever seals what an erasure is to leave, for its entry of the ledger.
func (v *Vault) sealNever(request privacy.RequestID, note *neverNote) ([]byte, error) {
	if note == nil {
		return nil, nil
	}
	return v.sealOwn("never/"+request.String(), 1, note)
}

// neverNoted opens it, nil if the entry has none.
func (v *Vault) neverNoted(e ledgerEntry) (*neverNote, error) {
	if e.Kind != ledgerErasure || len(e.Sealed) == 0 {
		return nil, nil
	}
	note := new(neverNote)
	if err := v.unsealOwn("never/"+privacy.RequestID(e.ID).String(), 1, e.Sealed, note); err != nil {
		return nil, fmt.Errorf("opening what an erasure of the ledger leaves: %w", err)
	}
	return note, nil
}

// putNever keeps hashes, each with the latest day.
func (v *Vault) putNever(tx store.Tx, note *neverNote) error {
	for _, name := range note.Names {
		if asked, is, err := neverAsked(tx, name); err != nil || is && asked >= note.Day {
			if err != nil {
				return err
			}
			continue
		}
		if err := tx.Put(bucketNever, name, binary.BigEndian.AppendUint32([]byte{neverFormat}, note.Day)); err != nil {
			return err
		}
	}
	return nil
}

// neverAsked returns on which day it was asked never to contact whoever has an
// identifier, and whether it was.
func neverAsked(r store.Reader, name []byte) (asked uint32, is bool, err error) {
	row, err := r.Get(bucketNever, name)
	if row == nil || err != nil {
		return 0, false, err
	}
	if len(row) != neverLen || row[0] != neverFormat {
		return 0, false, fmt.Errorf("reading whom never to contact: %w", errIntegrity)
	}
	return binary.BigEndian.Uint32(row[1:]), true, nil
}

// leaveNever keeps what the person chose to leave, and does it to those who have the
// same identifiers now, whichever channel made them. Of the request only the number
// stays: which hashes are whose is told nowhere.
func (v *Vault) leaveNever(ctx context.Context, tx store.Tx, reg *register.Register, q *requestRecord, p *person, values *opened) error {
	if q.Never == nil {
		return nil
	}
	note := q.Never
	now, _, _ := v.clock.now()
	for _, f := range foundWith(reg, p.standing, values) {
		name := v.neverName(f)
		if !slices.ContainsFunc(note.Names, func(n []byte) bool { return string(n) == string(name) }) {
			note.Names = append(note.Names, name)
		}
		others, err := v.claimants(ctx, tx, f.field, f.lookup)
		if err != nil {
			return err
		}
		for _, o := range others {
			if !f.theirs && o.standing.Value(f.field.Name).Verified { // it is theirs, whoever said it
				continue
			}
			if o.id == p.id || !refuseMarketing(o.standing, reg, f.field, note.Day, now, true) {
				continue
			}
			if err := v.saveMoved(tx, o, "", ""); err != nil {
				return err
			}
		}
	}
	q.Hashes, q.Never = uint64(len(note.Names)), nil
	return v.putNever(tx, note)
}

// heed gives p the no of whoever asked, at their erasure, never to be contacted by
// this identifier. The look is the same whether anybody did.
func (c *capture) heed(tx store.Tx, p *person, k captured, newly bool) error {
	for _, theirs := range []bool{true, false} {
		asked, is, err := neverAsked(tx, c.v.neverName(found{k.field, k.value.Lookup, theirs}))
		if err != nil {
			return err
		}
		if is && (theirs || !k.verified) {
			refuseMarketing(p.standing, c.regime.register, k.field, asked, c.now, newly)
		}
	}
	return nil
}

// refuseMarketing says no to direct marketing, as of the end of a day or now if that
// is not over, and reports whether that changed anything. A yes of after it stands;
// one of the day itself that is told later is taken for older, because nobody knows
// the hour. A shared identifier is about purposes that use it.
//
// Where the identifier is not new with the person, the no was said to whatever was
// marketing then: it is said to what has become so since, and not again.
func refuseMarketing(s *consent.Standing, reg *register.Register, f *register.Field, asked uint32, now time.Time, newly bool) (changed bool) {
	begins := time.Unix(int64(asked)*daySeconds, 0).UTC()
	at := begins.AddDate(0, 0, 1)
	if now.Before(at) {
		at = now
	}
	for i := range reg.Purposes {
		p := &reg.Purposes[i]
		if !p.DirectMarketing() || f.Identifier != register.Unique && !slices.Contains(p.Fields, f.Name) {
			continue
		}
		if have := s.Consent(p.ID); have != nil && (have.Status == privacy.StatusGiven && have.At.After(at) || !newly && !have.Narrowed.Before(begins)) {
			continue
		}
		status := privacy.StatusObjected // Art. 21(3)
		switch p.Basis {
		case privacy.Consent:
			status = privacy.StatusRefused
		case privacy.OptOut:
			status = privacy.StatusOptedOut
		}
		s.Record(consent.Act{ID: privacy.NewConsentID(now), Purpose: p.ID, Status: status, At: at, Recorded: now, Revision: reg.Revision})
		changed = true
	}
	return changed
}

// keepNever keeps what the erasures of the ledger that the data lacks are to leave:
// their people may be nobody here, or somebody whom no key opens.
func (l *ledger) keepNever(ctx context.Context) error {
	var notes []*neverNote
	err := l.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		for _, e := range l.pending {
			note, err := l.v.neverNoted(e)
			if err != nil {
				return err
			}
			if note == nil {
				continue
			}
			done, err := s.Get(bucketLedgered, e.ID[:])
			if err != nil {
				return err
			}
			if done == nil {
				notes = append(notes, note)
			}
		}
		return nil
	})
	if err != nil || len(notes) == 0 {
		return err
	}
	return l.v.update(ctx, func(tx store.Tx) error {
		for _, note := range notes {
			if err := l.v.putNever(tx, note); err != nil {
				return err
			}
		}
		return nil
	})
}
