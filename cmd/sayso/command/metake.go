package command

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func (o *me) export() *cobra.Command {
	var scope, form string
	var by actorFlags
	var to keeper
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Take your data along",
		Long: `export gives a copy of all, with where it is from, what it is for and who was shown it
(--scope access, Art. 15), or what you provided, to take elsewhere (--scope portable,
Art. 20). The same state gives the same bytes. --to keeps it in a file that is yours
alone, and there whole or not at all.`,
		Example: `  sayso me export --to my-data.json
  sayso me export --scope portable --format csv --to my-data.csv
  sayso me export --scope portable --format schemaorg > me.jsonld`,
		Args: cobra.NoArgs,
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			switch {
			case !slices.Contains(takeoutScopes, scope):
				return misuse("--scope is access or portable")
			case !slices.Contains(takeoutFormats, form):
				return misuse("--format is json, csv or schemaorg")
			case form == wire.FormatCSV && forMachines(cmd) && !to.wanted():
				return misuse("--format csv and -o json contradict each other")
			}
			if err := to.free(); err != nil {
				return err
			}
			who, err := by.actor()
			if err != nil {
				return err
			}
			content, err := p.Export(cmd.Context(), scope, form, who)
			if err != nil {
				return err
			}
			content = append(bytes.TrimRight(content, "\n"), '\n')
			return kept(cmd, &to, content, jsontext.Value(content))
		}),
	}
	cmd.Flags().StringVar(&scope, "scope", takeoutScopes[0], "access or portable")
	cmd.Flags().StringVar(&form, "format", wire.FormatJSON, "json, csv or schemaorg")
	completes(cmd, map[string]completer{"scope": among(takeoutScopes...), "format": among(takeoutFormats...)})
	by.add(cmd)
	to.flags(cmd, "to", "it")
	return cmd
}

// forScreen is what is written out: as it is into a file or a pipe, and with nothing
// that a terminal would take for an order where people look at it.
func forScreen(cmd *cobra.Command, content []byte) []byte {
	if !isTerminal(cmd.OutOrStdout()) {
		return content
	}
	var b strings.Builder
	for line := range strings.Lines(string(content)) {
		text := strings.TrimSuffix(line, "\n")
		indent := len(text) - len(strings.TrimLeft(text, "\t"))
		b.WriteString(text[:indent] + neutral(text[indent:]) + "\n")
	}
	return []byte(b.String())
}

func (o *me) correct() *cobra.Command {
	var by actorFlags
	cmd := &cobra.Command{
		Use:   "correct",
		Short: "Correct what is known of you (Art. 16)",
		Long: `correct reads what is right from stdin, as JSON by field. What was known goes to
history; channels that may see the field are told that it changed.`,
		Example:    `  echo '{"given_name": "Ana"}' | sayso me correct`,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"rectify", "change", "set"},
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			in := wire.Correction{By: who}
			if err := readJSON(cmd, "", `what is right, such as {"given_name": "Ana"}`, &in.Fields); err != nil {
				return err
			}
			if len(in.Fields) == 0 {
				return misuse("no field is named")
			}
			out, err := p.Correct(cmd.Context(), &in)
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) {
				for _, one := range []struct {
					words string
					all   string
				}{{"corrected", names(out.Accepted)}, {"was so already", names(out.Unchanged)}, {"what was known before went to history", names(out.Superseded)}} {
					if one.all != "" {
						fmt.Fprintf(w, "%s: %s\n", one.words, one.all)
					}
				}
			})
		}),
	}
	by.add(cmd)
	return cmd
}

func (o *me) restrict() *cobra.Command {
	var reasonFile string
	var by actorFlags
	cmd := &cobra.Command{
		Use:   "restrict",
		Short: "Have your data only kept (Art. 18)",
		Long: `restrict keeps all of your data and has none of it released, for whatever purpose, from
when this command ends with 0. "sayso me lift" ends that.`,
		Example: `  sayso me restrict
  echo "The address is not mine" | sayso me restrict --reason-file -`,
		Args: cobra.NoArgs,
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			reason, err := because(cmd, reasonFile)
			if err != nil {
				return err
			}
			out, err := p.Restrict(cmd.Context(), &wire.Why{Reason: reason, By: who})
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) { showRestriction(w, out) })
		}),
	}
	cmd.Flags().StringVar(&reasonFile, "reason-file", "", "file of your reason (- for stdin)")
	by.add(cmd)
	return cmd
}

func (o *me) lift() *cobra.Command {
	var by actorFlags
	cmd := &cobra.Command{
		Use:     "lift",
		Short:   "Have your data used again",
		Long:    `lift ends a restriction: what you said to each purpose holds again as it did.`,
		Example: "  sayso me lift",
		Args:    cobra.NoArgs,
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			out, err := p.Lift(cmd.Context(), who)
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) { showRestriction(w, out) })
		}),
	}
	by.add(cmd)
	return cmd
}

func showRestriction(w *bytes.Buffer, r *wire.Restriction) {
	switch {
	case !r.Restricted:
		fmt.Fprintln(w, "Not restricted.")
	case r.Since != nil:
		fmt.Fprintf(w, "Restricted since %s: nothing is released for any purpose.\n", minute(*r.Since))
	default:
		fmt.Fprintln(w, "Restricted: nothing is released for any purpose.")
	}
}

func (o *me) contest() *cobra.Command {
	var reasonFile string
	var by actorFlags
	cmd := &cobra.Command{
		Use:   "contest FIELD",
		Short: "Say that what a model worked out of you is not right",
		Long: `contest has nobody shown what a model made of a field, from when this command ends with
0 until somebody decided with reasons that you are told ("sayso me requests"). Who
knows what is right says it with "sayso me correct" instead.`,
		Example: `  sayso me contest favourite_music
  echo "That was a present" | sayso me contest favourite_music --reason-file -`,
		Args: cobra.ExactArgs(1),
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, args []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			reason, err := because(cmd, reasonFile)
			if err != nil {
				return err
			}
			out, err := p.Contest(cmd.Context(), &wire.ContestRequest{Field: privacy.FieldName(args[0]), Reason: reason, By: who})
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) {
				fmt.Fprintf(w, "Contested: nobody is shown what a model made of %s until that is decided.\n", neutral(string(out.Field)))
				if out.Request != nil && out.DueAt != nil {
					fmt.Fprintf(w, "Request %s, to be answered by %s.\n", out.Request, day(*out.DueAt))
				}
			})
		}),
	}
	cmd.Flags().StringVar(&reasonFile, "reason-file", "", "file of your reason (- for stdin)")
	by.add(cmd)
	return cmd
}
