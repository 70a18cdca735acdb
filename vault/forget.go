package vault

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// What the vault keeps of people stands in this file, kind by kind, so that an
// erasure forgets none. Whoever makes a bucket with rows of people adds it here;
// TestNothingOfTheErasedIsLeft looks through every bucket for a person it was
// forgotten for.
//
// Not here are: the standing and the person's row in the log's index, which go
// last of all (erase.go); rows that only something sealed leads to and which
// therefore go first, while it opens, those of the blind index (release) and of
// what is due (endDealings, planMoment); and what is counted of somebody in memory (limits.go).
func kindsOfData() []kindOfData {
	return []kindOfData{
		{"values", false, under(bucketProfiles, 0)},
		{"past_values", true, under(bucketHistory, len(privacy.ID{}))},
		{"past_standings", true, under(bucketStandings, 8)},
		{"consents", true, consentsOf},
		{"consents_before", true, phantomsOf},
		{"dealings", false, under(bucketDealings, 0)},
		{"events", true, eventsOf},
		{"possible_matches", true, matchesOf},
		{"answers", true, answersOf},
		{"sessions", true, sessionsOf},
		{"requests", true, requestsOfErased},
	}
}

// kindOfData is one kind of what is kept of people.
type kindOfData struct {
	name string // in certificates
	// partly says that it goes as well when something of the person stays.
	partly bool
	// some returns up to max things of this kind that are there, each as what
	// removes it.
	some func(v *Vault, tx store.Tx, id privacy.SubjectID, max int) ([]func() error, error)
}

// forgetMost is how many things go in one transaction, which others wait for.
const forgetMost = 512

// forget removes some of what is kept of somebody, counts it by kind, and reports
// whether there may be more.
func (v *Vault) forget(tx store.Tx, id privacy.SubjectID, partly bool, removed map[string]uint64) (more bool, err error) {
	left := forgetMost
	for _, kind := range kindsOfData() {
		if partly && !kind.partly {
			continue
		}
		things, err := kind.some(v, tx, id, left)
		if err != nil {
			return false, err
		}
		for _, remove := range things {
			if err := remove(); err != nil {
				return false, err
			}
		}
		if removed[kind.name] += uint64(len(things)); removed[kind.name] == 0 {
			delete(removed, kind.name)
		}
		if left -= len(things); left == 0 {
			return true, nil
		}
	}
	return false, nil
}

// keysUnder returns up to max keys of a bucket that begin with a prefix and have
// so many bytes behind it.
func keysUnder(r store.Reader, b store.Bucket, prefix []byte, behind, max int) (keys [][]byte, err error) {
	err = r.Scan(b, prefix, after(prefix), func(key, _ []byte) error {
		if len(key) != len(prefix)+behind {
			return fmt.Errorf("a key of bucket %s: %w", b, errIntegrity)
		}
		if len(keys) == max {
			return store.ErrStop
		}
		keys = append(keys, bytes.Clone(key))
		return nil
	})
	return keys, err
}

// under is what lies at somebody's place, with so many bytes behind it.
func under(b personal, behind int) func(*Vault, store.Tx, privacy.SubjectID, int) ([]func() error, error) {
	return func(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
		keys, err := keysUnder(tx, b.all(), v.place(id).key, behind, max)
		for _, key := range keys {
			things = append(things, func() error { return tx.Delete(b.all(), key) })
		}
		return things, err
	}
}

// consentsOf are consent records, and with each the row by which its receipt is
// found.
func consentsOf(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	at := v.place(id)
	keys, err := keysUnder(tx, bucketConsents.all(), at.key, len(privacy.ID{}), max)
	for _, key := range keys {
		things = append(things, func() error {
			if err := tx.Delete(bucketReceipts, key[len(at.key):]); err != nil {
				return err
			}
			return tx.Delete(bucketConsents.all(), key)
		})
	}
	return things, err
}

// phantomsOf are acts that named the person's ID before anybody had it.
func phantomsOf(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	prefix := v.phantomKey(id)
	keys, err := keysUnder(tx, bucketPhantoms, prefix, len(privacy.ID{}), max)
	for _, key := range keys {
		consent := key[len(prefix):]
		things = append(things, func() error {
			return errors.Join(bucketConsents.delete(tx, v.place(privacy.Nobody).with(consent...)), tx.Delete(bucketReceipts, consent), tx.Delete(bucketPhantoms, key))
		})
	}
	return things, err
}

// matchesOf are possible matches, which stand with both people.
func matchesOf(_ *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	keys, err := keysUnder(tx, bucketMatches, id[:], len(id), max)
	for _, key := range keys {
		other := privacy.SubjectID(key[len(id):])
		things = append(things, func() error {
			if err := tx.Delete(bucketMatches, matchKey(other, id)); err != nil {
				return err
			}
			return tx.Delete(bucketMatches, key)
		})
	}
	return things, err
}

// answersOf are the answers kept for repeats. That there was one stays until its
// time ends: a late repeat must not do the write again, and bring somebody back.
func answersOf(v *Vault, tx store.Tx, id privacy.SubjectID, max int) (things []func() error, err error) {
	keys, err := keysUnder(tx, bucketAnswersOf, id[:], len(Once{}.scope), max)
	for _, key := range keys {
		things = append(things, func() error {
			if err := v.hollowAnswer(tx, key[len(id):]); err != nil {
				return err
			}
			return tx.Delete(bucketAnswersOf, key) // an answer whose time is over leaves none
		})
	}
	return things, err
}
