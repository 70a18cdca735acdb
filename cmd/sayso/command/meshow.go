package command

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// ownChannel stands in the place of a channel where the person acted themselves.
const ownChannel = "sayso.me"

func (o *me) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "What is known of you, since when, from where, why, and until when",
		Long: `show lists each value with where it is from, what it is held for and until when, and
each purpose with what it brings you, what it rests on, and what you may say to it.
That you looked is an access record.`,
		Example: "  sayso me show\n  sayso me show -o json",
		Args:    cobra.NoArgs,
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			out, err := p.Me(cmd.Context())
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) { showMe(w, out, language()) })
		}),
	}
}

func showMe(w *bytes.Buffer, m *wire.Me, lang string) {
	if m.RestrictedSince != nil {
		fmt.Fprintf(w, "Restricted since %s: all is kept, and nothing of it is released for any purpose.\n\n", day(*m.RestrictedSince))
	}
	if len(m.Values) == 0 {
		fmt.Fprintln(w, "Nothing is known of you that is shown here.")
	} else {
		fmt.Fprintln(w, "What is known of you")
	}
	for i := range m.Values {
		showOwnValue(w, &m.Values[i], lang)
	}
	fmt.Fprintln(w, "\nWhat it is for")
	for i := range m.Purposes {
		showOwnPurpose(w, &m.Purposes[i], lang)
	}
	if !m.Full {
		fmt.Fprintln(w, "\nThis is what the channel that brought you here may see. `sayso me login` shows the rest.")
	}
	fmt.Fprintf(w, "\n%s answers for it: %s%s\n", neutral(m.Controller.Name), neutral(m.Controller.Contact), after("; the authority is ", neutral(m.Controller.Authority)))
}

func showOwnValue(w *bytes.Buffer, v *wire.OwnValue, lang string) {
	fmt.Fprintf(w, "\n  %s  %s\n", v.Field, plain(v.Value))
	words := []string{}
	if title := inWords(v.Title, lang); title != "" {
		words = append(words, title)
	}
	if v.Special {
		words = append(words, "specially protected")
	}
	how := "told to"
	switch v.Origin {
	case "observed":
		how = "observed by"
	case "inferred":
		how = "inferred by"
		if v.Inference != nil {
			how = fmt.Sprintf("inferred by the model %s %s, for", neutral(v.Inference.Model), neutral(v.Inference.Version))
		}
	}
	where := fmt.Sprintf("%s %s on %s", how, v.Channel, day(v.ObservedAt))
	if v.Channel == ownChannel {
		where = "told here on " + day(v.ObservedAt)
	}
	words = append(words, where)
	words = append(words, actedFor(v.By)...)
	if v.Verified {
		words = append(words, "verified")
	}
	if v.Mask != "" {
		words = append(words, "shown in part ("+string(v.Mask)+")")
	}
	fmt.Fprintf(w, "      %s; kept: %s\n", strings.Join(words, ", "), until(v.Until))
	if v.Contested != nil {
		fmt.Fprintf(w, "      you contest it since %s: nobody is shown it until that is decided\n", day(v.Contested.Since))
	}
	for _, h := range v.HeldFor {
		fmt.Fprintf(w, "      for %s (%s), %s\n", h.Purpose, basisInWords(string(h.Basis)), until(h.Until))
	}
}

func showOwnPurpose(w *bytes.Buffer, p *wire.OwnPurpose, lang string) {
	state := "not used now"
	if p.Allowed {
		state = "in use"
	}
	fmt.Fprintf(w, "\n  %s  %s: %s\n", p.Purpose, inWords(p.Title, lang), state)
	if benefit := inWords(p.Benefit, lang); benefit != "" {
		fmt.Fprintf(w, "      what you get: %s\n", benefit)
	}
	fmt.Fprintf(w, "      rests on %s; uses %s%s\n", basisInWords(string(p.Basis)), names(p.Fields), after("; shown to ", names(p.Recipients)))
	if p.Status != "" && p.Status != "none" {
		said := fmt.Sprintf("      you said: %s", p.Status)
		if p.Since != nil {
			said += " on " + day(*p.Since)
		}
		if p.Until != nil {
			said += ", until " + day(*p.Until)
		}
		fmt.Fprintln(w, said)
	} else if p.Since != nil {
		fmt.Fprintf(w, "      since %s\n", day(*p.Since))
	}
	var may []string
	for _, one := range []struct {
		may bool
		do  string
	}{{p.MayGive, "give"}, {p.MayWithdraw, "withdraw"}, {p.MayObject, "object"}} {
		if one.may {
			may = append(may, "sayso me "+one.do+" "+string(p.Purpose))
		}
	}
	if len(may) > 0 {
		fmt.Fprintf(w, "      you may: %s\n", strings.Join(may, "; "))
	}
}

// actedFor says who acted for the person, if they did not themselves.
func actedFor(by *wire.Actor) []string {
	if by == nil || by.Role == privacy.BySubject {
		return nil
	}
	return []string{"by your " + string(by.Role) + after(", ", neutral(by.Ref))}
}

// basisInWords is what a purpose rests on, as people read it.
func basisInWords(basis string) string {
	switch basis {
	case "consent":
		return "your consent"
	case "contract":
		return "the contract with you"
	case "legal_obligation":
		return "a law that demands it"
	case "vital_interests":
		return "somebody's vital interests"
	case "public_task":
		return "a public task"
	case "legitimate_interests":
		return "an interest of theirs"
	case "opt_out":
		return "your not having opted out"
	}
	return neutral(basis)
}
