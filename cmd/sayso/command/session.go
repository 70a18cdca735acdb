package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
)

func newSession() *cobra.Command {
	var by actorFlags
	cmd := &cobra.Command{
		Use:   "session [SUBJECT]",
		Short: "Open a session of a person: a one-time link for them, a token for the channel",
		Long: `session opens a session of a person whom this channel has before it, if the register
gives it sessions. The link is for the person: it opens the privacy centre, or a
session of "sayso me enter", once and within a minute. The token is the channel's own.
The person is given by ID, or by one identifier on stdin; whether they are known is
not told. That it was opened is an access record, which they see, with who acts in it
for them (--by).`,
		Example: `  sayso session sub_01kz3v9m2c8x5w7e4r6t1y0p2a
  echo '{"email": "ana@example.org"}' | sayso session -o json`,
		Args:       cobra.MaximumNArgs(1),
		SuggestFor: []string{"link", "subject-session"},
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			c, err := remote()
			if err != nil {
				return err
			}
			in := wire.SessionRequest{By: who}
			if in.Subject, err = readSubject(cmd, args); err != nil {
				return err
			}
			out, err := c.OpenSession(cmd.Context(), &in)
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "For the person, once and within a minute:\n  %s\nFor this channel, until %s:\n  %s\n", out.URL, minute(out.ExpiresAt), out.Token)
				return err
			})
		},
	}
	by.add(cmd)
	return cmd
}
