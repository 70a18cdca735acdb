package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Binding says of what a sealed value is the value. It is not stored with the
// value: who opens must know it. So a record moved to another vault, person or
// field, or an old one put back, does not open.
type Binding struct {
	Vault   VaultID
	Subject privacy.SubjectID
	// Field is a namespaced name, such as "value/email", "standing" or "log".
	Field string
	// Version is the number that changes with each new value of the field.
	Version uint64
}

const (
	formatVersion = 1
	algAES256GCM  = 1

	nonceLen       = 12
	tagLen         = 16
	envelopeHeader = 2
	minEnvelope    = envelopeHeader + nonceLen + tagLen

	domainEnvelope = "sayso/envelope"
)

var errNoField = errors.New("the binding names no field")

// dataLen is how long the additional data of an envelope is.
func (b Binding) dataLen() int {
	return len(domainEnvelope) + envelopeHeader + len(b.Vault) + len(b.Subject) + 8 + len(b.Field)
}

// appendData appends the additional data of an envelope: everything before the
// field name has a fixed length, so no two bindings have the same bytes.
func (b Binding) appendData(out []byte, version, alg byte) []byte {
	out = append(out, domainEnvelope...)
	out = append(out, version, alg)
	out = append(out, b.Vault[:]...)
	out = append(out, b.Subject[:]...)
	out = binary.BigEndian.AppendUint64(out, b.Version)
	return append(out, b.Field...)
}

// Seal encrypts plaintext under d for b, with AES-256-GCM and a random nonce.
// Nonces are safe for four billion values under one key. The result is an
// envelope, on disk:
//
//	byte  0      format version, 1
//	byte  1      algorithm, 1 = AES-256-GCM
//	bytes 2-13   nonce
//	bytes 14-    ciphertext, as long as the plaintext, then a tag of 16 bytes
//
// Its additional data is "sayso/envelope", bytes 0 and 1, vault ID (16 bytes),
// subject ID (16), version (8, big endian) and the field name.
func Seal(d *DEK, b Binding, plaintext []byte) ([]byte, error) {
	if d == nil || d.aead == nil {
		return nil, errNoKey
	}
	var nonce [nonceLen]byte
	if err := drawNonce(nonce[:]); err != nil {
		return nil, fmt.Errorf("sealing envelope: %w", err)
	}
	return seal(d, b, nonce, plaintext)
}

// seal is Seal with a nonce that was never used with this key.
func seal(d *DEK, b Binding, nonce [nonceLen]byte, plaintext []byte) ([]byte, error) {
	if b.Field == "" {
		return nil, fmt.Errorf("sealing envelope: %w", errNoField)
	}
	size := minEnvelope + len(plaintext)
	space := make([]byte, size, size+b.dataLen()) // the binding lies behind what is returned
	out, data := append(append(space[:0:size], formatVersion, algAES256GCM), nonce[:]...), b.appendData(space[size:], formatVersion, algAES256GCM)
	return d.aead.Seal(out, out[envelopeHeader:], plaintext, data), nil
}

// Room is how much of an envelope comes before what is sealed.
const Room = envelopeHeader + nonceLen

// SealOver is Seal for plaintext that lies behind Room bytes of space. The
// envelope takes the place of both, in the same memory if there is some to spare.
func SealOver(d *DEK, b Binding, space []byte) ([]byte, error) {
	switch {
	case d == nil || d.aead == nil:
		return nil, errNoKey
	case b.Field == "":
		return nil, fmt.Errorf("sealing envelope: %w", errNoField)
	case len(space) < Room:
		return nil, fmt.Errorf("sealing envelope: %w: there is no room", ErrFormat)
	}
	size := len(space) + tagLen
	space = slices.Grow(space, tagLen+b.dataLen())
	data := b.appendData(space[size:size], formatVersion, algAES256GCM) // the binding lies behind what is returned
	space[0], space[1] = formatVersion, algAES256GCM
	nonce := space[envelopeHeader:Room]
	if err := drawNonce(nonce); err != nil {
		return nil, fmt.Errorf("sealing envelope: %w", err)
	}
	return d.aead.Seal(space[:Room:size], nonce, space[Room:], data), nil
}

// Unseal opens what Seal made under the same key for the same binding. Anything
// else is ErrIntegrity, or ErrFormat if it is no envelope at all, and nothing of
// it is returned.
func Unseal(d *DEK, b Binding, envelope []byte) ([]byte, error) {
	if d == nil || d.aead == nil {
		return nil, errNoKey
	}
	if err := checkEnvelope(envelope); err != nil {
		return nil, err
	}
	return unseal(d, b, [nonceLen]byte(envelope[envelopeHeader:]), envelope[envelopeHeader+nonceLen:])
}

func unseal(d *DEK, b Binding, nonce [nonceLen]byte, sealed []byte) ([]byte, error) {
	out, err := appendUnsealed(nil, d, b, nonce, sealed)
	return out[:len(out):len(out)], err
}

// appendUnsealed appends the plaintext to space.
func appendUnsealed(space []byte, d *DEK, b Binding, nonce [nonceLen]byte, sealed []byte) ([]byte, error) {
	end := len(space) + len(sealed) - tagLen
	space = slices.Grow(space, len(sealed)-tagLen+nonceLen+b.dataLen()) // nonce and binding lie behind what is returned
	behind := append(space[end:end], nonce[:]...)
	out, err := d.aead.Open(space, behind, sealed, b.appendData(behind[nonceLen:], formatVersion, algAES256GCM))
	if err != nil {
		return nil, fmt.Errorf("opening envelope: %w", ErrIntegrity)
	}
	return out, nil
}

func checkEnvelope(b []byte) error {
	if len(b) < minEnvelope || b[0] != formatVersion || b[1] != algAES256GCM {
		return fmt.Errorf("reading envelope: %w", ErrFormat)
	}
	return nil
}

// Envelope is the parts of a sealed value, for those who check a store without
// opening it.
type Envelope struct {
	Version, Algorithm byte
	Nonce              [nonceLen]byte
	Ciphertext         []byte // with its tag
}

// ParseEnvelope reads an envelope, or returns ErrFormat. Ciphertext is part of
// b. What it accepts, Marshal writes again byte for byte.
func ParseEnvelope(b []byte) (Envelope, error) {
	if err := checkEnvelope(b); err != nil {
		return Envelope{}, err
	}
	rest := b[envelopeHeader:]
	return Envelope{
		Version: b[0], Algorithm: b[1],
		Nonce: [nonceLen]byte(rest[:nonceLen]), Ciphertext: rest[nonceLen:],
	}, nil
}

// Marshal returns the envelope as it is on disk.
func (e Envelope) Marshal() []byte {
	out := make([]byte, 0, envelopeHeader+nonceLen+len(e.Ciphertext))
	out = append(out, e.Version, e.Algorithm)
	out = append(out, e.Nonce[:]...)
	return append(out, e.Ciphertext...)
}

// newAEAD returns AES-256-GCM. Nobody but this package gives it nonces, and it
// only those of drawNonce, or those that follow one of these.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing GCM: %w", err)
	}
	return aead, nil
}

// drawNonce fills a nonce at random.
func drawNonce(nonce []byte) error {
	if _, err := rand.Read(nonce); err != nil {
		return fmt.Errorf("drawing a nonce: %w", err)
	}
	return nil
}
