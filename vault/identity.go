package vault

import (
	"bytes"
	"context"

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
}

// reference checks a reference, made by a channel or, if ch is nil, an officer;
// it finds nobody yet, so its errors tell nothing about anybody.
func (v *Vault) reference(reg *register.Register, ch *register.Channel, s SubjectRef) (*reference, error) {
	if s.Field == "" {
		return &reference{id: s.ID}, nil
	}
	f, ok := reg.Field(s.Field)
	if !ok || f.Identifier == register.NotIdentifier {
		return nil, invalid("subject", "not_an_identifier", "expected a subject ID, or one field that the register names an identifier%s", didYouMean(string(s.Field), identifiers(reg, ch)))
	}
	value, wrong := profile.Normalise(f, s.Value.Reveal(), reg.Controller.Country, v.cfg.Now())
	if wrong != nil {
		return nil, &Error{Code: CodeInvalidRequest, Detail: "the identifier cannot be read",
			Fields: []FieldError{{Field: "subject." + string(wrong.Field), Code: wrong.Code, Detail: wrong.Detail}}}
	}
	return &reference{field: f, value: value}, nil
}

// hash names the reference for counting, and says nothing else.
func (r *reference) hash(v *Vault) [32]byte {
	if r.field == nil {
		return v.keyring().MAC("asked", r.id[:])
	}
	return v.keyring().MAC("asked", []byte(r.field.Name), []byte(r.value.Lookup))
}

// find returns the person a reference finds, or nil. What the index says is
// believed only if its row was made by this vault and the person's standing
// says the same.
func (v *Vault) find(ctx context.Context, r store.Reader, ref *reference) (*person, error) {
	if ref.field == nil {
		if ref.id == privacy.Nobody {
			return nil, nil
		}
		p, err := v.load(ctx, r, ref.id)
		return living(p), err
	}
	holders, err := v.holders(ctx, r, ref.field, ref.value.Lookup)
	if err != nil {
		return nil, err
	}
	if len(holders) == 1 {
		return holders[0], nil
	}
	return nil, nil // nobody, or one that is several people's: shared, or shared once
}

// seek is find for a read: it finds those, too, of whom a law demands something
// for the purpose while, or after, the rest of them is erased. By identifiers
// nobody finds them.
func (v *Vault) seek(ctx context.Context, r store.Reader, ref *reference, purpose privacy.PurposeID) (p *person, err error) {
	if ref.field == nil && ref.id != privacy.Nobody {
		p, err = v.load(ctx, r, ref.id)
	} else {
		p, err = v.find(ctx, r, ref)
	}
	if p == nil || err != nil {
		return nil, err
	}
	return p.seenFor(purpose), nil
}

// seenFor is a person as they are there for a purpose, or nil.
func (p *person) seenFor(purpose privacy.PurposeID) *person {
	s := p.standing.For(purpose)
	switch s {
	case nil:
		return nil
	case p.standing:
		return p
	}
	seen := *p
	seen.standing = s
	return &seen
}

// findAny is find for officers: it finds those, too, who are to be erased and for
// nobody else are there.
func (v *Vault) findAny(ctx context.Context, r store.Reader, ref *reference) (*person, error) {
	p, err := v.find(ctx, r, ref)
	if p != nil || err != nil || ref.field == nil {
		return p, err
	}
	all, err := v.claimantsIn(ctx, r, ref.field, ref.value.Lookup, consent.Erasing)
	if err != nil || len(all) != 1 {
		return nil, err
	}
	return all[0], nil
}

// living is the person unless their record is on its way out.
func living(p *person) *person {
	if p == nil || p.standing.Phase == consent.Erased {
		return nil
	}
	return p
}

// holders returns the people an identifier finds.
func (v *Vault) holders(ctx context.Context, r store.Reader, f *register.Field, lookup string) ([]*person, error) {
	all, err := v.claimants(ctx, r, f, lookup)
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
