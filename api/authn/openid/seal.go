package openid

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// sealer keeps what a cookie holds from being read or made by a browser.
//
//	base64url( nonce(12) AES-256-GCM(JSON) )
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	if len(key) != 32 {
		return sealer{}, errors.New("the key of cookies must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// seal returns v for a cookie called name, and for no other.
func (s sealer) seal(name string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(name))), nil //nolint:gosec // it makes its own random nonce and is given none
}

// open reads what seal made into v.
func (s sealer) open(name, text string, v any) error {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errors.New("a cookie is not ours")
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return errors.New("a cookie is not ours")
	}
	if err := json.Unmarshal(plain, v, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("reading a cookie: %w", err)
	}
	return nil
}
