package command

import (
	"bufio"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

func newExport() *cobra.Command {
	return group(&cobra.Command{
		Use:   "export",
		Short: "Take the register, consents or decisions out for an audit, without values",
		Example: `  sayso export register > register.ndjson
  sayso export consents --from 2026-01-01 --to 2026-04-01 --format csv > consents.csv`,
	},
		newExportOf(client.ExportRegister, "Every revision of the register that was in force", `export register writes what each revision of the register declares, a line a
thing: controller, fields, context, purposes with their notices, channels and
matrix. With --from and --to it takes the revisions in force in that time.`),
		newExportOf(client.ExportConsents, "Every act of say-so: who, when, for what, under which notice", `export consents writes every consent, refusal, withdrawal, objection and opt-out
in the order of the log: subject ID, purpose, status, times, notice version and
hash, method and channel. Evidence and references stay in the vault.`),
		newExportOf(client.ExportDecisions, "Every decision: who asked about whom, and what came of it", `export decisions writes every read, look-up and export in the order of the log:
decision ID, channel or officer, subject ID, purpose, and by name which fields
were released, masked and withheld, with their codes.`),
	)
}

func newExportOf(what, short, long string) *cobra.Command {
	var from, to, format, reason string
	cmd := &cobra.Command{
		Use:   what,
		Short: short,
		Long: long + `

It holds no value and no identifier. Its last line shows that none is missing:
{"end":true,…}, or a row that begins with "end". The export itself is recorded
in the log, with the reason if you give one; what was recorded before is in it.`,
		Example: "  sayso export " + what + ` --reason "yearly audit" > ` + what + `.ndjson
  sayso export ` + what + " --from 2026-01-01 --to 2026-04-01 --format csv > " + what + ".csv",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := client.ExportOptions{Format: format, Reason: reason}
			var err error
			if o.From, err = moment("from", from); err != nil {
				return err
			}
			if o.To, err = moment("to", to); err != nil {
				return err
			}
			if format != wire.FormatNDJSON && format != wire.FormatCSV {
				return misuse("--format is %s or %s", wire.FormatNDJSON, wire.FormatCSV)
			}
			if format == wire.FormatCSV && forMachines(cmd) {
				return misuse("--format csv and -o json contradict each other")
			}
			c, err := remote()
			if err != nil {
				return err
			}
			w := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
			return errors.Join(c.Export(cmd.Context(), what, &o, w), w.Flush())
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "what was recorded from this day or time on, such as 2026-01-01 or 2026-01-01T12:00:00Z")
	cmd.Flags().StringVar(&to, "to", "", "what was recorded before this day or time")
	cmd.Flags().StringVar(&format, "format", wire.FormatNDJSON, "ndjson or csv")
	cmd.Flags().StringVar(&reason, "reason", "", "why, as it is recorded; name nobody")
	completes(cmd, map[string]completer{"format": among(wire.FormatNDJSON, wire.FormatCSV)})
	return cmd
}

// moment reads a flag that is a time, or the beginning of a day in UTC.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, misuse("--%s %s is no day or time, such as 2026-01-01 or 2026-01-01T12:00:00Z", flag, text)
}
