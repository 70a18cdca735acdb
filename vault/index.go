package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The blind index finds people by identifiers that its rows do not show: a row's
// key is a keyed hash of the identifier, and the subject. The key of the hash has
// epochs. While it turns, the index of the epoch before stays whole and is the
// one that is asked; whoever writes a row writes it for both, so that the next
// becomes whole as well. Then, in one commit, the next is the one that is asked.
//
// What a person has is settled by their standing, not here: it keeps the blind
// index of when the value was captured, and that is what the proof of a row is
// bound to. So a turn rewrites rows and no standing.

// epochs says which epochs the index has at one moment.
type epochs struct {
	raw     []byte
	asked   uint32 // holds every row; look-ups ask it
	filling uint32 // the next, while the index turns; else 0
}

// On disk: format, asked (4), filling (4), keyed hash of the bytes before (16).
const (
	epochsFormat = 1
	epochsLen    = 1 + 4 + 4 + 16
)

var keyIndexEpochs = []byte("index epochs")

func (v *Vault) packEpochs(asked, filling uint32) []byte {
	b := binary.BigEndian.AppendUint32([]byte{epochsFormat}, asked)
	b = binary.BigEndian.AppendUint32(b, filling)
	sum := v.keyring().MAC("index epochs", b)
	return append(b, sum[:16]...)
}

// epochs returns the epochs of the index as the reader sees it.
func (v *Vault) epochs(r store.Reader) (*epochs, error) {
	raw, err := r.Get(bucketMeta, keyIndexEpochs)
	if err != nil {
		return nil, err
	}
	if raw == nil { // it never turned
		return &epochs{asked: v.keyring().IndexEpochs()[0]}, nil
	}
	if seen := v.indexed.Load(); seen != nil && bytes.Equal(seen.raw, raw) {
		return seen, nil
	}
	if len(raw) != epochsLen || raw[0] != epochsFormat {
		return nil, fmt.Errorf("reading the epochs of the index: %w", errIntegrity)
	}
	e := &epochs{raw: bytes.Clone(raw), asked: binary.BigEndian.Uint32(raw[1:]), filling: binary.BigEndian.Uint32(raw[5:])}
	if subtle.ConstantTimeCompare(raw, v.packEpochs(e.asked, e.filling)) != 1 {
		return nil, fmt.Errorf("reading the epochs of the index: %w", errIntegrity)
	}
	v.indexed.Store(e)
	return e, nil
}

// live returns the epochs in which every row is written.
func (e *epochs) live() []uint32 {
	if e.filling == 0 {
		return []uint32{e.asked}
	}
	return []uint32{e.asked, e.filling}
}

// indexBucket returns the bucket of an epoch. The bucket of the epoch before the
// one before is empty by the time it is used again.
func indexBucket(epoch uint32) store.Bucket {
	if epoch%2 == 0 {
		return bucketIndexEven
	}
	return bucketIndex
}

const blindLen = 16

// blind returns the blind index under which an identifier finds in an epoch.
func (v *Vault) blind(epoch uint32, f privacy.FieldName, lookup string) ([16]byte, error) {
	sum, err := v.keyring().BlindIndexAt(epoch, f, lookup)
	if err != nil {
		return [16]byte{}, err
	}
	return [16]byte(sum[:16]), nil
}

// indexProof returns the proof of a row: that this vault made it for this
// person's value, which their standing names by its own index. A row made at
// capture has that very index.
func (v *Vault) indexProof(f privacy.FieldName, index [16]byte, id privacy.SubjectID, named [16]byte) []byte {
	parts := [][]byte{[]byte(f), index[:], id[:]}
	if named != index {
		parts = append(parts, named[:])
	}
	sum := v.keyring().MAC("index", parts...)
	return sum[:16]
}

// putIndex writes the rows by which an identifier finds a person whose standing
// names it so.
func (v *Vault) putIndex(tx store.Tx, f privacy.FieldName, lookup string, id privacy.SubjectID, named [16]byte) error {
	e, err := v.epochs(tx)
	if err != nil {
		return err
	}
	for _, epoch := range e.live() {
		index, err := v.blind(epoch, f, lookup)
		if err != nil {
			return err
		}
		if err := tx.Put(indexBucket(epoch), indexKey(index, v.place(id)), v.indexProof(f, index, id, named)); err != nil {
			return err
		}
	}
	return nil
}

