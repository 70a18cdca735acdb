package command

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/vault"
)

// newBenchLoad fills a vault that stays.
func newBenchLoad() *cobra.Command {
	var dir, passphraseFile string
	var subjects int
	cmd := &cobra.Command{
		Use:   "load --dir D",
		Short: "Make a vault full of invented people",
		Long: `load makes a vault in a folder of its own, as init does, and fills it with
invented people: eight fields each, five purposes, mixed consents. It tells how
fast that went and what a person takes on disk, by part.

Interrupted, it leaves a whole vault with those who are in by then.`,
		Example: `  sayso bench load --dir ./crowd --subjects 100000`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" || subjects < 1 {
				return misuse("--dir and at least one of --subjects are needed")
			}
			collectLater()
			root, err := rootKey(cmd, passphraseFile, true)
			if err != nil {
				return err
			}
			filled, err := fillFolder(cmd.Context(), dir, root, subjects, loadWatch(cmd, subjects))
			interrupted := err != nil && filled != nil && errors.Is(err, cmd.Context().Err())
			if err != nil && !interrupted {
				return err
			}
			out := struct {
				Officer demoClient `json:"officer"`
				Channel demoClient `json:"channel"`
				importCost
			}{clientOf(filled.officer), clientOf(filled.channel), filled.cost}
			tell := filled.cost.tell
			if interrupted {
				tell = func(io.Writer) error { return nil }
			}
			if err := answer(cmd, out, tell); err != nil || !interrupted {
				return err
			}
			return fmt.Errorf("interrupted: %d of %d people are in %s, and the vault is whole; for more begin again in another folder", filled.cost.Subjects, subjects, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the vault")
	cmd.Flags().IntVar(&subjects, "subjects", 10_000, "how many people")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else asked for)")
	return cmd
}

// loadWatch shows people the credentials at once, since an interrupted vault has
// them too, and about once a second how far it is.
func loadWatch(cmd *cobra.Command, subjects int) (w fillWatch) {
	if !forMachines(cmd) {
		w.made = func(f *filledVault) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "officer %s / %s\nchannel %s / %s\n\n", f.officer.ClientID, f.officer.ClientSecret, f.channel.ClientID, f.channel.ClientSecret)
			return err
		}
	}
	began, said := time.Now(), time.Time{}
	w.progress = func(done int, perSecond float64) {
		if now := time.Now(); now.Sub(said) >= time.Second || done == subjects {
			said = now
			left := time.Duration(float64(now.Sub(began)) / float64(done) * float64(subjects-done))
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d people, %.0f a second, %s to go\n", done, subjects, perSecond, left.Round(time.Second))
		}
	}
	return w
}

func clientOf(c vault.Credentials) demoClient {
	return demoClient{ClientID: c.ClientID, ClientSecret: c.ClientSecret}
}
