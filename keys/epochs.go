package keys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Two kinds of key turn while the vault works: KEKs and blind-index keys. A turn
// adds the next epoch, moves everything to it, and drops the one before. A
// keyring never changes, so each step is a keyring of its own: seal it durably
// before anything uses what is new in it, and drop nothing that anything on disk
// still needs.

// errInUse: the newest key of a kind is never dropped.
var errInUse = errors.New("the key is in use")

// KEKEpochs returns the epochs of all KEKs, oldest first; the last is the one
// that Wrap uses.
func (k *Keyring) KEKEpochs() []uint32 { return k.epochs(roleKEK) }

// IndexEpochs returns the epochs of all blind-index keys, oldest first.
func (k *Keyring) IndexEpochs() []uint32 { return k.epochs(roleIndex) }

func (k *Keyring) epochs(r role) []uint32 {
	var all []uint32
	for _, e := range k.keys {
		if e.role == r {
			all = append(all, e.epoch)
		}
	}
	return all
}

// WithNewKEK returns the keyring with a fresh KEK of the next epoch, which Wrap
// uses from then on. The KEKs before it still unwrap.
func (k *Keyring) WithNewKEK(now time.Time) (*Keyring, error) { return k.with(roleKEK, now) }

// WithNewIndex returns the keyring with a fresh blind-index key of the next
// epoch.
func (k *Keyring) WithNewIndex(now time.Time) (*Keyring, error) { return k.with(roleIndex, now) }

// DropKEK returns the keyring without the KEK of an epoch: what is still wrapped
// under it can never be opened again, wherever it lies. The newest is not
// dropped; an epoch that is not there is ErrEpoch.
func (k *Keyring) DropKEK(epoch uint32) (*Keyring, error) { return k.without(roleKEK, epoch) }

// DropIndex returns the keyring without the blind-index key of an epoch, under
// which nobody can be found or guessed from then on. The newest is not dropped;
// an epoch that is not there is ErrEpoch.
func (k *Keyring) DropIndex(epoch uint32) (*Keyring, error) { return k.without(roleIndex, epoch) }

func (k *Keyring) with(r role, now time.Time) (*Keyring, error) {
	last := k.last(r)
	next := key{role: r, epoch: k.keys[last].epoch + 1, since: now.Unix()}
	if _, err := rand.Read(next.material[:]); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return assemble(k.vault, slices.Insert(slices.Clone(k.keys), last+1, next))
}

func (k *Keyring) without(r role, epoch uint32) (*Keyring, error) {
	i := slices.IndexFunc(k.keys, func(e key) bool { return e.role == r && e.epoch == epoch })
	if i < 0 {
		return nil, fmt.Errorf("dropping a key of epoch %d: %w", epoch, ErrEpoch)
	}
	if i == k.last(r) {
		return nil, fmt.Errorf("dropping a key of epoch %d: %w", epoch, errInUse)
	}
	return assemble(k.vault, slices.Delete(slices.Clone(k.keys), i, i+1))
}

// last returns where the newest key of a role stands; assemble saw that there is
// one.
func (k *Keyring) last(r role) int {
	for i := len(k.keys) - 1; ; i-- {
		if k.keys[i].role == r {
			return i
		}
	}
}

// WrappedUnder returns the KEK epoch that a person's wrapped keys name, or
// ErrFormat.
func WrappedUnder(wrapped []byte) (epoch uint32, err error) { return parseWrapped(wrapped) }
