package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
)

func newLog() *cobra.Command {
	return group(&cobra.Command{
		Use:   "log",
		Short: "The log of every decision and act: verify it, prove what stands in it",
		Example: `  sayso log verify --dir ./vault
  sayso log prove --dir ./vault dec_01kz3v9m2c8x5w7e4r6t1y0p2a`,
		SuggestFor: []string{"verify", "prove"},
	},
		newLogVerify(),
		newLogProve(),
	)
}

// askLog asks whoever serves the folder, or does the work on its files itself if
// nobody does.
func askLog(cmd *cobra.Command, dir, passphraseFile string, ask func(*socket) error, itself func(keys.Root) error) error {
	if dir == "" {
		return misuse("--dir is missing: where does the vault lie?")
	}
	s, err := dialSocket(cmd.Context(), dir)
	switch {
	case errors.Is(err, errNotServed):
		if err := whole(dir); err != nil {
			return err
		}
		root, err := rootKey(cmd, passphraseFile, false)
		if err != nil {
			return err
		}
		return itself(root)
	case err != nil:
		return err
	}
	return errors.Join(ask(s), s.Close())
}

func newLogVerify() *cobra.Command {
	var dir, passphraseFile string
	cmd := &cobra.Command{
		Use:   "verify --dir D",
		Short: "Walk the whole log and name the first thing that is not as it was written",
		Long: `verify walks every record of the log and holds it against the tree, the signed
checkpoints, the ledger, and every person's standing. It asks the process that
serves the folder; if none does, it opens the folder itself.`,
		Example: "  sayso log verify --dir ./vault",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := newBar(cmd)
			var report *vault.LogReport
			err := askLog(cmd, dir, passphraseFile, func(s *socket) (err error) {
				report, err = s.verify(cmd.Context(), b.show)
				return err
			}, func(root keys.Root) (err error) {
				report, err = verifyFolder(cmd.Context(), dir, root, b.show)
				return err
			})
			b.end()
			var bad *badLog
			if errors.As(err, &bad) {
				return showBadLog(cmd, bad)
			}
			if err != nil {
				return err
			}
			return answer(cmd, verified{OK: true, LogReport: report}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "The log is whole: %d records, %d of them opened and %d erased, the trails of %d people and the standings of %d as they were written.\n",
					report.Entries, report.Opened, report.Erased, report.Trails, report.Standings)
				return err
			})
		},
	}
	folderFlags(cmd, &dir, &passphraseFile)
	return cmd
}

func folderFlags(cmd *cobra.Command, dir, passphraseFile *string) {
	cmd.Flags().StringVar(dir, "dir", "", "folder of the vault")
	cmd.Flags().StringVar(passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else asked for)")
}

// verified is what a verification tells machines.
type verified struct {
	OK       bool    `json:"ok"`
	BadIndex *uint64 `json:"bad_index,omitempty"`
	Why      string  `json:"why,omitempty"`
	*vault.LogReport
}

// badLog is what a verification found.
type badLog struct {
	index *uint64 // the first entry that is not what was written, if it is one
	why   string
}

func (e *badLog) Error() string { return "the log is not as it was written: " + e.why }

// asBadLog tells what a verification found from what kept it from looking.
func asBadLog(err error) error {
	var bad *vault.BadIndexError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, store.ErrClosed):
		return err
	case errors.As(err, &bad):
		return &badLog{&bad.Index, err.Error()}
	}
	return &badLog{nil, err.Error()}
}

func showBadLog(cmd *cobra.Command, bad *badLog) error {
	if forMachines(cmd) {
		if err := answer(cmd, verified{BadIndex: bad.index, Why: bad.why}, nil); err != nil {
			return err
		}
	}
	return &answeredError{bad}
}
