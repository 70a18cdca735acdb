package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newReport() *cobra.Command {
	return group(&cobra.Command{
		Use:   "report",
		Short: "Reports: processing activities, a breach, consents, denials, gaps, data nobody reads",
		Example: `  sayso report activities > activities.csv
  sayso report unread --from 2026-01-01
  sayso report breach web --from 2026-04-01 --to 2026-04-09`,
	},
		newReportActivities(),
		newReportBreach(),
		newReportOver(client.ReportConsents, "How consent to each purpose went, day by day or month by month", `consents writes a table with a row a day, or a month of a longer time, and a
purpose: how many gave, refused, withdrew, objected or opted out, and of how many
people consent stood at its end. People who were erased since are in none of it.`),
		newReportOver(client.ReportDenials, "Why channels were not told what they asked for", `denials writes a table with a row a channel, purpose and code: how many decisions
withheld a field for that reason, how many fields, and the latest of them.`),
		newReportOver(client.ReportGaps, "What channels asked for that the register does not map", `gaps writes a table of what channels asked for in vain whatever anybody says: fields
that the purpose does not list, purposes that the channel does not hold. closed
says that the register in force maps it.`),
		newReportOver(client.ReportUnread, "Which data is kept and never shown", `unread writes a table with a row a field: of how many people there is a value now,
and how often it was shown in that time. What nobody is shown need not be kept.`),
	)
}

// newReportOver makes the command of a report over a time.
func newReportOver(name, short, long string) *cobra.Command {
	var p period
	cmd := &cobra.Command{
		Use:     name,
		Short:   short,
		Long:    long + " With -o\njson it tells the same for machines.",
		Example: "  sayso report " + name + " --from 2026-03-01 > " + name + ".csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := p.request()
			if err != nil {
				return err
			}
			c, err := remote()
			if err != nil {
				return err
			}
			format := wire.FormatCSV
			if forMachines(cmd) {
				format = ""
			}
			out, err := c.Report(cmd.Context(), name, format, in.From, in.To)
			if err != nil {
				return err
			}
			if forMachines(cmd) {
				out = append(out, '\n')
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
	p.flags(cmd)
	return cmd
}

func newReportActivities() *cobra.Command {
	return &cobra.Command{
		Use:   "activities",
		Short: "The record of processing activities (Art. 30 GDPR), from the register in force",
		Long: `activities writes a table with a row a purpose: its legal basis, fields and their
categories, recipients, channels and retention. With -o json it tells more: who
captures and reads each field, the controller, what keeps the data safe.`,
		Example: "  sayso report activities > activities.csv\n  sayso report activities -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			format := wire.FormatCSV
			if forMachines(cmd) {
				format = ""
			}
			out, err := c.ProcessingActivities(cmd.Context(), format)
			if err != nil {
				return err
			}
			if forMachines(cmd) {
				out = append(out, '\n')
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
}

func newReportBreach() *cobra.Command {
	var from, to string
	var people bool
	var o client.BreachOptions
	cmd := &cobra.Command{
		Use:   "breach CHANNEL",
		Short: "What a channel was shown and did in a period, if its secret was in wrong hands",
		Long: `breach says what a notification tells the authority (Art. 33 GDPR): of how many
people a channel was shown what, and how much it wrote. With --people it writes a
table of those people, by subject ID, whom the controller may have to tell (Art.
34). It holds no value. That it was asked for is recorded, with the reason if you
give one.

Suspend the channel first: sayso channel suspend CHANNEL.`,
		Example: `  sayso report breach web --from 2026-04-01 --to 2026-04-09 --reason "a stolen laptop"
  sayso report breach web --from 2026-04-01 --people > people.csv`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(channels()),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.From, err = moment("from", from); err != nil {
				return err
			}
			if o.To, err = moment("to", to); err != nil {
				return err
			}
			if people && forMachines(cmd) {
				return misuse("--people is a table, and -o json asks for none")
			}
			c, err := remote()
			if err != nil {
				return err
			}
			if people {
				w := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
				return errors.Join(c.BreachPeople(cmd.Context(), privacy.ChannelID(args[0]), &o, w), w.Flush())
			}
			out, err := c.Breach(cmd.Context(), privacy.ChannelID(args[0]), &o)
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error { return showBreach(w, out) })
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "what happened from this day or time on, such as 2026-01-01 or 2026-01-01T12:00:00Z")
	cmd.Flags().StringVar(&to, "to", "", "what happened before this day or time")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why, as it is recorded; name nobody")
	cmd.Flags().BoolVar(&people, "people", false, "write a table of the people of whom something was shown")
	return cmd
}

func showBreach(w io.Writer, b *client.Breach) error {
	fmt.Fprintf(w, "%s asked %d times, and was shown something of %d people by %d answers.\n", b.Channel, b.Asked, b.People, b.Answered)
	if b.First != nil && b.Last != nil {
		fmt.Fprintf(w, "The first was on %s, the last on %s (UTC).\n", b.First.UTC().Format(time.DateTime), b.Last.UTC().Format(time.DateTime))
	}
	if b.Special {
		fmt.Fprintln(w, "Special categories of data were among it (Art. 9 GDPR).")
	}
	fmt.Fprintf(w, "It wrote %d captures, %d consents and %d grounds, about %d people.\n", b.Wrote.Captures, b.Wrote.Consents, b.Wrote.Grounds, b.Wrote.People)
	if b.Erased > 0 {
		fmt.Fprintf(w, "%d entries of that time are about people who were erased since: nobody can say whose they were.\n", b.Erased)
	}
	if len(b.Fields) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PURPOSE\tFIELD\tCATEGORY\tPEOPLE\tWHOLE\tMASKED")
	for _, f := range b.Fields {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\n", f.Purpose, f.Field, f.Category, f.People, f.Released, f.Masked)
	}
	return t.Flush()
}
