package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Kept opens single envelopes whose key is gone. When some of a person's values
// are destroyed, their key is, and everything it sealed is unreadable in every
// copy there is; of what stays, a share is kept, which opens that one envelope
// wherever it lies: in the live store, or in an old copy of it that is restored.
//
// A share is the value's plaintext and the envelope's ciphertext, exclusive or,
// with a hash of the envelope. So it tells nothing without the envelope, as the
// envelope tells nothing without it, and it opens nothing else.
//
// The zero Kept keeps nothing. It is for one goroutine at a time while Keep is
// called.
type Kept struct {
	hidden
	shares map[keptName]share
}

type keptName struct {
	field   string
	version uint64
}

type share struct {
	envelope [keptHash]byte
	pad      []byte
}

const (
	keptFormat = 1
	keptHash   = 16
	fieldKept  = "kept"
)

// OpenKept opens what [Kept.Seal] made. Nothing is nil, which has nothing.
// Anything else is ErrIntegrity or ErrFormat.
func OpenKept(d *DEK, vault VaultID, s privacy.SubjectID, sealed []byte) (*Kept, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	k := &Kept{}
	list, err := Unseal(d, keptBinding(vault, s), sealed)
	if err == nil {
		k.shares, err = parseKept(list)
	}
	if err != nil {
		return nil, fmt.Errorf("opening kept shares: %w", err)
	}
	return k, nil
}

// Has reports whether a share is kept for what b binds.
func (k *Kept) Has(b Binding) bool {
	if k == nil {
		return false
	}
	_, ok := k.shares[keptName{b.Field, b.Version}]
	return ok
}

// Unseal opens the envelope whose share is kept for what b binds, or returns
// ErrIntegrity.
func (k *Kept) Unseal(b Binding, envelope []byte) ([]byte, error) {
	if err := checkEnvelope(envelope); err != nil {
		return nil, err
	}
	kept, ok := k.shares[keptName{b.Field, b.Version}]
	if hash := hashEnvelope(envelope); !ok || len(envelope) != minEnvelope+len(kept.pad) || subtle.ConstantTimeCompare(hash[:], kept.envelope[:]) != 1 {
		return nil, fmt.Errorf("opening envelope by its share: %w", ErrIntegrity)
	}
	out := make([]byte, len(kept.pad))
	subtle.XORBytes(out, kept.pad, ciphertextOf(envelope))
	return out, nil
}

// Keep keeps a share of the envelope that d, or what was kept before, opens for
// b. Of two envelopes of one binding the last is kept.
func (k *Kept) Keep(before *Kept, d *DEK, b Binding, envelope []byte) error {
	open := func() ([]byte, error) { return Unseal(d, b, envelope) }
	if before.Has(b) {
		open = func() ([]byte, error) { return before.Unseal(b, envelope) }
	}
	plain, err := open()
	if err != nil {
		return err
	}
	if len(b.Field) > 1<<16-1 {
		return fmt.Errorf("keeping a share: %w", ErrFormat)
	}
	s := share{envelope: hashEnvelope(envelope), pad: make([]byte, len(plain))}
	subtle.XORBytes(s.pad, plain, ciphertextOf(envelope))
	if k.shares == nil {
		k.shares = map[keptName]share{}
	}
	k.shares[keptName{b.Field, b.Version}] = s
	return nil
}

// Seal returns what is kept, sealed under the key that takes the place of the one
// that is gone; nil if nothing is. On disk it is an envelope, bound to vault and
// subject as field "kept", of
//
//	0x01 { version(8) length of field(2) field hash(16) length(4) share }*
//
// in order of field and version, numbers big endian. hash is the first half of
// the envelope's SHA-256.
func (k *Kept) Seal(d *DEK, vault VaultID, s privacy.SubjectID) ([]byte, error) {
	if len(k.shares) == 0 {
		return nil, nil
	}
	list := []byte{keptFormat}
	for _, name := range slices.SortedFunc(maps.Keys(k.shares), compareKept) {
		kept := k.shares[name]
		list = binary.BigEndian.AppendUint64(list, name.version)
		list = binary.BigEndian.AppendUint16(list, uint16(len(name.field)))
		list = append(list, name.field...)
		list = append(list, kept.envelope[:]...)
		list = binary.BigEndian.AppendUint32(list, uint32(len(kept.pad)))
		list = append(list, kept.pad...)
	}
	return Seal(d, keptBinding(vault, s), list)
}

func compareKept(a, b keptName) int {
	switch {
	case a.field < b.field:
		return -1
	case a.field > b.field:
		return 1
	case a.version < b.version:
		return -1
	case a.version > b.version:
		return 1
	}
	return 0
}

func keptBinding(vault VaultID, s privacy.SubjectID) Binding {
	return Binding{Vault: vault, Subject: s, Field: fieldKept}
}

func hashEnvelope(envelope []byte) [keptHash]byte {
	sum := sha256.Sum256(envelope)
	return [keptHash]byte(sum[:])
}

// ciphertextOf returns the ciphertext of an envelope without its tag.
func ciphertextOf(envelope []byte) []byte {
	return envelope[envelopeHeader+nonceLen : len(envelope)-tagLen]
}

func parseKept(b []byte) (map[keptName]share, error) {
	if len(b) == 0 || b[0] != keptFormat {
		return nil, ErrFormat
	}
	shares, last := map[keptName]share{}, keptName{}
	for b = b[1:]; len(b) > 0; {
		if len(b) < 10 {
			return nil, ErrFormat
		}
		name := keptName{version: binary.BigEndian.Uint64(b)}
		n := int(binary.BigEndian.Uint16(b[8:]))
		if b = b[10:]; n == 0 || len(b) < n+keptHash+4 {
			return nil, ErrFormat
		}
		name.field, b = string(b[:n]), b[n:]
		s := share{envelope: [keptHash]byte(b)}
		n, b = int(binary.BigEndian.Uint32(b[keptHash:])), b[keptHash+4:]
		if n > len(b) || len(shares) > 0 && compareKept(last, name) >= 0 {
			return nil, ErrFormat
		}
		s.pad, b = slices.Clone(b[:n]), b[n:]
		shares[name], last = s, name
	}
	if len(shares) == 0 {
		return nil, ErrFormat
	}
	return shares, nil
}