// dropIndex removes the rows of a value that is a person's no longer.
// It returns how many there were.
func (v *Vault) dropIndex(tx store.Tx, f privacy.FieldName, value privacy.Sensitive, id privacy.SubjectID) (n uint64, err error) {
	e, err := v.epochs(tx)
	if err != nil {
		return 0, err
	}
	for _, lookup := range lookupForms(f, "", value) {
		for _, epoch := range e.live() {
			index, err := v.blind(epoch, f, lookup)
			if err != nil {
				return n, err
			}
			key := indexKey(index, v.place(id))
			there, err := tx.Get(indexBucket(epoch), key)
			if err == nil && there != nil {
				n++
				err = tx.Delete(indexBucket(epoch), key)
			}
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// unlist removes all rows of somebody to which only something led that does not
// open any more, by looking through all there are.
func (v *Vault) unlist(ctx context.Context, id privacy.SubjectID) error {
	at := v.place(id)
	for b, before := range map[store.Bucket]int{bucketIndex: blindLen, bucketIndexEven: blindLen, bucketDue: 8, bucketValuesDue: 8} {
		err := pages(ctx, v.cfg.Store, b, func(rows []row) error {
			var theirs [][]byte
			for _, r := range rows {
				if len(r.key) > before && bytes.Equal(r.key[before:], at.key) {
					theirs = append(theirs, r.key)
				}
			}
			if len(theirs) == 0 {
				return nil
			}
			return v.update(ctx, func(tx store.Tx) error {
				for _, key := range theirs {
					if err := tx.Delete(b, key); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lookupForms returns the forms under which a kept value can stand in the index,
// that of a field of the given type first. A register could have named another
// type when the value was captured.
func lookupForms(name privacy.FieldName, now privacy.Type, value privacy.Sensitive) []string {
	var forms []string
	for _, t := range []privacy.Type{now, privacy.TypeEmail, privacy.TypePhone, privacy.TypeString} {
		lookup, wrong := profile.LookupForm(&register.Field{Name: name, Type: t, Identifier: register.Unique}, value.Reveal(), "")
		if wrong == nil && !slices.Contains(forms, lookup) {
			forms = append(forms, lookup)
		}
	}
	return forms
}

// sameLookup reports whether a kept value is looked up as another is.
func sameLookup(f *register.Field, kept privacy.Sensitive, lookup string) bool {
	form, wrong := profile.LookupForm(f, kept.Reveal(), "")
	return wrong == nil && form == lookup
}

// maxClaimants bounds how many people are looked at behind one identifier. A
// shared one behind which more stand finds nobody anyway.
const maxClaimants = 64

// claimants returns the people who have the identifier as a value, whether it
// finds them or not.
func (v *Vault) claimants(ctx context.Context, r store.Reader, f *register.Field, lookup string) ([]*person, error) {
	return v.claimantsIn(ctx, r, f, lookup, consent.Active)
}

// claimantsIn is claimants in the phases named. A row is believed only if this
// vault made it for the very value that the person's standing names.
func (v *Vault) claimantsIn(ctx context.Context, r store.Reader, f *register.Field, lookup string, phases ...consent.Phase) ([]*person, error) {
	e, err := v.epochs(r)
	if err != nil {
		return nil, err
	}
	index, err := v.blind(e.asked, f.Name, lookup)
	if err != nil {
		return nil, err
	}
	type row struct {
		id    privacy.SubjectID
		proof []byte
	}
	var rows []row
	err = r.Scan(indexBucket(e.asked), index[:], after(index[:]), func(key, proof []byte) error {
		id, err := v.personAt(key[len(index):])
		if err != nil {
			return fmt.Errorf("reading the index: %w", err)
		}
		rows = append(rows, row{id, proof})
		if len(rows) == maxClaimants {
			return store.ErrStop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var people []*person
	for _, row := range rows {
		p, err := v.load(ctx, r, row.id)
		if err != nil {
			return nil, err
		}
		if p == nil || !slices.Contains(phases, p.standing.Phase) {
			continue
		}
		fact := p.standing.Value(f.Name)
		if fact == nil || subtle.ConstantTimeCompare(row.proof, v.indexProof(f.Name, index, row.id, fact.Index)) != 1 {
			return nil, fmt.Errorf("the index says of %s what their standing does not: %w", row.id, errIntegrity)
		}
		people = append(people, p)
	}
	// Who had it first comes first; IDs have no order.
	slices.SortStableFunc(people, func(a, b *person) int {
		return a.standing.Value(f.Name).Recorded.Compare(b.standing.Value(f.Name).Recorded)
	})
	return people, nil
}

func indexKey(index [16]byte, at place) []byte { return slices.Concat(index[:], at.key) }
