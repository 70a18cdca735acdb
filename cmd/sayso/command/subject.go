package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
)

func newSubject() *cobra.Command {
	return group(&cobra.Command{
		Use:        "subject",
		Short:      "What officers do for a person",
		Example:    `  echo '{"email": "ana@example.org"}' | sayso subject lookup --reason "She called about her order"`,
		SuggestFor: []string{"lookup", "find", "person"},
	}, newSubjectLookup(), newSubjectExport(), newSubjectErase(), newSubjectHold(), newSubjectRestrict(), newSubjectRequest())
}

func newSubjectLookup() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "lookup --reason R",
		Short: "Find who holds an identifier",
		Long: `lookup finds a person by one identifier, which comes on stdin. It shows no value.
The person sees that it was done, and the reason.`,
		Example: `  echo '{"email": "ana@example.org"}' | sayso subject lookup --reason "She called about her order"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" {
				return misuse("--reason is missing: the person will see why")
			}
			c, err := remote()
			if err != nil {
				return err
			}
			who, err := readSubject(cmd, nil)
			if err != nil {
				return err
			}
			if who.Field == "" {
				return misuse(`an identifier is expected on stdin, such as {"email": "ana@example.org"}`)
			}
			out, err := c.Lookup(cmd.Context(), &wire.LookupRequest{Field: who.Field, Value: who.Value, Reason: reason})
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, out.Subject)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why the person is looked up; the person sees it")
	return cmd
}
