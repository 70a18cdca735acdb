package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
)

func newInit() *cobra.Command {
	var dir, passphraseFile string
	cmd := &cobra.Command{
		Use:   "init --dir D",
		Short: "Make a vault and its first officer",
		Long: `init makes a fresh vault in a folder of its own: vault.db, keys.db, keyring,
ledger and log/, readable by you alone. The keyring is sealed under a
passphrase; without it, or without the keyring, nothing in the vault can ever be
opened again, so keep both apart from the folder and from each other.

The first officer's credentials are printed once.`,
		Example: `  sayso init --dir ./vault
  sayso init --dir ./vault --passphrase-file /run/secrets/passphrase -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return misuse("--dir is missing: where is the vault to lie?")
			}
			if err := isVacant(dir); err != nil { // before it is asked for a passphrase
				return err
			}
			root, err := rootKey(cmd, passphraseFile, true)
			if err != nil {
				return err
			}
			return initFolder(cmd.Context(), dir, root, func(c vault.Credentials) error {
				out := struct {
					ClientID     string `json:"client_id"`
					ClientSecret string `json:"client_secret"`
				}{c.ClientID, c.ClientSecret}
				return answer(cmd, out, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, `The vault is in %s. Its first officer, shown this once:

  export SAYSO_CLIENT_ID=%s
  export SAYSO_CLIENT_SECRET=%s

Next: sayso serve --dir %s
`, dir, c.ClientID, c.ClientSecret, dir)
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the vault")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else asked for)")
	return cmd
}

// fileUnfinished stands in a folder while init works there. Who finds it finds
// no vault, whatever else is there.
const fileUnfinished = "unfinished"

// initFolder makes a vault in dir, which is made too, and calls handOver with
// the first officer's credentials, which exist nowhere else. Only if handOver
// took them there is a vault; otherwise nothing is left behind, and what a crash
// leaves is cleared by the next init.
func initFolder(ctx context.Context, dir string, root keys.Root, handOver func(vault.Credentials) error) (err error) {
	made, err := makeFolder(dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && made {
			_ = os.Remove(dir) // if it is empty
		}
	}()
	mark, err := claim(dir)
	if err != nil {
		return err
	}
	defer mark.Close()
	defer func() {
		if err != nil {
			err = errors.Join(err, clearFolder(dir), os.Remove(mark.Name()))
		}
	}()
	if err := clearFolder(dir); err != nil {
		return err
	}
	officer, err := makeVault(ctx, dir, root)
	if err != nil {
		return fmt.Errorf("making a vault in %s: %w", dir, err)
	}
	if err := handOver(officer); err != nil {
		return fmt.Errorf("handing over the officer's credentials: %w", err)
	}
	return errors.Join(os.Remove(mark.Name()), syncFolder(dir))
}

func makeFolder(dir string) (made bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		made = true
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	if err := isVacant(dir); err != nil {
		return false, err
	}
	return made, os.Chmod(dir, 0o700)
}

// isVacant refuses a folder in which init would have to touch something that is
// not its own: only an empty one, or one that an init did not finish, is free.
func isVacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == fileUnfinished {
			return nil
		}
	}
	for _, e := range entries {
		if e.Name() == fileVault || e.Name() == fileKeyring || e.Name() == fileKeys {
			return fmt.Errorf("there is a vault, or a part of one, in %s already: init never touches it", dir)
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: a vault wants a folder of its own", dir)
	}
	return nil
}

// claim marks the folder as unfinished, for this process alone.
func claim(dir string) (*os.File, error) {
	mark, err := os.OpenFile(filepath.Join(dir, fileUnfinished), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(mark.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another init works in %s", dir), mark.Close())
	}
	return mark, syncFolder(dir)
}

// clearFolder removes what an init made that did not come to its end.
func clearFolder(dir string) error {
	var errs []error
	for _, name := range []string{fileVault, fileVault + ".new", fileKeys, fileKeys + ".new", fileLedger, fileLedger + ".new", folderLog, fileKeyring} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

func makeVault(ctx context.Context, dir string, root keys.Root) (officer vault.Credentials, err error) {
	keyring, err := keys.New(time.Now())
	if err != nil {
		return officer, err
	}
	sealed, err := keyring.Seal(root)
	if err != nil {
		return officer, err
	}
	if err := writeFile(filepath.Join(dir, fileKeyring), sealed); err != nil {
		return officer, err
	}
	logger := slog.New(slog.DiscardHandler)
	s, err := openStores(dir, true, logger)
	if err != nil {
		return officer, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if officer, err = vault.Init(ctx, s.config(keyring, logger)); err != nil {
		return officer, err
	}
	// Brought up once, it has a checkpoint and a ledger that others can be held
	// against before anybody serves it.
	v, err := vault.Open(ctx, s.config(keyring, logger))
	if err != nil {
		return officer, err
	}
	return officer, v.Close()
}

// writeFile writes a new file durably, for the owner alone.
func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close(), syncFolder(filepath.Dir(path)))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
