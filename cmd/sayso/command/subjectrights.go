package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// idOf finds the ID of a person whom an officer named; by an identifier it is a
// look-up, which the person sees with the reason.
func idOf(ctx context.Context, c *client.Client, who wire.Subject, reason string) (privacy.SubjectID, error) {
	if who.Field == "" {
		return who.ID, nil
	}
	found, err := c.Lookup(ctx, &wire.LookupRequest{Field: who.Field, Value: who.Value, Reason: reason})
	if err != nil {
		return privacy.Nobody, err
	}
	return found.Subject, nil
}

// actorFlags are who asked an officer, if it was not the person.
type actorFlags struct{ role, ref string }

func (a *actorFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.role, "by", "", "who asked for the person: subject, guardian or agent")
	cmd.Flags().StringVar(&a.ref, "by-ref", "", "what shows that they may: a power, a court's order")
	completes(cmd, map[string]completer{"by": among("subject", "guardian", "agent")})
}

func (a *actorFlags) actor() (*wire.Actor, error) {
	switch {
	case a.role == "" && a.ref != "":
		return nil, misuse("--by-ref goes with --by")
	case a.role == "":
		return nil, nil
	case !slices.Contains([]string{"subject", "guardian", "agent"}, a.role):
		return nil, misuse("--by is subject, guardian or agent")
	}
	return &wire.Actor{Role: privacy.Role(a.role), Ref: a.ref}, nil
}

func newSubjectExport() *cobra.Command {
	var reason, scope, format string
	var asks actorFlags
	cmd := &cobra.Command{
		Use:   "export [sub_…] --reason R",
		Short: "Take a person's data out, for whoever asked for it",
		Long: `export writes a person's data to send to them: a copy of all with where it is from,
what it is for and who was shown it (--scope access, Art. 15), or what they provided
and take elsewhere (--scope portable, Art. 20). The person is named by ID, or by one
identifier on stdin. They see that it was done, and the reason.`,
		Example: `  sayso subject export sub_7mzk3qj1x8w4n2v6t0r5p9c1ad --reason "She wrote a letter" > copy.json
  echo '{"email": "ana@example.org"}' | sayso subject export --reason "She wrote" --scope portable --format csv > take.csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case reason == "":
				return misuse("--reason is missing: the person will see why")
			case !slices.Contains(takeoutScopes, scope):
				return misuse("--scope is access or portable")
			case !slices.Contains(takeoutFormats, format):
				return misuse("--format is json, csv or schemaorg")
			case format == wire.FormatCSV && forMachines(cmd):
				return misuse("--format csv and -o json contradict each other")
			}
			by, err := asks.actor()
			if err != nil {
				return err
			}
			c, err := remote()
			if err != nil {
				return err
			}
			who, err := readSubject(cmd, args)
			if err != nil {
				return err
			}
			id, err := idOf(cmd.Context(), c, who, reason)
			if err != nil {
				return err
			}
			out, err := c.ExportPerson(cmd.Context(), id, scope, format, &wire.TakeoutRequest{Reason: reason, By: by})
			if err != nil {
				return err
			}
			if forMachines(cmd) {
				if err := (*jsontext.Value)(&out).Compact(); err != nil {
					return err
				}
			}
			_, err = cmd.OutOrStdout().Write(append(bytes.TrimRight(out, "\n"), '\n'))
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the person sees it")
	cmd.Flags().StringVar(&scope, "scope", takeoutScopes[0], "access or portable")
	cmd.Flags().StringVar(&format, "format", wire.FormatJSON, "json, csv or schemaorg")
	asks.add(cmd)
	completes(cmd, map[string]completer{"scope": among(takeoutScopes...), "format": among(takeoutFormats...)})
	return cmd
}

var (
	takeoutScopes  = []string{"access", "portable"}
	takeoutFormats = []string{wire.FormatJSON, wire.FormatCSV, wire.FormatSchemaOrg}
)

func newSubjectRestrict() *cobra.Command {
	var reason string
	var lift bool
	cmd := &cobra.Command{
		Use:   "restrict [sub_…] --reason R",
		Short: "Restrict the processing of a person's data, or no longer do",
		Long: `restrict keeps all of a person's data and releases none of it, for whatever purpose
(Art. 18). --lift ends that; the person is to be told before. The person is named by
ID, or by one identifier on stdin.`,
		Example: `  sayso subject restrict sub_7mzk3qj1x8w4n2v6t0r5p9c1ad --reason "She disputes the address"
  sayso subject restrict sub_7mzk3qj1x8w4n2v6t0r5p9c1ad --lift --reason "Settled, and she knows"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return misuse("--reason is missing")
			}
			c, err := remote()
			if err != nil {
				return err
			}
			who, err := readSubject(cmd, args)
			if err != nil {
				return err
			}
			id, err := idOf(cmd.Context(), c, who, reason)
			if err != nil {
				return err
			}
			do := c.Restrict
			if lift {
				do = c.Lift
			}
			out, err := do(cmd.Context(), id, reason)
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error {
				text := "Not restricted."
				if out.Restricted {
					text = "Restricted since " + out.Since.Format(time.DateOnly) + "."
				}
				_, err := fmt.Fprintln(w, text)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.Flags().BoolVar(&lift, "lift", false, "end the restriction")
	return cmd
}

func newSubjectRequest() *cobra.Command {
	var in wire.PersonRequest
	var purpose, field, received, request string
	var awaiting bool
	var asks actorFlags
	said := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "request [sub_…] --kind K --reason R",
		Short: "What people ask for by letter or phone: enter it, answer it, list it",
		Long: `request enters what somebody asked for by letter or phone (Arts. 15 to 22), with its
clock: a month from when it came. With --awaiting nothing is done until --identity
says how it is known that it is the person. --request names one that was entered:
--extend takes two more months, --complete says what was done, --refuse why not; of
an objection or a contest --refuse means that it is overruled, and of a contest
--complete that what the model made goes. --by says who wrote for the person,
and --never-contact of an erasure that they want no advertising ever after. Without
anything it lists them all: those that are open first, by the day they are due.`,
		Example: `  echo '{"email": "ana@example.org"}' | sayso subject request --kind access --reason "She wants a copy" --received 2026-03-01 --awaiting
  sayso subject request --request req_06f1c9k2m8x4n7v3t5r0p1q6ws --identity "A copy of her passport"
  sayso subject request --request req_06f1c9k2m8x4n7v3t5r0p1q6ws --complete "The copy was sent"
  sayso subject request`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			if request != "" {
				return sayOfRequest(cmd, c, request, said)
			}
			if in.Kind == "" {
				return listRequests(cmd, c)
			}
			in.Field = privacy.FieldName(field)
			if in.Purpose = privacy.PurposeID(purpose); received != "" {
				at, err := moment("received", received)
				if err != nil {
					return err
				}
				in.ReceivedAt = &at
			}
			if awaiting {
				in.Identity = wire.IdentityAwaiting
			}
			if in.By, err = asks.actor(); err != nil {
				return err
			}
			if in.NeverContact && in.Kind != "erasure" {
				return misuse("--never-contact goes with --kind erasure")
			}
			if in.Subject, err = readSubject(cmd, args); err != nil {
				return err
			}
			out, err := c.EnterRequest(cmd.Context(), &in)
			if err != nil {
				return err
			}
			return answer(cmd, out, func(w io.Writer) error { return showRequest(w, out) })
		},
	}
	cmd.Flags().StringVar(&in.Kind, "kind", "", strings.Join(wire.RequestKinds, ", "))
	cmd.Flags().StringVar(&in.Reason, "reason", "", "what was asked for; it is gone with the person")
	cmd.Flags().StringVar(&purpose, "purpose", "", "what is objected to")
	cmd.Flags().StringVar(&field, "field", "", "what of that a model made is contested")
	cmd.Flags().StringVar(&received, "received", "", "when it came, as 2026-03-01; by default now")
	cmd.Flags().BoolVar(&awaiting, "awaiting", false, "it is not known yet whether it is the person")
	cmd.Flags().BoolVar(&in.NeverContact, "never-contact", false, "of an erasure: leave a keyed hash of each identifier, so that no advertising follows")
	asks.add(cmd)
	cmd.Flags().StringVar(&request, "request", "", "a request that was entered, req_…")
	for _, word := range requestWords {
		said[word.word] = cmd.Flags().String(word.word, "", word.help)
	}
	completes(cmd, map[string]completer{"kind": among(wire.RequestKinds...)})
	return cmd
}

