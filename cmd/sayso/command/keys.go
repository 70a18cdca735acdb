package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
)

func newKeys() *cobra.Command {
	return group(&cobra.Command{
		Use:        "keys",
		Short:      "The vault's keys: put fresh ones in the place of old ones",
		Example:    "  sayso keys rotate --dir ./vault",
		SuggestFor: []string{"key", "rotate"},
	},
		newKeysRotate(),
	)
}

func newKeysRotate() *cobra.Command {
	var dir, passphraseFile string
	var what vault.Rotation
	cmd := &cobra.Command{
		Use:   "rotate --dir D",
		Short: "Rotate the key that wraps all others, and the key of the blind index",
		Long: `rotate puts a fresh key in the place of the one that wraps everybody's keys (KEK)
and of the one by which identifiers are found (blind index), by default of both.
Everything is moved to the new keys while the vault goes on; then the old ones
are dropped, and what lay under them is cleared from the files. It asks the
process that serves the folder; if none does, it opens the folder itself.

Interrupted by Ctrl-C or a crash, it leaves a vault that works; the same command
goes on where it stopped.

Afterwards the keyring is another file: copies of it from before open nothing of
today's keys.db, and old copies of keys.db are opened by them alone. Keep a new
copy of the keyring, apart from the folder, and destroy the old ones.`,
		Example: `  sayso keys rotate --dir ./vault
  sayso keys rotate --kek --dir ./vault -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := newBar(cmd)
			show := b.show
			if forMachines(cmd) {
				show = linesOf(cmd)
			}
			var report *vault.RotationReport
			err := askLog(cmd, dir, passphraseFile, func(s *socket) (err error) {
				report, err = s.rotate(cmd.Context(), what, show)
				return err
			}, func(root keys.Root) (err error) {
				report, err = rotateFolder(cmd.Context(), dir, root, what, show)
				return err
			})
			b.end()
			if errors.Is(err, context.Canceled) {
				fmt.Fprintln(cmd.ErrOrStderr(), "The vault works as it is; the same command goes on from here.")
			}
			if err != nil {
				return err
			}
			return answer(cmd, report, func(w io.Writer) error {
				begun := ""
				if report.Continued {
					begun = " It finished a rotation that was begun before."
				}
				_, err := fmt.Fprintf(w, `Rotated: the KEK is of epoch %d, the blind index of epoch %d; keys wrapped anew: %d, rows of the index made: %d.%s

The keyring in %s is a new file. Keep a copy of it, apart from the folder, and
destroy the copies from before: they open nothing that was written since, and
old copies of keys.db are opened by them alone.
`, report.KEKEpoch, report.IndexEpoch, report.Keys, report.Rows, begun, dir)
				return err
			})
		},
	}
	folderFlags(cmd, &dir, &passphraseFile)
	cmd.Flags().BoolVar(&what.KEK, "kek", false, "rotate the key that wraps everybody's keys")
	cmd.Flags().BoolVar(&what.Index, "index", false, "rotate the key of the blind index")
	return cmd
}

// rotateFolder rotates the keys of a vault that nobody serves.
func rotateFolder(ctx context.Context, dir string, root keys.Root, what vault.Rotation, progress func(stage string, done, of uint64)) (report *vault.RotationReport, err error) {
	f, err := openFolder(ctx, dir, root, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.vault.RotateKeys(ctx, what, progress)
}

// linesOf shows progress as lines of JSON, a few a second. They go to stderr, so
// that what stands on stdout is the answer and nothing else.
func linesOf(cmd *cobra.Command) func(stage string, done, of uint64) {
	return seldom(func(stage string, done, of uint64) {
		_ = writeLine(cmd.ErrOrStderr(), struct {
			Stage string `json:"stage"`
			Done  uint64 `json:"done"`
			Of    uint64 `json:"of"`
		}{stage, done, of})
	})
}

// seldom passes progress on ten times a second, and the end of each stage.
func seldom(show func(stage string, done, of uint64)) func(stage string, done, of uint64) {
	var last time.Time
	return func(stage string, done, of uint64) {
		if done < of && time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		show(stage, done, of)
	}
}

// saveKeyring puts a keyring in the place of the one in a folder, durably: after
// a crash one of the two is there, whole.
func saveKeyring(dir string, root keys.Root) func(*keys.Keyring) error {
	return func(k *keys.Keyring) error {
		sealed, err := k.Seal(root)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, fileKeyring)
		fresh := path + ".new"
		if err := removeIfThere(fresh); err != nil {
			return err
		}
		if err := writeFile(fresh, sealed); err != nil {
			return err
		}
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
		return syncFolder(dir)
	}
}
