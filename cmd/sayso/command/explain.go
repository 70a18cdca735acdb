package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
)

// explain makes one sentence of why a folder cannot be opened: what is wrong,
// and what to do.
func explain(dir string, err error) error {
	var missing missingError
	var ring keyringError
	say := func(format string, args ...any) error { return fmt.Errorf(format, args...) }
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errUnfinished), errors.Is(err, vault.ErrFresh):
		return say("the vault in %s was never finished: make it with `sayso init --dir %s`", dir, dir)
	case errors.Is(err, errRestoring):
		return say("a restore of the vault in %s was begun and is not finished: run the same `sayso restore --dir %s` again, or give it up with `--abandon`", dir, dir)
	case errors.As(err, &missing) && missing.name == "":
		return say("there is no vault in %s: make one with `sayso init --dir %s`", dir, dir)
	case errors.As(err, &missing) && missing.name == fileKeyring:
		return say("the keyring is missing from %s, and nothing of the vault opens without it: put it back from where you keep it", dir)
	case errors.As(err, &missing):
		return say("%s is missing from %s: put it back, or bring the vault up from a backup with `sayso restore --dir %s`", missing.name, dir, dir)
	case errors.Is(err, keys.ErrRootKey):
		return say("the passphrase does not open the keyring in %s: it is the wrong one, or the keyring is another vault's", dir)
	case errors.Is(err, keys.ErrVersion):
		return say("the keyring in %s is of a format this sayso does not know (%w): use the version that wrote it", dir, err)
	case errors.As(err, &ring):
		return say("the keyring in %s cannot be read (%w): put it back from where you keep it", dir, ring.error)
	case errors.Is(err, vault.ErrForeign):
		return say("the keyring in %s belongs to another vault: put this vault's own back", dir)
	case errors.Is(err, vault.ErrOlderKeyring):
		return say("the keyring in %s is a copy from before keys were rotated: put the newest one back from where you keep it", dir)
	case errors.Is(err, vault.ErrOlderKeys):
		return say("keys.db in %s is a copy from before keys were rotated, and opens with today's keyring no more: put the newest one back", dir)
	case errors.Is(err, store.ErrLocked):
		return say("the vault in %s is in use by another process: stop that one first", dir)
	case errors.Is(err, store.ErrOlder):
		return say("vault.db in %s is an older copy than its log: put the newer one back, or accept it with `sayso restore --dir %s`", dir, dir)
	case errors.Is(err, vault.ErrLedgerShorter):
		return say("the ledger in %s lacks acts that the vault did: put the whole one back; if it is lost, `sayso restore --dir %s --ledger-lost` goes on without it, and consents from before count as none", dir, dir)
	case errors.Is(err, vault.ErrLogShorter):
		return say("the log in %s is not the one its ledger saw (%w): put the whole one back, or accept it with `sayso restore --dir %s`", dir, err, dir)
	case errors.Is(err, store.ErrDamaged):
		return say("the vault in %s is damaged (%w): bring it up from a backup with `sayso restore --dir %s`", dir, err, dir)
	case errors.Is(err, store.ErrFormat):
		return say("a file in %s is of a format this sayso does not know (%w): use the version that wrote it", dir, err)
	}
	return say("the vault in %s cannot be opened: %w", dir, err)
}
