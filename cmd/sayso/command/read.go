package command

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newRead() *cobra.Command {
	var purpose, list string
	var fields []string
	var given map[string]string
	cmd := &cobra.Command{
		Use:   "read [SUBJECT] --purpose P",
		Short: "Read a person's fields for a purpose",
		Long: `read asks for a person's fields for a purpose, by all the rules that hold for
this channel, and shows what was released, masked, withheld or missing. The
person is given by ID, or by one identifier on stdin. Every read is recorded.

It ends with 1 if nothing may be released.

With --list it reads many: people are named in a file or on stdin, one a line, by
ID or as {"email": "…"}, and each is answered with a line of JSON while the rest
is still read. What became of one stands in its line; it ends with 0 once every
line is answered.`,
		Example: `  sayso read sub_01kz3v9m2c8x5w7e4r6t1y0p2a --purpose order-fulfilment
  echo '{"email": "ana@example.org"}' | sayso read --purpose order-fulfilment --fields given_name,address
  sayso read --purpose sms-marketing --list people.ndjson > numbers.ndjson`,
		Args:       cobra.MaximumNArgs(1),
		SuggestFor: []string{"get", "show", "query", "fetch"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if purpose == "" {
				return misuse("--purpose is missing: what for?")
			}
			c, err := remote()
			if err != nil {
				return err
			}
			in := wire.ReadRequest{Purpose: privacy.PurposeID(purpose), Context: contextOf(given)}
			for _, f := range fields {
				in.Fields = append(in.Fields, privacy.FieldName(f))
			}
			if list != "" {
				if len(args) > 0 {
					return misuse("people come from --list, or one as an argument")
				}
				return readList(cmd, c, list, in)
			}
			if in.Subject, err = readSubject(cmd, args); err != nil {
				return err
			}
			out, err := c.Read(cmd.Context(), &in)
			var refused *client.Error
			if errors.As(err, &refused) && refused.Code == "denied" && !forMachines(cmd) {
				showDenied(cmd.OutOrStdout(), refused)
				hintFields(cmd, c, in.Purpose, refused.Withheld)
				return &toldError{err}
			}
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error {
				defer hintFields(cmd, c, in.Purpose, out.Withheld)
				return showRead(w, out)
			})
		},
	}
	cmd.Flags().StringVar(&purpose, "purpose", "", "what the fields are read for")
	cmd.Flags().StringSliceVar(&fields, "fields", nil, "the fields, by comma (default: all that the purpose lists)")
	cmd.Flags().StringToStringVar(&given, "context", nil, "context that rules look at, such as step=offer")
	cmd.Flags().StringVar(&list, "list", "", "file of people to read, one a line (- for stdin)")
	completes(cmd, map[string]completer{"purpose": purposesHeld(), "fields": byComma(fieldsRead(&purpose))})
	return cmd
}

// contextOf reads values that look like numbers or truth values as such; one in
// quotes is a string whatever it looks like.
func contextOf(given map[string]string) map[string]any {
	values := map[string]any{}
	for name, text := range given {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			v = text
		}
		switch v.(type) {
		case bool, float64, string:
		default:
			v = text
		}
		values[name] = v
	}
	if len(values) == 0 {
		return nil
	}
	return values
}

func showRead(w io.Writer, r *wire.ReadAnswer) error {
	fmt.Fprintf(w, "%s for %s: %s\n", r.Subject, r.Purpose, r.Decision)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Fields {
		fmt.Fprintf(t, "  %s\t%s\n", f.Name, plain(f.Value))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Masked)) {
		fmt.Fprintf(t, "  %s\t%s\tmasked: %s\n", name, plain(r.Masked[name].Value), r.Masked[name].Mask)
	}
	for _, f := range r.Withheld {
		fmt.Fprintf(t, "  %s\t\twithheld: %s, %s\n", f.Field, f.Code, f.Detail)
	}
	for _, f := range r.Missing {
		fmt.Fprintf(t, "  %s\t\tmissing: %s\n", f.Field, f.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Decided by %s and register revision %d; recorded in log %s at %d.\n", r.Policy, r.Register, r.Log.Name, r.Log.Index)
	return err
}

func showDenied(w io.Writer, e *client.Error) {
	fmt.Fprintf(w, "Nothing may be released for %s: %s\n", e.Purpose, e.Decision)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range e.Withheld {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Field, f.Code, f.Detail)
	}
	_ = t.Flush()
}

// hintFields says which fields were probably meant by those that the purpose
// does not have. It asks what this client may know, and only then.
func hintFields(cmd *cobra.Command, c *client.Client, purpose privacy.PurposeID, withheld []wire.Withheld) {
	var meant []string
	var who *wire.Whoami
	for _, f := range withheld {
		if f.Code != privacy.CodeFieldNotInPurpose {
			continue
		}
		if who == nil {
			var err error
			if who, err = c.Whoami(cmd.Context()); err != nil {
				return
			}
		}
		if name := privacy.Nearest(string(f.Field), who.Fields[purpose]); name != "" {
			meant = append(meant, string(name))
		}
	}
	if len(meant) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "Did you mean %s?\n", strings.Join(meant, ", "))
	}
}

// plain shows a value to the person who asked for it: a string as itself, the
// rest as JSON, and nothing that a terminal would take for an order.
func plain(v wire.Value) string { return neutral(v.RevealText()) }

// neutral is a text in which a terminal finds no order.
func neutral(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
