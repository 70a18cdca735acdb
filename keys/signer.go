package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"time"
)

// signer is an Ed25519 private key that prints as "[key]".
type signer struct {
	hidden
	key ed25519.PrivateKey
}

func (s *signer) Public() crypto.PublicKey { return s.key.Public() }

func (s *signer) Sign(r io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(r, message, opts)
}

// LogSigner signs the log's checkpoints (Ed25519).
func (k *Keyring) LogSigner() crypto.Signer { return k.signers[roleLog] }

// TokenSigner signs access tokens (Ed25519). Its key ID is the Thumbprint of
// its public key.
func (k *Keyring) TokenSigner() crypto.Signer { return k.signers[roleToken] }

// EvidenceSigner signs consent receipts and erasure certificates (Ed25519). Its
// key ID is the Thumbprint of its public key.
func (k *Keyring) EvidenceSigner() crypto.Signer { return k.signers[roleEvidence] }

// EvidenceKeyID returns the key ID of what EvidenceSigner signs: the Thumbprint
// of the evidence key in use.
func (k *Keyring) EvidenceKeyID() string { return k.evidence }

// EvidenceKey is a public key that receipts and certificates are verified with.
type EvidenceKey struct {
	ID     string // Thumbprint
	Public ed25519.PublicKey
	Since  time.Time
	Until  time.Time // when it was retired; zero for the one in use
}

// EvidenceKeys returns the evidence keys of all time, oldest first and the one
// in use last. Retired ones stay, or evidence would stop being evidence.
func (k *Keyring) EvidenceKeys() []EvidenceKey {
	var out []EvidenceKey
	for _, e := range k.keys {
		if e.role != roleEvidence {
			continue
		}
		pub := e.public()
		ek := EvidenceKey{ID: Thumbprint(pub), Public: pub, Since: time.Unix(e.since, 0).UTC()}
		if e.until != 0 {
			ek.Until = time.Unix(e.until, 0).UTC()
		}
		out = append(out, ek)
	}
	return out
}

// Thumbprint returns the key ID of an Ed25519 public key: its JWK thumbprint by
// RFC 7638, base64url of SHA-256.
func Thumbprint(pub ed25519.PublicKey) string {
	x := base64.RawURLEncoding.EncodeToString(pub)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
