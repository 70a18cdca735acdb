package command

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func (o *me) sessions() *cobra.Command {
	var end string
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "Where you are logged in, and end that",
		Long: `sessions lists your sessions. --end ends one by its ID, this one ("this"), or all but
this one ("others"), at once.`,
		Example: `  sayso me sessions
  sayso me sessions --end others
  sayso me sessions --end this`,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"devices", "logout"},
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			all, err := p.Sessions(cmd.Context())
			if err != nil {
				return err
			}
			if end == "" {
				return tellPerson(cmd, &wire.SessionList{Sessions: all}, func(w *bytes.Buffer) {
					t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					for _, s := range all {
						fmt.Fprintf(t, "%s\t%s\tuntil %s\t%s\n", s.Session, sessionInWords(&s), minute(s.ExpiresAt), map[bool]string{true: "this one"}[s.Current])
					}
					_ = t.Flush() // a buffer takes all
				})
			}
			ends, err := chosen(all, end)
			if err != nil {
				return err
			}
			out := struct {
				Ended []privacy.SessionID `json:"ended"`
			}{[]privacy.SessionID{}}
			for _, id := range ends {
				if err := p.EndSession(cmd.Context(), id); err != nil {
					return err
				}
				out.Ended = append(out.Ended, id)
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) { fmt.Fprintf(w, "Ended: %s.\n", count(len(ends), "session")) })
		}),
	}
	cmd.Flags().StringVar(&end, "end", "", "end a session: ses_…, this or others")
	completes(cmd, map[string]completer{"end": among("this", "others")})
	return cmd
}

// chosen are the sessions that a word names.
func chosen(all []wire.Session, word string) (ids []privacy.SessionID, err error) {
	if word != "this" && word != "others" {
		id, err := privacy.ParseSessionID(word)
		if err != nil {
			return nil, misuse(`--end is a session, "ses_…", or this or others`)
		}
		return []privacy.SessionID{id}, nil
	}
	for _, s := range all {
		if s.Current == (word == "this") {
			ids = append(ids, s.Session)
		}
	}
	return ids, nil
}

func sessionInWords(s *wire.Session) string {
	words := neutral(s.How)
	switch {
	case s.How == "link":
		words = "through a link of " + string(s.Channel)
	case s.Channel != "":
		words = "opened by " + string(s.Channel)
	case s.How == "code":
		words = "logged in with a code"
	case s.How == "openid":
		words = "logged in with a customer account"
	}
	return strings.Join(append([]string{words}, actedFor(s.By)...), ", ")
}
