package keys

import (
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// VaultID names one vault for ever: "vlt_" and 26 characters. Everything sealed
// is bound to it, so that nothing can be moved between vaults.
type VaultID [16]byte

const vaultPrefix, subjectPrefix = "vlt_", "sub_"

func newVaultID(now time.Time) VaultID { return VaultID(privacy.NewID(now)) }

// String returns "vlt_…", in the encoding of all IDs of the vault.
func (v VaultID) String() string {
	return vaultPrefix + strings.TrimPrefix(privacy.SubjectID(v).String(), subjectPrefix)
}

// MarshalText returns "vlt_…".
func (v VaultID) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText accepts exactly what MarshalText writes, or returns
// privacy.ErrID.
func (v *VaultID) UnmarshalText(text []byte) error {
	rest, ok := strings.CutPrefix(string(text), vaultPrefix)
	if !ok {
		return privacy.ErrID
	}
	id, err := privacy.ParseSubjectID(subjectPrefix + rest)
	if err == nil {
		*v = VaultID(id)
	}
	return err
}
