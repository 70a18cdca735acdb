package vault

import (
	"crypto/sha256"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// certificateType is the JWS type of an erasure certificate.
const certificateType = "erasure-certificate+jwt"

// certificateClaims is what a certificate says of an erasure. It names nobody:
// who asked for it knows it by the request. What it says was destroyed stands in
// the log at the index it names; `sayso log prove` makes the proof.
type certificateClaims struct {
	Issuer      string            `json:"iss"` // the vault
	IssuedAt    int64             `json:"iat"`
	Request     privacy.RequestID `json:"jti"`
	Controller  string            `json:"controller"`
	ReceivedAt  time.Time         `json:"received_at"`
	ErasedAt    time.Time         `json:"erased_at"` // nothing was released any more
	CompletedAt time.Time         `json:"completed_at"`
	Scope       string            `json:"scope"` // all, or all_but_kept
	Destroyed   destroyed         `json:"destroyed"`
	Kept        []Stay            `json:"kept"`
	Never       *certifiedNever   `json:"never_contact,omitempty"`
	Epochs      certifiedEpochs   `json:"epochs"`
	Log         certifiedLog      `json:"log"`
	// KeyBackupsUntil is the day by which the last backup of keys has ended that
	// can still open a copy of the data from before.
	KeyBackupsUntil string `json:"key_backups_until"`
}

// destroyed is what an erasure destroyed, counted by kind.
type destroyed struct {
	Keys    []string          `json:"keys"` // values, history
	Records map[string]uint64 `json:"records"`
	// Openings are the log's records about the person that nobody can open any
	// more. Their leaves stay, and say nothing without them.
	Openings uint64 `json:"log_openings"`
}

// certifiedNever is what stays because the person wanted it.
type certifiedNever struct {
	Hashes uint64 `json:"hashes"`
	Why    string `json:"why"`
}

// whyNever says why keyed hashes stay of somebody erased.
const whyNever = "the person asked never to be contacted again: one keyed hash of each identifier lets a later capture of it begin with a no to direct marketing"

// certifiedEpochs are the epochs of keys under which the person's keys and index
// rows lay, which are gone, and those of now.
type certifiedEpochs struct {
	KEKDestroyed   uint32 `json:"kek_destroyed"` // this one and all before it
	KEK            uint32 `json:"kek"`
	IndexDestroyed uint32 `json:"index_destroyed"`
	Index          uint32 `json:"index"`
}

type certifiedLog struct {
	Name   string `json:"name"`
	Origin string `json:"origin"`
	Index  uint64 `json:"index"`
}

// certificate certifies an erasure that is complete by now.
func (v *Vault) certificate(reg *register.Register, q *requestRecord, now time.Time) (string, error) {
	ring := v.keyring()
	backups := latest(v.KeyBackupsEnd(), now.AddDate(0, 0, reg.KeyBackupDays()))
	claims := certificateClaims{
		Issuer: v.id.String(), IssuedAt: now.Unix(), Request: q.ID, Controller: reg.Controller.Name,
		ReceivedAt: q.Received, ErasedAt: q.Erased, CompletedAt: now, Scope: "all",
		Destroyed: destroyed{Keys: []string{"values", "history"}, Records: q.Removed}, Kept: []Stay{},
		Epochs:          certifiedEpochs{KEKDestroyed: q.KEKEpoch, KEK: ring.KEKEpoch(), IndexDestroyed: q.IndexEpoch, Index: ring.IndexEpoch()},
		Log:             certifiedLog{Name: v.cfg.LogName, Origin: v.origin(), Index: q.LogIndex},
		KeyBackupsUntil: backups.Format(time.DateOnly),
	}
	if q.Orphans != nil {
		claims.Destroyed.Openings = q.Orphans.Count
	}
	if q.Hashes > 0 {
		claims.Never = &certifiedNever{q.Hashes, whyNever}
	}
	if q.Partly {
		claims.Scope, claims.Kept, claims.Destroyed.Keys = "all_but_kept", q.Stays, []string{"values"}
	}
	return signJWS(ring.EvidenceSigner(), ring.EvidenceKeyID(), certificateType, claims)
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
