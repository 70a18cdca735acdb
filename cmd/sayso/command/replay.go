package command

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newPolicyReplay() *cobra.Command {
	var note, from, to string
	cmd := &cobra.Command{
		Use:   "replay FILE… | POLICY",
		Short: "Say what rules would have changed in what really happened",
		Long: `replay decides every recorded read again under a set of rules, with the facts of
its moment: what people had said, which register was in force, what was asked. It
says how many decisions change, of how many people, and how. Nothing is put in
force, no value is opened, and reads do not wait for it. Files are kept as a draft
first.

Decisions about people who were erased since cannot be made again: they are
counted, not guessed. Ctrl-C ends it.`,
		Example: `  sayso policy replay rules.rego
  sayso policy replay pol_0a1b2c3d4e5f6g7h8j9k0m1n2p --from 2026-03-01 --to 2026-04-01 -o json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: rules,
		RunE: func(cmd *cobra.Command, args []string) error {
			var in wire.ReplayRequest
			var err error
			if in.From, err = moment("from", from); err != nil {
				return err
			}
			if in.To, err = moment("to", to); err != nil {
				return err
			}
			c, err := remote()
			if err != nil {
				return err
			}
			id, err := keptPolicy(cmd, c, args, note)
			if err != nil {
				return err
			}
			line := newBar(cmd)
			out, err := c.ReplayPolicy(cmd.Context(), id, &in, func(done, of uint64) { line.show("decisions", done, of) })
			line.end()
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error { return showReplay(w, out) })
		},
	}
	noteFlag(cmd, &note)
	cmd.Flags().StringVar(&from, "from", "", "first moment, as 2026-03-01 or 2026-03-01T12:00:00Z (default: the first decision)")
	cmd.Flags().StringVar(&to, "to", "", "moment to end before (default: now)")
	completes(cmd, map[string]completer{"note": nothing, "from": nothing, "to": nothing})
	return cmd
}

func showReplay(w io.Writer, r *wire.Replay) error {
	fmt.Fprintf(w, "Of %d decisions %d change, of %d people: of %d somebody would see less, of %d more.\n", r.Decisions, r.Changed, r.People, r.Losing, r.Gaining)
	if r.Failed > 0 {
		fmt.Fprintf(w, "In %d the rules give no decision: those reads would be denied.\n", r.Failed)
	}
	if r.NotReplayable > 0 {
		fmt.Fprintf(w, "%d more cannot be decided again: of people who were erased, or without the facts.\n", r.NotReplayable)
	}
	if len(r.By) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHANNEL\tPURPOSE\tFIELD\tFROM\tTO\tPEOPLE\tDECISIONS\tEXAMPLE")
	for _, row := range r.By {
		example := ""
		if len(row.Examples) > 0 {
			example = row.Examples[0].String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", row.Channel, row.Purpose, row.Field, masked(row.From, row.FromMask), masked(row.To, row.ToMask), row.People, row.Decisions, example)
	}
	return t.Flush()
}

// masked says what is done to a field, with which mask if it is one.
func masked(action string, mask privacy.Mask) string {
	if mask == "" {
		return action
	}
	return action + " " + string(mask)
}
