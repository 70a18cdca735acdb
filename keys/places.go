package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// A person's ID must not tell since when the person is known, so it looks
// random; but rows written in the order of random keys fill a B+ tree's pages by
// two thirds and change a page each. So a person's rows lie at a place of their
// own, and places of new people follow each other:
//
//	place = milliseconds since 1970 (6, big endian) ‖ random (8)     of an ID made here
//	place = 0x00 ‖ block (16)                                        of any other
//
// ID and place are one another's under one AES-256 block, keyed by the keyring
// for as long as the vault lives: the ID is the encryption of the block place ‖
// 0x0000, and every other ID decrypts to a block that does not end so (or, one in
// 65,536, to one that does and lies among the others, which does no harm). So no
// two IDs have one place, and who has the files alone cannot tell which of them
// are of an ID that a channel knows.
const (
	shortPlace = 14
	longPlace  = 1 + aes.BlockSize
)

// NewSubject returns a fresh ID of a person, whose place follows those before.
func (k *Keyring) NewSubject(now time.Time) (s privacy.SubjectID, err error) {
	var block [aes.BlockSize]byte
	binary.BigEndian.PutUint64(block[:], uint64(now.UnixMilli())<<16)
	if _, err := rand.Read(block[6:shortPlace]); err != nil {
		return s, fmt.Errorf("making an ID: %w", err)
	}
	k.places.Encrypt(s[:], block[:])
	return s, nil
}

// Place returns where the rows of a person lie: what their keys begin with. No
// place is the beginning of another.
func (k *Keyring) Place(s privacy.SubjectID) []byte {
	b := append(make([]byte, longPlace, longPlace+len(s)), s[:]...)
	k.places.Decrypt(b[1:longPlace], b[longPlace:])
	if place := b[1 : 1+shortPlace]; isShort(place) && b[15] == 0 && b[16] == 0 {
		return place[:shortPlace:shortPlace]
	}
	return b[:longPlace:longPlace]
}

// SubjectAt returns whose place it is, or ErrFormat.
func (k *Keyring) SubjectAt(place []byte) (s privacy.SubjectID, err error) {
	var block [aes.BlockSize]byte
	switch {
	case len(place) == shortPlace && isShort(place):
		copy(block[:], place)
	case len(place) == longPlace && place[0] == 0:
		copy(block[:], place[1:])
		if isShort(block[:]) && block[14] == 0 && block[15] == 0 {
			return s, fmt.Errorf("reading a place: %w", ErrFormat) // it is written short
		}
	default:
		return s, fmt.Errorf("reading a place: %w", ErrFormat)
	}
	k.places.Encrypt(s[:], block[:])
	return s, nil
}

// PlaceLen returns how long the place is that a key begins with.
func PlaceLen(key []byte) int {
	if len(key) > 0 && isShort(key) {
		return shortPlace
	}
	return longPlace
}

// isShort tells a place that begins with a time from one that begins with zero.
func isShort(place []byte) bool { return place[0] != 0 }

func newPlaces(key []byte) (cipher.Block, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing AES: %w", err)
	}
	return block, nil
}