var requestWords = []struct{ word, help string }{
	{client.RequestIdentity, "of --request: how it is known that it is the person"},
	{client.RequestExtend, "of --request: why the time to answer is longer"},
	{client.RequestComplete, "of --request: what was done"},
	{client.RequestRefuse, "of --request: why not, as the person is told"},
}

func sayOfRequest(cmd *cobra.Command, c *client.Client, request string, said map[string]*string) error {
	id, err := privacy.ParseRequestID(request)
	if err != nil {
		return misuse(`--request names one request, "req_…"`)
	}
	say := ""
	for _, word := range requestWords {
		switch {
		case *said[word.word] == "":
		case say != "":
			return misuse("one thing is said of a request at a time")
		default:
			say = word.word
		}
	}
	var out *wire.Request
	if say == "" {
		out, err = c.Request(cmd.Context(), id)
	} else {
		out, err = c.SayOfRequest(cmd.Context(), id, say, *said[say])
	}
	if err != nil {
		return err
	}
	return answer(cmd, out, func(w io.Writer) error { return showRequest(w, out) })
}

func listRequests(cmd *cobra.Command, c *client.Client) error {
	all, err := c.Requests(cmd.Context())
	if err != nil {
		return err
	}
	open, err := c.OpenRequests(cmd.Context())
	if err != nil {
		return err
	}
	all = append(open, slices.DeleteFunc(all, func(q wire.Request) bool {
		return slices.ContainsFunc(open, func(o wire.Request) bool { return o.Request == q.Request })
	})...)
	return answer(cmd, &wire.RequestList{Requests: all}, func(w io.Writer) error {
		if len(all) == 0 {
			fmt.Fprintln(w, "No requests.")
		}
		for _, q := range all {
			note := ""
			if q.Overdue {
				note = ", overdue"
			}
			if q.Own != nil && q.Own.Role != privacy.BySubject {
				note += ", by the person's " + string(q.Own.Role)
			}
			fmt.Fprintf(w, "%s  %-13s  %-17s  received %s, due %s%s\n", q.Request, q.Kind, q.Status, q.ReceivedAt.Format(time.DateOnly), q.DueAt.Format(time.DateOnly), note)
		}
		return nil
	})
}
