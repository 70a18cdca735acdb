package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// The files of a vault's folder. All are the owner's alone: 0600, folders 0700.
const (
	fileVault   = "vault.db"
	fileKeys    = "keys.db"
	fileKeyring = "keyring"
	fileLedger  = "ledger"
	folderLog   = "log"
	fileSocket  = "socket"
)

// folder is an open vault in its folder. Nobody else has it meanwhile.
type folder struct {
	dir     string
	vault   *vault.Vault
	stores  stores
	watched *watching // nil: by nobody
}

// openFolder opens the vault in dir with its root key. It makes nothing, and
// what it refuses it leaves as it was: the error is one sentence that says what
// is wrong and what to do.
func openFolder(ctx context.Context, dir string, root keys.Root, logger *slog.Logger) (*folder, error) {
	return openWatched(ctx, dir, root, logger, nil)
}

// openWatched is openFolder for a vault that is watched.
func openWatched(ctx context.Context, dir string, root keys.Root, logger *slog.Logger, w *watching) (*folder, error) {
	f, err := open(ctx, dir, root, logger, w)
	if err != nil {
		return nil, explain(dir, err)
	}
	return f, nil
}

func open(ctx context.Context, dir string, root keys.Root, logger *slog.Logger, w *watching) (*folder, error) {
	if err := isWhole(dir); err != nil {
		return nil, err
	}
	// The stores first: they tell a second process at once, the root key takes
	// its time.
	s, err := openStores(dir, false, logger)
	if err != nil {
		return nil, err
	}
	v, err := s.vault(ctx, dir, root, logger, w)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	f := &folder{dir: dir, vault: v, stores: s, watched: w}
	if err := tighten(dir, logger); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close closes the vault, then what it stands on, then what watches.
func (f *folder) Close() error {
	err := errors.Join(f.vault.Close(), f.stores.Close())
	if f.watched != nil {
		err = errors.Join(err, f.watched.Close())
	}
	return err
}

// stores are the engines and the ledger of one folder.
type stores struct {
	data, deks *bolt.DB
	ledger     *bolt.Ledger
}

func openStores(dir string, create bool, logger *slog.Logger) (s stores, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.data, err = bolt.Open(bolt.Config{Path: filepath.Join(dir, fileVault), Log: filepath.Join(dir, folderLog), Create: create, Logger: logger})
	if err != nil {
		return s, err
	}
	s.deks, err = bolt.Open(bolt.Config{Path: filepath.Join(dir, fileKeys), Create: create, Logger: logger})
	if err != nil {
		return s, err
	}
	s.ledger, err = bolt.OpenLedger(filepath.Join(dir, fileLedger), create)
	return s, err
}

// Close closes what was opened.
func (s stores) Close() error {
	var errs []error
	if s.data != nil {
		errs = append(errs, s.data.Close())
	}
	if s.deks != nil {
		errs = append(errs, s.deks.Close())
	}
	if s.ledger != nil {
		errs = append(errs, s.ledger.Close())
	}
	return errors.Join(errs...)
}

func (s stores) config(keyring *keys.Keyring, logger *slog.Logger) vault.Config {
	return vault.Config{Store: s.data, Keys: s.deks, Ledger: s.ledger, Keyring: keyring, Logger: logger}
}

func (s stores) vault(ctx context.Context, dir string, root keys.Root, logger *slog.Logger, w *watching) (*vault.Vault, error) {
	keyring, err := readKeyring(dir, root)
	if err != nil {
		return nil, err
	}
	cfg := s.config(keyring, logger)
	cfg.SaveKeyring = saveKeyring(dir, root)
	if w != nil {
		cfg.Observer = w.observer()
	}
	return vault.Open(ctx, cfg)
}

func readKeyring(dir string, root keys.Root) (*keys.Keyring, error) {
	sealed, err := os.ReadFile(filepath.Join(dir, fileKeyring))
	if err != nil {
		return nil, err
	}
	keyring, err := keys.Open(sealed, root)
	if err != nil {
		return nil, keyringError{err}
	}
	return keyring, nil
}

// verifyFolder verifies the log in dir without bringing the vault up, so that
// it works on one that cannot be brought up, and changes no file.
func verifyFolder(ctx context.Context, dir string, root keys.Root, progress func(stage string, done, of uint64)) (report *vault.LogReport, err error) {
	if err := isWhole(dir); err != nil {
		return nil, explain(dir, err)
	}
	logger := slog.New(slog.DiscardHandler)
	s, err := openStores(dir, false, logger)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrOlder) {
		return nil, &badLog{why: explain(dir, err).Error()}
	}
	if err != nil {
		return nil, explain(dir, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	keyring, err := readKeyring(dir, root)
	if err != nil {
		return nil, explain(dir, err)
	}
	report, err = vault.Verify(ctx, s.config(keyring, logger), progress)
	if errors.Is(err, vault.ErrForeign) || errors.Is(err, vault.ErrFresh) {
		return nil, explain(dir, err)
	}
	return report, asBadLog(err)
}

// whole is isWhole in a sentence for people, before they are asked for a
// passphrase that would open nothing.
func whole(dir string) error {
	if err := isWhole(dir); err != nil {
		return explain(dir, err)
	}
	return nil
}

// isWhole refuses a folder that lacks a part of a vault.
func isWhole(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, fileUnfinished)); err == nil {
		return errUnfinished
	}
	if _, err := os.Stat(filepath.Join(dir, folderRestore)); err == nil {
		return errRestoring
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return missingError{""}
	} else if err != nil {
		return err
	}
	var missing []string
	for _, name := range []string{fileVault, fileKeys, fileKeyring, fileLedger, folderLog} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
		} else if err != nil {
			return err
		}
	}
	if len(missing) == 5 {
		return missingError{""}
	}
	if len(missing) > 0 {
		return missingError{missing[0]}
	}
	return nil
}

// errUnfinished: init ended before the vault was whole.
var errUnfinished = errors.New("init did not finish")

// errRestoring: a restore was begun and is not finished.
var errRestoring = errors.New("a restore is not finished")

// missingError is a part of a vault that is not there; the empty one is all of
// it.
type missingError struct{ name string }

func (e missingError) Error() string { return fmt.Sprintf("%s is missing", e.name) }

// keyringError is what is wrong with the keyring.
type keyringError struct{ error }

func (e keyringError) Unwrap() error { return e.error }
