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
	var note string
	var p period
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
			in, err := p.request()
			if err != nil {
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
			return replays(cmd, func(progress func(done, of uint64)) (*wire.Replay, error) {
				return c.ReplayPolicy(cmd.Context(), id, in, progress)
			})
		},
	}
	noteFlag(cmd, &note)
	p.flags(cmd)
	completes(cmd, map[string]completer{"note": nothing})
	return cmd
}

// period is what a replay is of.
type period struct{ from, to string }

func (p *period) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.from, "from", "", "first moment, as 2026-03-01 or 2026-03-01T12:00:00Z (default: the first decision)")
	cmd.Flags().StringVar(&p.to, "to", "", "moment to end before (default: now)")
	completes(cmd, map[string]completer{"from": nothing, "to": nothing})
}

func (p *period) request() (*wire.ReplayRequest, error) {
	from, err := moment("from", p.from)
	if err != nil {
		return nil, err
	}
	to, err := moment("to", p.to)
	return &wire.ReplayRequest{From: from, To: to}, err
}

// replays shows how far a replay is, and what it came to.
func replays(cmd *cobra.Command, run func(progress func(done, of uint64)) (*wire.Replay, error)) error {
	line := newBar(cmd)
	out, err := run(func(done, of uint64) { line.show("decisions", done, of) })
	line.end()
	if err != nil {
		return err
	}
	return answer(cmd, out, func(w io.Writer) error { return showReplay(w, out) })
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
