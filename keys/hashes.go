package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

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

func keyed(key []byte, domain string, parts ...[]byte) (sum [32]byte) {
	h := hmac.New(sha256.New, key)
	var n [8]byte
	write := func(p []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	write([]byte(domain))
	for _, p := range parts {
		write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// BlindIndex returns the keyed hash, of the current epoch, under which an
// identifier is found without being stored. normalised is the form for look-up:
// equal identifiers must have equal forms.
//
// Who has the store alone learns which entries of one field and epoch are equal,
// and no more. Who has the keyring too can guess identifiers and try them.
func (k *Keyring) BlindIndex(field privacy.FieldName, normalised string) [32]byte {
	return keyed(k.indexes[k.index], domainIndex, []byte(field), []byte(normalised))
}

// BlindIndexAt is BlindIndex of an epoch, or ErrEpoch. While identifiers are
// moved to a new epoch both are asked.
func (k *Keyring) BlindIndexAt(epoch uint32, field privacy.FieldName, normalised string) ([32]byte, error) {
	key, ok := k.indexes[epoch]
	if !ok {
		return [32]byte{}, fmt.Errorf("blind index of epoch %d: %w", epoch, ErrEpoch)
	}
	return keyed(key, domainIndex, []byte(field), []byte(normalised)), nil
}

// MAC returns a keyed hash of parts for the ledger and for limits, which
// compare and never reveal. label says what for: the same parts under two
// labels have unrelated hashes.
func (k *Keyring) MAC(label string, parts ...[]byte) [32]byte {
	return keyed(k.ledger, domainMAC, append([][]byte{[]byte(label)}, parts...)...)
}

// SecretHash returns what is stored of a client's secret. It is one fast hash
// and no stretching, which is right only because the vault makes the secrets
// itself, of 256 random bits. Compare in constant time.
func (k *Keyring) SecretHash(clientID, secret string) [32]byte {
	return keyed(k.client, domainClient, []byte(clientID), []byte(secret))
}
