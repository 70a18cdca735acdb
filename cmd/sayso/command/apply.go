package command

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

func newApply() *cobra.Command {
	var o client.ApplyOptions
	cmd := &cobra.Command{
		Use:        "apply FILE",
		Short:      "Apply a register",
		SuggestFor: []string{"register"},
		Long: `apply puts a register in force: fields, purposes, channels and matrix. It shows
what changes; a register that changes nothing makes no new revision. One that
has problems is refused whole, with the line and the key of each.

Where there are two officers, a register that can let more out than the one in
force waits for the other one, whole: sayso register approve. Each line that can
says why.

The credentials of new channels are printed once; of one that was approved by
another officer, sayso channel secret makes them.`,
		Example: `  sayso apply register.yaml
  sayso apply register.yaml --dry-run
  sayso apply register.yaml -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(files("yaml", "yml", "json")),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			text, err := readInput(cmd, args[0], "the register")
			if err != nil {
				return err
			}
			applied, err := c.Apply(cmd.Context(), text, &o)
			if err != nil {
				return inFile(err, args[0])
			}
			for i, w := range applied.Warnings {
				if rest, ok := strings.CutPrefix(w, "register.yaml:"); ok { // as the vault calls it
					applied.Warnings[i] = args[0] + ":" + rest
				}
				if !forMachines(cmd) {
					fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", applied.Warnings[i])
				}
			}
			return answer(cmd, applied, func(w io.Writer) error { return showApplied(w, applied, o.DryRun) })
		},
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only show what would change")
	cmd.Flags().Uint64Var(&o.IfRevision, "if-revision", 0, "refuse if another revision than this is in force")
	return cmd
}

// inFile lets the problems of a file name it as it was given.
func inFile(err error, file string) error {
	var refused *client.Error
	if errors.As(err, &refused) {
		for i := range refused.Problems {
			refused.Problems[i].File = file
		}
	}
	return err
}

var signs = map[string]string{"added": "+", "removed": "-", "changed": "~"}

func showApplied(w io.Writer, a *wire.Applied, dryRun bool) error {
	switch {
	case a.Status == vault.StatusRejected:
		fmt.Fprintf(w, "Register revision %d is rejected.\n", a.Revision)
	case len(a.Changes) == 0:
		fmt.Fprintf(w, "Nothing changes: revision %d is in force.\n", a.Revision)
	case dryRun && a.Status == vault.StatusPending:
		fmt.Fprintln(w, "This would wait for another officer, because it can let more out:")
	case dryRun:
		fmt.Fprintln(w, "This would change:")
	case a.Status == vault.StatusPending:
		fmt.Fprintf(w, "Register revision %d is pending: it can let more out, so another officer approves it\nwith `sayso register approve %d`. Until then nothing changes:\n", a.Revision, a.Revision)
	default:
		fmt.Fprintf(w, "Register revision %d is in force:\n", a.Revision)
	}
	for _, c := range a.Changes {
		fmt.Fprintln(w, changeLine(c))
	}
	if len(a.Channels) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nCredentials of new channels, shown this once:")
	return showCredentials(w, a.Channels...)
}

// changeLine is a line of a diff. What can let more out says why.
func changeLine(c wire.Change) string {
	line := "  " + signs[c.Op] + " " + c.Path
	switch {
	case c.From != "" && c.To != "":
		line += ": " + oneLine(c.From) + " → " + oneLine(c.To)
	case c.From != "" || c.To != "":
		line += ": " + oneLine(c.From+c.To)
	}
	if c.Widens {
		line += "\n      lets more out: " + c.Why
	}
	return line
}

func showCredentials(w io.Writer, all ...wire.Credentials) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  CHANNEL\tCLIENT ID\tCLIENT SECRET")
	for _, c := range all {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", c.ID, c.ClientID, c.ClientSecret)
	}
	return t.Flush()
}

// baseNames gives each file the name it goes by in the vault, which has no use
// for folders of this machine.
func baseNames(files []string) (map[string]string, error) {
	byName := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		if other, ok := byName[name]; ok {
			return nil, misuse("%s and %s have the same name", other, file)
		}
		byName[name] = file
	}
	return byName, nil
}
