package keys

import (
	"cmp"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

const keyLen = 32

// role is what a key of the keyring is for; no key serves two.
type role byte

const (
	roleKEK      role = 1 // wraps DEKs
	roleIndex    role = 2 // blind index
	roleLog      role = 3 // signs checkpoints
	roleToken    role = 4 // signs access tokens
	roleEvidence role = 5 // signs receipts and certificates
	roleLedger   role = 6 // keyed hashes of ledger and limits
	roleClient   role = 7 // keyed hashes of client secrets
	rolePlaces   role = 8 // where a person's rows lie; it never turns
	lastRole          = rolePlaces
)

func (r role) signs() bool { return r == roleLog || r == roleToken || r == roleEvidence }

// key is one epoch of one role.
type key struct {
	role  role
	epoch uint32 // from 1
	since int64  // Unix seconds
	// until is when a signing key was retired. From then on material is the
	// public key: nobody can sign with it any more, but what it signed can be
	// verified for ever. It is 0 for a key in use.
	until    int64
	material [keyLen]byte
}

func (k key) public() ed25519.PublicKey {
	if k.until != 0 {
		return slices.Clone(ed25519.PublicKey(k.material[:]))
	}
	return ed25519.NewKeyFromSeed(k.material[:]).Public().(ed25519.PublicKey)
}

// Keyring holds the keys of one vault that are not a person's. It is opened
// from its file with the root key, never changes and may be used by many
// goroutines. It prints as "[key]" and cannot be marshalled: only Seal writes it.
type Keyring struct {
	hidden
	vault VaultID
	keys  []key // by role and epoch, as in the file

	// Derived from keys once, because building them per call is slow.
	keks     map[uint32]cipher.AEAD
	indexes  map[uint32]*hasher
	kek      uint32
	index    uint32
	ledger   *hasher
	client   *hasher
	places   cipher.Block
	signers  map[role]*signer
	evidence string // key ID of the evidence key in use
}

// New returns the keyring of a new vault: a fresh vault ID and the first epoch
// of every key.
func New(now time.Time) (*Keyring, error) {
	var all []key
	for r := roleKEK; r <= lastRole; r++ {
		k := key{role: r, epoch: 1, since: now.Unix()}
		if _, err := rand.Read(k.material[:]); err != nil {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		all = append(all, k)
	}
	return assemble(newVaultID(now), all)
}

// assemble checks that the keys are a whole keyring in order, or returns
// ErrFormat: every role is there; the latest epoch of each is in use; of the
// signing roles only that one is.
func assemble(v VaultID, all []key) (*Keyring, error) {
	k := &Keyring{
		vault: v, keys: all,
		keks: map[uint32]cipher.AEAD{}, indexes: map[uint32]*hasher{}, signers: map[role]*signer{},
	}
	for r := roleKEK; r <= lastRole; r++ {
		if !slices.ContainsFunc(all, func(e key) bool { return e.role == r }) {
			return nil, fmt.Errorf("a key is missing: %w", ErrFormat)
		}
	}
	for i := range all {
		e := &all[i]
		latest := i == len(all)-1 || all[i+1].role != e.role
		retired := e.until != 0
		switch {
		case e.role < roleKEK || e.role > lastRole || e.epoch == 0:
			return nil, fmt.Errorf("a key of unknown use: %w", ErrFormat)
		case i > 0 && compareKeys(all[i-1], *e) >= 0:
			return nil, fmt.Errorf("keys out of order: %w", ErrFormat)
		case retired != (e.role.signs() && !latest):
			return nil, fmt.Errorf("a key retired that should not be, or the reverse: %w", ErrFormat)
		}
		if err := k.take(e); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.epoch, b.epoch))
}

// take makes e usable. Later epochs come later, so the latest stays current.
func (k *Keyring) take(e *key) error {
	switch {
	case e.until != 0:
	case e.role == roleKEK:
		aead, err := newAEAD(e.material[:])
		if err != nil {
			return err
		}
		k.keks[e.epoch], k.kek = aead, e.epoch
	case e.role == roleIndex:
		k.indexes[e.epoch], k.index = newHasher(e.material[:]), e.epoch
	case e.role == roleLedger:
		k.ledger = newHasher(e.material[:])
	case e.role == roleClient:
		k.client = newHasher(e.material[:])
	case e.role == rolePlaces:
		block, err := newPlaces(e.material[:])
		if err != nil {
			return err
		}
		k.places = block
	default:
		private := ed25519.NewKeyFromSeed(e.material[:])
		k.signers[e.role] = &signer{key: private}
		if e.role == roleEvidence {
			k.evidence = Thumbprint(private.Public().(ed25519.PublicKey))
		}
	}
	return nil
}

// VaultID returns the ID that everything sealed with this keyring is bound to.
func (k *Keyring) VaultID() VaultID { return k.vault }

// KEKEpoch returns the epoch of the KEK that Wrap uses.
func (k *Keyring) KEKEpoch() uint32 { return k.kek }

// IndexEpoch returns the epoch of the key that BlindIndex uses.
func (k *Keyring) IndexEpoch() uint32 { return k.index }
