package event

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// IDs makes the IDs by which channels know events, and reads them again. An ID is
// one AES-256 block:
//
//	number in the outbox (8) ‖ keyed hash of log and channel (4) ‖ salt (4)
//
// under a key of the vault's, so that a channel learns from the IDs it is shown
// neither how many events it was not shown – whether what it did to a person was
// told to anybody – nor those of other channels. The ID of an event has salt 0 and
// is the same every time; a mark, which says how far a stream is where there was no
// event, has a random one.
type IDs struct {
	block cipher.Block
	hash  func(privacy.ChannelID) [32]byte
}

const (
	hashLen = 4
	saltAt  = 8 + hashLen
	prefix  = "evt_"
)

// NewIDs takes the key of the IDs and a keyed hash of channels, which is another
// when the numbers begin anew.
func NewIDs(key [32]byte, hash func(privacy.ChannelID) [32]byte) (*IDs, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("preparing AES: %w", err)
	}
	return &IDs{block: block, hash: hash}, nil
}

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ID returns a channel's ID of the event of a number.
func (i *IDs) ID(ch privacy.ChannelID, n uint64) string { return i.make(ch, n, 0) }

// Mark returns an ID for a place in a channel's stream, of which no two can be told
// apart or alike.
func (i *IDs) Mark(ch privacy.ChannelID, n uint64) string {
	var salt [4]byte
	_, _ = rand.Read(salt[:])
	return i.make(ch, n, binary.BigEndian.Uint32(salt[:])|1)
}

func (i *IDs) make(ch privacy.ChannelID, n uint64, salt uint32) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], n)
	sum := i.hash(ch)
	copy(b[8:saltAt], sum[:])
	binary.BigEndian.PutUint32(b[saltAt:], salt)
	i.block.Encrypt(b[:], b[:])
	return prefix + encoding.EncodeToString(b[:])
}

// Number returns the number behind an ID or a mark that was made for this channel
// in this outbox.
func (i *IDs) Number(ch privacy.ChannelID, id string) (uint64, bool) {
	text, ok := strings.CutPrefix(id, prefix)
	raw, err := encoding.DecodeString(text)
	if !ok || err != nil || len(raw) != aes.BlockSize || encoding.EncodeToString(raw) != text {
		return 0, false
	}
	i.block.Decrypt(raw, raw)
	sum := i.hash(ch)
	if subtle.ConstantTimeCompare(raw[8:saltAt], sum[:hashLen]) != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw), true
}

// LooksLikeID reports whether a text could be an ID of some outbox.
func LooksLikeID(id string) bool {
	text, ok := strings.CutPrefix(id, prefix)
	raw, err := encoding.DecodeString(text)
	return ok && err == nil && len(raw) == aes.BlockSize && encoding.EncodeToString(raw) == text
}
