package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The keyed hashes are HMAC-SHA256 over a domain and parts, each of them
// preceded by its length in eight bytes, big endian. So no two lists of parts
// hash the same bytes, and a hash of one domain is never one of another.
const (
	domainIndex  = "sayso/blind-index/1"
	domainMAC    = "sayso/mac/1"
	domainClient = "sayso/client-secret/1"
)

// hasher is a key of keyed hashes. Hashes that were made ready for the key are
// used again: to make one ready costs as much as to hash.
type hasher struct {
	hidden
	ready *sync.Pool // of *hashing
}

// hashing is one hash and the bytes that go into it.
type hashing struct {
	mac hash.Hash
	in  []byte
	sum [sha256.Size]byte
}

func newHasher(key []byte) *hasher {
	return &hasher{ready: &sync.Pool{New: func() any { return &hashing{mac: hmac.New(sha256.New, key)} }}}
}

func (k *hasher) hash(domain, label string, parts ...[]byte) [32]byte {
	h := k.ready.Get().(*hashing)
	defer k.ready.Put(h)
	h.in = appendText(appendText(h.in[:0], domain), label)
	for _, p := range parts {
		h.in = append(binary.BigEndian.AppendUint64(h.in, uint64(len(p))), p...)
	}
	h.mac.Reset()
	_, _ = h.mac.Write(h.in)
	clear(h.in) // an identifier may stand there
	h.mac.Sum(h.sum[:0])
	return h.sum
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// BlindIndex returns the keyed hash, of the current epoch, under which an
// identifier is found without being stored. normalised is the form for look-up:
// equal identifiers must have equal forms.
//
// Who has the store alone learns which entries of one field and epoch are equal,
// and no more. Who has the keyring too can guess identifiers and try them.
func (k *Keyring) BlindIndex(field privacy.FieldName, normalised string) [32]byte {
	return k.indexes[k.index].hash(domainIndex, string(field), []byte(normalised))
}

// BlindIndexAt is BlindIndex of an epoch, or ErrEpoch. While identifiers are
// moved to a new epoch both are asked.
func (k *Keyring) BlindIndexAt(epoch uint32, field privacy.FieldName, normalised string) ([32]byte, error) {
	key, ok := k.indexes[epoch]
	if !ok {
		return [32]byte{}, fmt.Errorf("blind index of epoch %d: %w", epoch, ErrEpoch)
	}
	return key.hash(domainIndex, string(field), []byte(normalised)), nil
}

// MAC returns a keyed hash of parts for the ledger and for limits, which
// compare and never reveal. label says what for: the same parts under two
// labels have unrelated hashes.
func (k *Keyring) MAC(label string, parts ...[]byte) [32]byte {
	return k.ledger.hash(domainMAC, label, parts...)
}

// SecretHash returns what is stored of a client's secret. It is one fast hash
// and no stretching, which is right only because the vault makes the secrets
// itself, of 256 random bits. Compare in constant time.
func (k *Keyring) SecretHash(clientID, secret string) [32]byte {
	return k.client.hash(domainClient, clientID, []byte(secret))
}
