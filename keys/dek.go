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
	domainWrap    = "sayso/wrapped-dek"
	wrappedHeader = 6
	wrappedLen    = wrappedHeader + nonceLen + keyLen + tagLen
)

var (
	errNoKey   = errors.New("there is no key")
	errDEKKind = errors.New("unknown kind of key")
)

// blank returns a key that has yet to be filled and made ready, in one piece
// with its bytes.
func blank() *DEK {
	d := new(struct {
		DEK
		key [keyLen]byte
	})
	d.DEK.key = &d.key
	return &d.DEK
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
	d := blank()
	if _, err := rand.Read(d.key[:]); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return d.ready()
}

// Wrap encrypts d under the current KEK for s and kind. The result, on disk, is
// 66 bytes:
//
//	byte  0      format version, 1
//	byte  1      algorithm, 1 = AES-256-GCM
//	bytes 2-5    KEK epoch, big endian
//	bytes 6-17   nonce
//	bytes 18-65  the key's 32 bytes encrypted, then a tag of 16 bytes
//
// Its additional data is "sayso/wrapped-dek", bytes 0 to 5, vault ID (16 bytes),
// subject ID (16) and kind (1).
func (k *Keyring) Wrap(d *DEK, s privacy.SubjectID, kind DEKKind) ([]byte, error) {
	if d == nil || d.aead == nil {
		return nil, errNoKey
	}
	if kind != Values && kind != History {
		return nil, fmt.Errorf("wrapping key: %w", errDEKKind)
	}
	out := wrapHeader(k.kek)
	return k.keks[k.kek].Seal(out, nil, d.key[:], k.wrapData(out, s, kind)), nil
}

// Unwrap opens what Wrap made for the same vault, person and kind. Anything else
// is ErrIntegrity, or ErrFormat if it is no wrapped key at all. A key wrapped
// under a KEK that is gone is ErrIntegrity and ErrEpoch both: so look old copies
// of the keys of erased persons.
func (k *Keyring) Unwrap(wrapped []byte, s privacy.SubjectID, kind DEKKind) (*DEK, error) {
	epoch, err := parseWrapped(wrapped)
	if err != nil {
		return nil, err
	}
	kek, ok := k.keks[epoch]
	if !ok {
		return nil, fmt.Errorf("unwrapping key of KEK epoch %d: %w: %w", epoch, ErrIntegrity, ErrEpoch)
	}
	d := blank()
	header, rest := wrapped[:wrappedHeader], wrapped[wrappedHeader:]
	if _, err := kek.Open(d.key[:0], nil, rest, k.wrapData(header, s, kind)); err != nil {
		return nil, fmt.Errorf("unwrapping key: %w", ErrIntegrity)
	}
	return d.ready()
}

func wrapHeader(epoch uint32) []byte {
	out := append(make([]byte, 0, wrappedLen), formatVersion, algAES256GCM)
	return binary.BigEndian.AppendUint32(out, epoch)
}

// parseWrapped returns the KEK epoch of a wrapped key. Length, version and
// algorithm are fixed and epoch 0 is refused, so it has one encoding.
func parseWrapped(b []byte) (epoch uint32, err error) {
	if len(b) != wrappedLen || b[0] != formatVersion || b[1] != algAES256GCM {
		return 0, fmt.Errorf("reading wrapped key: %w", ErrFormat)
	}
	epoch = binary.BigEndian.Uint32(b[2:])
	if epoch == 0 {
		return 0, fmt.Errorf("reading wrapped key: %w", ErrFormat)
	}
	return epoch, nil
}

func (k *Keyring) wrapData(header []byte, s privacy.SubjectID, kind DEKKind) []byte {
	out := make([]byte, 0, len(domainWrap)+wrappedHeader+len(k.vault)+len(s)+1)
	out = append(out, domainWrap...)
	out = append(out, header...)
	out = append(out, k.vault[:]...)
	out = append(out, s[:]...)
	return append(out, byte(kind))
}
