package command

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newConsent() *cobra.Command {
	var method, notice, language, jurisdiction, at, by, evidence string
	cmd := &cobra.Command{
		Use:   "consent STATUS PURPOSE [SUBJECT] --method M",
		Short: "Record a yes or a no of a person",
		Long: `consent records what a person said about a purpose: given, refused, withdrawn,
objected or opted_out. The person is given by ID, or by one identifier on stdin.
A no holds from the moment this command ends with 0.

The receipt is signed; anyone can check it.`,
		Example: `  sayso consent given sms-marketing sub_01kz3v9m2c8x5w7e4r6t1y0p2a --method paper_form
  echo '{"phone_number": "+49 30 901820"}' | sayso consent withdrawn sms-marketing --method sms_stop`,
		Args:              cobra.RangeArgs(2, 3),
		ValidArgsFunction: arguments(among(privacy.ConsentStatuses...), purposesAsked()),
		SuggestFor:        []string{"withdraw", "give", "grant", "refuse", "object", "revoke"},
		RunE: func(cmd *cobra.Command, args []string) error {
			in := wire.ConsentRequest{Consent: wire.Consent{
				Status: privacy.ConsentStatus(args[0]), Purpose: privacy.PurposeID(args[1]), Method: method,
				NoticeVersion: notice, Language: language, Jurisdiction: jurisdiction,
			}}
			if !slices.Contains(privacy.ConsentStatuses, in.Status) {
				return misuse("the status is one of %s%s", join(privacy.ConsentStatuses), slip(args[0], privacy.ConsentStatuses))
			}
			if method == "" {
				return misuse("--method is missing: how did the person say so?")
			}
			if at != "" {
				when, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return misuse("--at is a time such as 2026-03-01T12:00:00Z")
				}
				in.At = &when
			}
			if by != "" {
				in.By = &wire.Actor{Role: privacy.Role(by)}
			}
			c, err := remote()
			if err != nil {
				return err
			}
			if evidence != "" {
				if err := readJSON(cmd, evidence, "the evidence", &in.Evidence); err != nil {
					return err
				}
			}
			if in.Subject, err = readSubject(cmd, args[2:]); err != nil {
				return err
			}
			out, err := c.RecordConsent(cmd.Context(), &in)
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error {
				fmt.Fprintf(w, "%s for %s: %s\n", out.Status, in.Purpose, out.Consent)
				if !out.Effective {
					fmt.Fprintln(w, "  recorded, but without effect: a later no outweighs it")
				}
				_, err := fmt.Fprintf(w, "  receipt %s\n", out.Receipt)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&method, "method", "", "how the person said so, such as web_form or paper_form")
	flags.StringVar(&notice, "notice-version", "", "version of the notice that was shown (default: the current one)")
	flags.StringVar(&language, "language", "", "language it was shown in")
	flags.StringVar(&jurisdiction, "jurisdiction", "", "where the person was, such as DE or US-CA")
	flags.StringVar(&at, "at", "", "when the person said so (default: now)")
	flags.StringVar(&by, "by", "", "who said so: subject, guardian or agent (default: subject)")
	flags.StringVar(&evidence, "evidence", "", "file of a JSON object that shows it")
	completes(cmd, map[string]completer{"by": among(privacy.BySubject, privacy.ByGuardian, privacy.ByAgent)})
	return cmd
}
