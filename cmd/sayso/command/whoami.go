package command

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
)

func newWhoami() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "What this client may do, and what is left of its limits",
		Long: `whoami says who the credentials in the environment are: of a channel the purposes
it may read for, each with its fields, what it may capture, which consents it may
obtain, and what is left of its limits.`,
		Example: "  sayso whoami\n  sayso whoami -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			who, err := c.Whoami(cmd.Context())
			if err != nil {
				return err
			}
			return answer(cmd, who, func(w io.Writer) error { return showWhoami(w, who) })
		},
	}
}

func showWhoami(w io.Writer, who *wire.Whoami) error {
	if who.Channel == "" {
		_, err := fmt.Fprintf(w, "%s, an %s\n", who.Client, who.Role)
		return err
	}
	fmt.Fprintf(w, "%s, a channel of kind %s\n", who.Channel, who.Kind)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range who.Purposes {
		fmt.Fprintf(t, "  reads for\t%s\t%s\n", p, join(who.Fields[p]))
	}
	if len(who.Captures) > 0 {
		fmt.Fprintf(t, "  captures\t%s\n", join(who.Captures))
	}
	for _, p := range who.Obtains {
		fmt.Fprintf(t, "  obtains\t%s\n", p)
	}
	for _, l := range slices.SortedFunc(slices.Values(who.Limits), func(a, b wire.Limit) int { return a.Resets.Compare(b.Resets) }) {
		fmt.Fprintf(t, "  limit\t%s\t%d of %d left until %s\n", l.Name, l.Left, l.Limit, l.Resets.UTC().Format(time.RFC3339))
	}
	return t.Flush()
}
