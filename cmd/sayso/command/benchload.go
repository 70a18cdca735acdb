package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
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
fast that went and what a person takes on disk, by part.`,
		Example: `  sayso bench load --dir ./crowd --subjects 100000`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" || subjects < 1 {
				return misuse("--dir and at least one of --subjects are needed")
			}
			root, err := rootKey(cmd, passphraseFile, true)
			if err != nil {
				return err
			}
			filled, err := fillFolder(cmd.Context(), dir, root, subjects, func(done int, perSecond float64) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d people, %.0f a second\n", done, perSecond)
			})
			if err != nil {
				return err
			}
			out := struct {
				Officer demoClient `json:"officer"`
				Channel demoClient `json:"channel"`
				importCost
			}{
				demoClient{ClientID: filled.officer.ClientID, ClientSecret: filled.officer.ClientSecret},
				demoClient{ClientID: filled.channel.ClientID, ClientSecret: filled.channel.ClientSecret}, filled.cost,
			}
			return answer(cmd, out, func(w io.Writer) error {
				fmt.Fprintf(w, "officer %s / %s\nchannel %s / %s\n\n", out.Officer.ClientID, out.Officer.ClientSecret, out.Channel.ClientID, out.Channel.ClientSecret)
				return filled.cost.tell(w)
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the vault")
	cmd.Flags().IntVar(&subjects, "subjects", 10_000, "how many people")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file that holds the passphrase (default: SAYSO_PASSPHRASE, else asked for)")
	return cmd
}
