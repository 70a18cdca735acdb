package command

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func (o *me) accesses() *cobra.Command {
	var channel, purpose, since, before string
	var own, each bool
	cmd := &cobra.Command{
		Use:   "accesses",
		Short: "Who looked at what of you, for which purpose, when",
		Long: `accesses tells who read what of you, the latest first, those of a day that are alike
as one. What you did yourself is left out, but for --own; --each tells every one by
itself, with the ID that "sayso me proof" takes. With -o json it tells them all.`,
		Example: `  sayso me accesses
  sayso me accesses --purpose sms-marketing --since 2026-03-01
  sayso me accesses --channel web --each`,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"reads", "looks", "access"},
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			f := client.AccessFilter{Channel: privacy.ChannelID(channel), Purpose: privacy.PurposeID(purpose)}
			var err error
			if f.From, err = moment("since", since); err != nil {
				return err
			}
			if f.To, err = moment("before", before); err != nil {
				return err
			}
			all, count, err := p.Accesses(cmd.Context(), f)
			if err != nil {
				return err
			}
			return tellPerson(cmd, &wire.OwnAccessList{Accesses: all, Count: count}, func(w *bytes.Buffer) {
				showAccesses(w, all, own, each)
				if f == (client.AccessFilter{}) && count > uint64(len(all)) {
					fmt.Fprintf(w, "\n%d more are counted, and shown later: a law lets them be kept back for a while.\n", count-uint64(len(all)))
				}
			})
		}),
	}
	cmd.Flags().StringVar(&channel, "channel", "", "only of this channel")
	cmd.Flags().StringVar(&purpose, "purpose", "", "only for this purpose")
	cmd.Flags().StringVar(&since, "since", "", "only from this day or time on, such as 2026-01-01 or 2026-01-01T12:00:00Z")
	cmd.Flags().StringVar(&before, "before", "", "only before this day or time")
	cmd.Flags().BoolVar(&own, "own", false, "what you did yourself, too")
	cmd.Flags().BoolVar(&each, "each", false, "every one by itself")
	return cmd
}

// looks are accesses of a day that differ in nothing but the time.
type looks struct {
	words string
	times []time.Time
	last  privacy.DecisionID
}

func showAccesses(w *bytes.Buffer, all []wire.OwnAccess, own, each bool) {
	var today string
	var groups []looks
	flush := func() {
		if len(groups) > 0 {
			fmt.Fprintf(w, "%s%s\n", map[bool]string{true: "\n"}[w.Len() > 0], today)
		}
		for _, g := range groups {
			when := g.times[0].UTC().Format("15:04")
			if n := len(g.times); n > 1 {
				if first := g.times[n-1].UTC().Format("15:04"); first != when {
					when = first + " to " + when
				}
				when = fmt.Sprintf("%d times, %s", n, when)
			}
			fmt.Fprintf(w, "  %s\n      %s; %s\n", g.words, when, g.last)
		}
		groups = groups[:0]
	}
	for i := range all {
		a := &all[i]
		if a.Kind == "session" && !own {
			continue
		}
		if d := day(a.At); d != today {
			flush()
			today = d
		}
		words, n := lookInWords(a), -1
		for i := range groups {
			if groups[i].words == words && !each {
				n = i
			}
		}
		if n < 0 {
			n, groups = len(groups), append(groups, looks{words: words, last: a.Decision})
		}
		groups[n].times = append(groups[n].times, a.At)
	}
	flush()
	if w.Len() == 0 {
		fmt.Fprintln(w, "Nobody looked.")
	}
}

// lookInWords says an access as the privacy centre does.
func lookInWords(a *wire.OwnAccess) string {
	saw, less := len(a.Released) > 0, len(a.Masked) > 0
	var b strings.Builder
	switch {
	case a.Kind == "lookup":
		fmt.Fprintf(&b, "%s, who is in charge of data protection, looked you up", neutral(a.Officer))
	case a.Kind == "session" && (a.Channel == "" || a.Act != "opened"):
		b.WriteString(selfInWords(a.Act))
	case a.Kind == "session":
		fmt.Fprintf(&b, "%s opened a session for you", a.Channel)
	case a.Kind == "contact":
		fmt.Fprintf(&b, "%s asked whether it may contact you, for %s", a.Channel, a.Purpose)
	case a.Peek:
		fmt.Fprintf(&b, "%s asked only whether it may, for %s", a.Channel, a.Purpose)
	case !saw && !less && len(a.Withheld) > 0:
		fmt.Fprintf(&b, "%s asked, for %s, and was told nothing", a.Channel, a.Purpose)
	case !saw && !less:
		fmt.Fprintf(&b, "%s asked, for %s; there was nothing to be told", a.Channel, a.Purpose)
	default:
		fmt.Fprintf(&b, "%s, for %s", a.Channel, a.Purpose)
	}
	if saw {
		b.WriteString("; saw " + names(a.Released))
	}
	if less {
		b.WriteString("; saw a part of " + names(a.Masked))
	}
	for _, who := range actedFor(a.By) {
		b.WriteString("; " + who)
	}
	if a.Reason != "" {
		b.WriteString("; the reason given: " + neutral(a.Reason))
	}
	return b.String()
}

func selfInWords(act string) string {
	if words, ok := map[string]string{"opened": "You opened a session", "entered": "You came through a link", "login": "You logged in",
		"viewed": "You looked at your data", "exported": "You took your data along", "ended": "You ended a session"}[act]; ok {
		return words
	}
	return "You: " + neutral(act)
}

func (o *me) proof() *cobra.Command {
	var to keeper
	cmd := &cobra.Command{
		Use:   "proof dec_…",
		Short: "The proof that an access to your data stands in the log",
		Long: `proof gives what shows a stranger that an access is in the log: the record, and the
way from it to a signed checkpoint. "sayso log prove --check" holds it against the
log's key, without the vault.`,
		Example: `  sayso me proof dec_01kz3v9m2c8x5w7e4r6t1y0p2a --to proof.json
  sayso log prove --check proof.json --vkey "$(curl -s https://vault.example.org/log/vkey)"`,
		Args: cobra.ExactArgs(1),
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, args []string) error {
			id, err := privacy.ParseDecisionID(args[0])
			if err != nil {
				return misuse(`an access is named by "dec_…": sayso me accesses lists them`)
			}
			if err := to.free(); err != nil {
				return err
			}
			out, err := p.Proof(cmd.Context(), id)
			if err != nil {
				return err
			}
			text := out.Clone()
			if err := text.Indent(jsontext.WithIndent("  ")); err != nil {
				return err
			}
			return kept(cmd, &to, append(text, '\n'), out)
		}),
	}
	to.flags(cmd, "to", "it")
	return cmd
}
