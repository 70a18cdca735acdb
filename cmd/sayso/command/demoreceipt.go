package command

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// demoReceipt is what the demonstration shows of a consent receipt.
type demoReceipt struct {
	Subject    string              `json:"sub"` // her ID, or a pseudonym where she was named by an identifier
	Controller string              `json:"controller"`
	Notice     string              `json:"notice_version"`
	Fields     []privacy.FieldName `json:"fields"`
	Until      time.Time           `json:"until"`
}

var errReceipt = errors.New("the receipt's signature does not verify")

// verify checks a receipt as anyone could who was handed one: a compact JWS
// (RFC 7515) signed with Ed25519 (RFC 8037), by the vault's published keys.
func (d *demo) verify(ctx context.Context, receipt string) (*demoReceipt, error) {
	published, err := d.get(ctx, "/.well-known/evidence-keys.json")
	if err != nil {
		return nil, err
	}
	var set wire.JWKS
	if err := json.Unmarshal(published, &set); err != nil {
		return nil, err
	}
	parts := strings.Split(receipt, ".")
	if len(parts) != 3 {
		return nil, errReceipt
	}
	var head struct{ Alg, Kid, Typ string }
	var claims demoReceipt
	for i, into := range []any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return nil, errReceipt
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || head.Alg != "EdDSA" || head.Typ != "consent-receipt+jwt" {
		return nil, errReceipt
	}
	for _, k := range set.Keys {
		key, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.KeyID == head.Kid && err == nil && len(key) == ed25519.PublicKeySize &&
			ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
			return &claims, nil
		}
	}
	return nil, errReceipt
}
