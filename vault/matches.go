package vault

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Match is that two people may be one: both were captured with the same unique
// identifiers, and nobody showed that they are when they were.
type Match struct {
	Pair   Pair
	Fields []privacy.FieldName // the identifiers, never their values
}

// Pair names two people, the lower ID first. The zero value names nobody.
type Pair [2]privacy.SubjectID

// Matches lists for officers who may be one, in the order of their IDs: at most limit
// pairs behind after. A pair is there until they share no identifier any more or one of
// them is erased.
func (v *Vault) Matches(ctx context.Context, by Caller, after Pair, limit int) ([]Match, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	matches := []Match{}
	for from := append(matchKey(after[0], after[1]), 0); from != nil && len(matches) < limit; {
		err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
			var some []Match
			some, from, err = v.someMatches(ctx, s, from, limit-len(matches))
			matches = append(matches, some...)
			return err
		})
		if err != nil {
			return nil, v.refusal(err)
		}
	}
	return matches, nil
}

// pairsAtOnce is how many pairs are looked at on one snapshot.
const pairsAtOnce = 200

// someMatches looks at the pairs from a key on, and returns where to go on: nil behind
// the last.
func (v *Vault) someMatches(ctx context.Context, s store.Snapshot, from []byte, limit int) (matches []Match, next []byte, err error) {
	r, err := v.regime(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	var pairs []Pair
	seen := 0
	err = s.Scan(bucketMatches, from, nil, func(key, _ []byte) error {
		if len(key) != 2*len(privacy.ID{}) {
			return fmt.Errorf("a key of bucket %s: %w", bucketMatches, errIntegrity)
		}
		if seen++; seen > pairsAtOnce {
			next = bytes.Clone(key)
			return store.ErrStop
		}
		a, b := privacy.SubjectID(key[:len(key)/2]), privacy.SubjectID(key[len(key)/2:])
		if bytes.Compare(a[:], b[:]) < 0 { // each pair stands there from either side
			pairs = append(pairs, Pair{a, b})
		}
		return nil
	})
	for _, pair := range pairs {
		if err != nil || len(matches) == limit {
			break
		}
		var fields []privacy.FieldName
		if fields, err = v.sharedBy(ctx, s, r.register, pair); len(fields) > 0 {
			matches = append(matches, Match{Pair: pair, Fields: fields})
		}
	}
	return matches, next, err
}

// sharedBy returns which unique identifiers two people have in common now.
func (v *Vault) sharedBy(ctx context.Context, s store.Snapshot, reg *register.Register, pair Pair) (fields []privacy.FieldName, err error) {
	var of [2][]found
	for i, id := range pair {
		p, err := v.load(ctx, s, id)
		if err != nil || p == nil || p.standing.Phase != consent.Active {
			return nil, err
		}
		values, err := v.openAll(s, p)
		if err != nil {
			return nil, err
		}
		of[i] = foundWith(reg, p.standing, values)
	}
	for _, f := range of[0] {
		if f.field.Identifier == register.Unique && slices.ContainsFunc(of[1], func(g found) bool { return g.field.Name == f.field.Name && g.lookup == f.lookup }) {
			fields = append(fields, f.field.Name)
		}
	}
	return fields, nil
}
