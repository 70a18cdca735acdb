package keys

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// DEK is a data-encryption key in the clear: it seals what is one person's. It
// lives in memory only; on disk it is wrapped. It prints as "[key]", cannot be
// marshalled, never changes and may be used by many goroutines.
type DEK struct {
	hidden
	key  *[keyLen]byte // behind a pointer, so that printing what holds it does not show it
	aead cipher.AEAD   // nil: there is no key
}

// DEKKind tells a person's two keys apart.
type DEKKind byte

// The two keys of a person. Values seals current and past values; History seals
// standing, trail, consent records and the openings of log entries, which must
// outlive values that are replaced or erased in part.
const (
	Values  DEKKind = 1
	History DEKKind = 2
)

// String returns "values" or "history".
func (k DEKKind) String() string {
	switch k {
	case Values:
		return "values"
	case History:
		return "history"
	}
	return "unknown"
}

const (
	domainWrap     = "sayso/wrapped-dek"
	wrappedVersion = 2
	wrappedHeader  = 6
	sealedKeyLen   = keyLen + tagLen
	wrappedLen     = wrappedHeader + nonceLen + 2*sealedKeyLen
)

var (
	errNoKey   = errors.New("there is no key")
	errDEKKind = errors.New("unknown kind of key")
)

// blank returns a key that has yet to be filled and made ready, in one piece
// with its bytes, and room for what it is bound to while it is wrapped.
func blank() (d *DEK, room []byte) {
	b := new(struct {
		DEK
		key  [keyLen]byte
		room [wrapDataLen + nonceLen]byte
	})
	b.DEK.key = &b.key
	return &b.DEK, b.room[:0]
}

// ready makes d usable once its key is there.
func (d *DEK) ready() (*DEK, error) {
	aead, err := newAEAD(d.key[:])
	if err != nil {
		return nil, err
	}
	d.aead = aead
	return d, nil
}

// NewDEK returns a fresh random key.
func (k *Keyring) NewDEK() (*DEK, error) {
	d, _ := blank()
	if _, err := rand.Read(d.key[:]); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return d.ready()
}

// Wrap encrypts a person's two keys under the current KEK. The result, on disk, is
// 114 bytes:
//
//	byte  0       format version, 2
//	byte  1       algorithm, 1 = AES-256-GCM
//	bytes 2-5     KEK epoch, big endian
//	bytes 6-17    nonce
//	bytes 18-65   values: the key's 32 bytes encrypted, then a tag of 16 bytes
//	bytes 66-113  history: likewise
//
// The nonce of values is that in the row, that of history the next, modulo 2^96.
// Additional data of each is "sayso/wrapped-dek", bytes 0 to 5, vault ID (16
// bytes), subject ID (16) and kind (1). So each is unwrapped without the other,
// and a person's keys are wrapped anew together.
func (k *Keyring) Wrap(s privacy.SubjectID, values, history *DEK) ([]byte, error) {
	if values == nil || values.aead == nil || history == nil || history.aead == nil {
		return nil, errNoKey
	}
	out := wrapHeader(k.kek)
	var nonce [nonceLen]byte
	if err := drawNonce(nonce[:]); err != nil {
		return nil, fmt.Errorf("wrapping keys: %w", err)
	}
	header := out
	out = append(out, nonce[:]...)
	out = k.keks[k.kek].Seal(out, nonce[:], values.key[:], k.wrapData(nil, header, s, Values))
	countUp(nonce[:])
	return k.keks[k.kek].Seal(out, nonce[:], history.key[:], k.wrapData(nil, header, s, History)), nil
}

// CutWrapped takes what Wrap made off the beginning of a row, or returns ErrFormat.
func CutWrapped(row []byte) (wrapped, rest []byte, err error) {
	if len(row) < wrappedLen {
		return nil, nil, fmt.Errorf("reading wrapped keys: %w", ErrFormat)
	}
	if _, err := parseWrapped(row[:wrappedLen]); err != nil {
		return nil, nil, err
	}
	return row[:wrappedLen:wrappedLen], row[wrappedLen:], nil
}

// Unwrap opens one of the keys that Wrap wrapped for the same vault and person.
// Anything else is ErrIntegrity, or ErrFormat if these are no wrapped keys at all.
// Keys wrapped under a KEK that is gone are ErrIntegrity and ErrEpoch both: so look
// old copies of the keys of erased persons.
func (k *Keyring) Unwrap(wrapped []byte, s privacy.SubjectID, kind DEKKind) (*DEK, error) {
	if kind != Values && kind != History {
		return nil, fmt.Errorf("unwrapping key: %w: %w", errDEKKind, ErrIntegrity)
	}
	epoch, err := parseWrapped(wrapped)
	if err != nil {
		return nil, err
	}
	kek, ok := k.keks[epoch]
	if !ok {
		return nil, fmt.Errorf("unwrapping key of KEK epoch %d: %w: %w", epoch, ErrIntegrity, ErrEpoch)
	}
	d, room := blank()
	data := k.wrapData(room, wrapped[:wrappedHeader], s, kind)
	nonce, sealed := append(data, wrapped[wrappedHeader:wrappedHeader+nonceLen]...)[len(data):], wrapped[wrappedHeader+nonceLen:][:sealedKeyLen]
	if kind == History {
		countUp(nonce)
		sealed = wrapped[wrappedHeader+nonceLen+sealedKeyLen:]
	}
	if _, err := kek.Open(d.key[:0], nonce, sealed, data); err != nil {
		return nil, fmt.Errorf("unwrapping key: %w", ErrIntegrity)
	}
	return d.ready()
}

func wrapHeader(epoch uint32) []byte {
	out := append(make([]byte, 0, wrappedLen), wrappedVersion, algAES256GCM)
	return binary.BigEndian.AppendUint32(out, epoch)
}

// parseWrapped returns the KEK epoch of wrapped keys. Length, version and
// algorithm are fixed and epoch 0 is refused, so they have one encoding.
func parseWrapped(b []byte) (epoch uint32, err error) {
	if len(b) != wrappedLen || b[0] != wrappedVersion || b[1] != algAES256GCM {
		return 0, fmt.Errorf("reading wrapped keys: %w", ErrFormat)
	}
	epoch = binary.BigEndian.Uint32(b[2:])
	if epoch == 0 {
		return 0, fmt.Errorf("reading wrapped keys: %w", ErrFormat)
	}
	return epoch, nil
}

// wrapDataLen is how long the additional data of a wrapped key is.
const wrapDataLen = len(domainWrap) + wrappedHeader + len(VaultID{}) + len(privacy.SubjectID{}) + 1

// wrapData appends the additional data of a wrapped key to out.
func (k *Keyring) wrapData(out, header []byte, s privacy.SubjectID, kind DEKKind) []byte {
	out = append(out, domainWrap...)
	out = append(out, header...)
	out = append(out, k.vault[:]...)
	out = append(out, s[:]...)
	return append(out, byte(kind))
}
