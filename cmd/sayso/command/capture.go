package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newCapture() *cobra.Command {
	return &cobra.Command{
		Use:   "capture [FILE]",
		Short: "Store what a person told, all of it or nothing",
		Long: `capture stores what a person told this channel. The values come from a file or
on stdin, as the JSON of POST /v1/captures.`,
		Example: `  sayso capture ana.json
  echo '{"fields": {"given_name": "Ana", "email": "ana@example.org"}}' | sayso capture`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: arguments(files("json")),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			var in wire.CaptureRequest
			if err := readJSON(cmd, first(args), "what the person told", &in); err != nil {
				return err
			}
			out, err := c.Capture(cmd.Context(), &in)
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error {
				fmt.Fprintln(w, out.Subject)
				for _, list := range []struct {
					what   string
					fields []privacy.FieldName
				}{{"accepted", out.Accepted}, {"unchanged", out.Unchanged}, {"superseded", out.Superseded}} {
					if len(list.fields) > 0 {
						fmt.Fprintf(w, "  %-10s %s\n", list.what, join(list.fields))
					}
				}
				for i := range out.Consents {
					fmt.Fprintf(w, "  %-10s %s\n", out.Consents[i].Status, out.Consents[i].Consent)
				}
				return nil
			})
		},
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func join[T ~string](list []T) string {
	text := ""
	for i, s := range list {
		if i > 0 {
			text += ", "
		}
		text += string(s)
	}
	return text
}
