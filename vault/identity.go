package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// SubjectRef says whom a request is about: by ID, or by one identifier.
type SubjectRef struct {
	ID privacy.SubjectID
	// Field and Value, as JSON, are set instead of ID.
	Field privacy.FieldName
	Value privacy.Sensitive
}

// reference is a SubjectRef that was checked and can be looked up.
type reference struct {
	id    privacy.SubjectID
	field *register.Field // nil if by ID
	value profile.Value
	index [16]byte
}

// reference checks a reference; it finds nobody yet, so its errors tell nothing
// about anybody.
func (v *Vault) reference(reg *register.Register, s SubjectRef) (*reference, error) {
	if s.Field == "" {
		return &reference{id: s.ID}, nil
	}
	f, ok := reg.Field(s.Field)
	if !ok || f.Identifier == register.NotIdentifier {
		return nil, invalid("subject", "not_an_identifier", "expected a subject ID, or one field that the register names an identifier")
	}
	value, wrong := profile.Normalise(f, s.Value.Reveal(), reg.Controller.Country, v.cfg.Now())
	if wrong != nil {
		return nil, &Error{Code: CodeInvalidRequest, Detail: "the identifier cannot be read",
			Fields: []FieldError{{Field: "subject." + string(wrong.Field), Code: wrong.Code, Detail: wrong.Detail}}}
	}
	return &reference{field: f, value: value, index: v.blind(f, value.Lookup)}, nil
}

// hash names the reference for counting, and says nothing else.
func (r *reference) hash(v *Vault) [32]byte {
	if r.field == nil {
		return v.keyring().MAC("asked", r.id[:])
	}
	return v.keyring().MAC("asked", r.index[:])
}

// blind returns the blind index under which an identifier finds.
func (v *Vault) blind(f *register.Field, lookup string) [16]byte {
	sum := v.keyring().BlindIndex(f.Name, lookup)
	return [16]byte(sum[:16])
}

// find returns the person a reference finds, or nil. What the index says is
// believed only if its row was made by this vault and the person's standing
// says the same.
func (v *Vault) find(ctx context.Context, r store.Reader, reg *register.Register, ref *reference) (*person, error) {
	if ref.field == nil {
		if ref.id == privacy.Nobody {
			return nil, nil
		}
		p, err := v.load(ctx, r, ref.id)
		return living(p), err
	}
	holders, err := v.holders(ctx, r, ref.field, ref.index)
	if err != nil {
		return nil, err
	}
	switch {
	case len(holders) == 1:
		return holders[0], nil
	case ref.field.Identifier == register.Unique && len(holders) > 1:
		return nil, fmt.Errorf("an identifier that finds one has %d holders: %w", len(holders), errIntegrity)
	}
	return nil, nil // nobody, or a shared one that is several people's
}

// living is the person unless their record is on its way out.
func living(p *person) *person {
	if p == nil || p.standing.Phase == consent.Erased {
		return nil
	}
	return p
}

// holders returns the people an identifier finds.
func (v *Vault) holders(ctx context.Context, r store.Reader, f *register.Field, index [16]byte) ([]*person, error) {
	all, err := v.claimants(ctx, r, f, index)
	if err != nil {
		return nil, err
	}
	var holders []*person
	for _, p := range all {
		if p.standing.Value(f.Name).Holds {
			holders = append(holders, p)
		}
	}
	return holders, nil
}

// maxClaimants bounds how many people are looked at behind one identifier. A
// shared one behind which more stand finds nobody anyway.
const maxClaimants = 64

// claimants returns the people who have the identifier as a value, whether it
// finds them or not.
func (v *Vault) claimants(ctx context.Context, r store.Reader, f *register.Field, index [16]byte) ([]*person, error) {
	var ids []privacy.SubjectID
	err := r.Scan(bucketIndex, index[:], after(index[:]), func(key, proof []byte) error {
		if len(key) != 32 {
			return fmt.Errorf("reading the index: %w", errIntegrity)
		}
		id := privacy.SubjectID(key[16:])
		want := v.indexProof(f.Name, index, id)
		if subtle.ConstantTimeCompare(proof, want) != 1 {
			return fmt.Errorf("an index row of %s: %w", id, errIntegrity)
		}
		ids = append(ids, id)
		if len(ids) == maxClaimants {
			return store.ErrStop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var people []*person
	for _, id := range ids {
		p, err := v.load(ctx, r, id)
		if err != nil {
			return nil, err
		}
		if p == nil || p.standing.Phase != consent.Active {
			continue
		}
		fact := p.standing.Value(f.Name)
		if fact == nil || fact.Index != index {
			return nil, fmt.Errorf("the index says of %s what their standing does not: %w", id, errIntegrity)
		}
		people = append(people, p)
	}
	return people, nil
}

func (v *Vault) indexProof(f privacy.FieldName, index [16]byte, id privacy.SubjectID) []byte {
	sum := v.keyring().MAC("index", []byte(f), index[:], id[:])
	return sum[:16]
}

func (v *Vault) putIndex(tx store.Tx, f privacy.FieldName, index [16]byte, id privacy.SubjectID) error {
	return tx.Put(bucketIndex, indexKey(index, id), v.indexProof(f, index, id))
}

func indexKey(index [16]byte, id privacy.SubjectID) []byte {
	return append(bytes.Clone(index[:]), id[:]...)
}

// after returns the first key behind all that begin with prefix, or nil.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
