package keys

import (
	"encoding/binary"
	"fmt"
)

// List is several envelopes side by side without what they have in common. Each
// is opened by itself. On disk:
//
//	byte  0      format version, 2
//	byte  1      algorithm, 1 = AES-256-GCM
//	then         how many envelopes there are, unsigned varint
//	then of each unsigned varint: twice the length of ciphertext and tag, plus one
//	             if a nonce follows
//	             nonce, 12 bytes, unless it is the one before plus one, modulo
//	             2^96; of the first always
//	             ciphertext and tag
//
// SealAll gives envelopes such nonces: drawn at random for the first and then
// counted up, as NIST SP 800-38D, 8.2.2, has it. An envelope that stays when
// others are replaced stays as it is, byte for byte.
type List struct {
	rest  []byte // what follows the count
	count int
}

const listVersion = 2

var errList = fmt.Errorf("reading a list of envelopes: %w", ErrFormat)

// Item is one value to seal, and of what it is the value.
type Item struct {
	Binding   Binding
	Plaintext []byte
}

// SealAll is Seal for several values at once, which then take less room in a list.
func SealAll(d *DEK, items []Item) ([][]byte, error) {
	if d == nil || d.aead == nil {
		return nil, errNoKey
	}
	var nonce [nonceLen]byte
	if err := drawNonce(nonce[:]); err != nil {
		return nil, fmt.Errorf("sealing envelopes: %w", err)
	}
	envelopes := make([][]byte, len(items))
	for i, it := range items {
		e, err := seal(d, it.Binding, nonce, it.Plaintext)
		if err != nil {
			return nil, err
		}
		envelopes[i] = e
		countUp(nonce[:])
	}
	return envelopes, nil
}

// PackList puts envelopes into a list, or returns ErrFormat if one is none.
func PackList(envelopes [][]byte) ([]byte, error) {
	size := envelopeHeader + binary.MaxVarintLen64
	for _, e := range envelopes {
		if err := checkEnvelope(e); err != nil {
			return nil, err
		}
		size += len(e)
	}
	out := binary.AppendUvarint(append(make([]byte, 0, size), listVersion, algAES256GCM), uint64(len(envelopes)))
	var next [nonceLen]byte
	for i, e := range envelopes {
		nonce, sealed := [nonceLen]byte(e[envelopeHeader:]), e[envelopeHeader+nonceLen:]
		if i > 0 && nonce == next {
			out = binary.AppendUvarint(out, uint64(len(sealed))<<1)
		} else {
			out = append(binary.AppendUvarint(out, uint64(len(sealed))<<1|1), nonce[:]...)
		}
		out = append(out, sealed...)
		next = nonce
		countUp(next[:])
	}
	return out[:len(out):len(out)], nil
}

// ParseList reads what PackList made, or returns ErrFormat. The list is part of b.
func ParseList(b []byte) (List, error) {
	if len(b) < envelopeHeader || b[0] != listVersion || b[1] != algAES256GCM {
		return List{}, errList
	}
	n, rest, ok := uvarint(b[envelopeHeader:])
	if !ok || n > uint64(len(rest)) {
		return List{}, errList
	}
	l := List{rest: rest, count: int(n)}
	var c cursor
	for range l.count {
		if rest, ok = c.next(rest); !ok {
			return List{}, errList
		}
	}
	if len(rest) != 0 {
		return List{}, errList
	}
	return l, nil
}

// Len returns how many envelopes there are.
func (l List) Len() int { return l.count }

// at returns nonce and ciphertext of an envelope, which ParseList saw is there.
func (l List) at(i int) (c cursor, ok bool) {
	if i < 0 || i >= l.count {
		return c, false
	}
	rest := l.rest
	for range i + 1 {
		rest, _ = c.next(rest)
	}
	return c, true
}

// Envelope returns a copy of the envelope at i, counted from 0, or nil if there
// are fewer.
func (l List) Envelope(i int) []byte {
	c, ok := l.at(i)
	if !ok {
		return nil
	}
	out := append(make([]byte, 0, envelopeHeader+nonceLen+len(c.sealed)), formatVersion, algAES256GCM)
	return append(append(out, c.nonce[:]...), c.sealed...)
}

// Unseal is Unseal of the envelope at i, appended to space, which may be nil. One
// that is not there is ErrIntegrity.
func (l List) Unseal(space []byte, d *DEK, i int, b Binding) ([]byte, error) {
	if d == nil || d.aead == nil {
		return nil, errNoKey
	}
	c, ok := l.at(i)
	if !ok {
		return nil, fmt.Errorf("opening envelope: there is none at %d: %w", i, ErrIntegrity)
	}
	return appendUnsealed(space, d, b, c.nonce, c.sealed)
}

// cursor goes through a list.
type cursor struct {
	nonce  [nonceLen]byte
	sealed []byte // ciphertext and tag; nil before the first
}

func (c *cursor) next(b []byte) (rest []byte, ok bool) {
	n, b, ok := uvarint(b)
	if !ok {
		return nil, false
	}
	follows := c.nonce
	countUp(follows[:])
	switch own := n&1 == 1; {
	case !own && c.sealed == nil, own && len(b) < nonceLen:
		return nil, false
	case !own:
		c.nonce = follows
	default:
		first := c.sealed == nil
		c.nonce, b = [nonceLen]byte(b), b[nonceLen:]
		if !first && c.nonce == follows {
			return nil, false // it is written shorter
		}
	}
	if n >>= 1; n < tagLen || n > uint64(len(b)) {
		return nil, false
	}
	c.sealed = b[:n]
	return b[n:], true
}

// uvarint reads a number that has no byte too many.
func uvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// countUp adds one to a nonce, modulo 2^96.
func countUp(nonce []byte) {
	for i := nonceLen - 1; i >= 0; i-- {
		if nonce[i]++; nonce[i] != 0 {
			return
		}
	}
}
