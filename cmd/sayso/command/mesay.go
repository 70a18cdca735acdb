package command

import (
	"bytes"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func (o *me) consents() *cobra.Command {
	return &cobra.Command{
		Use:     "consents",
		Short:   "What you said to purposes, the latest first",
		Long:    `consents lists every yes and no that is on record of you, with the ID by which "sayso me receipt" gives its receipt again.`,
		Example: "  sayso me consents\n  sayso me consents -o json",
		Args:    cobra.NoArgs,
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			all, err := p.Consents(cmd.Context())
			if err != nil {
				return err
			}
			return tellPerson(cmd, &wire.OwnConsentList{Consents: all}, func(w *bytes.Buffer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "You said nothing to any purpose yet.")
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, c := range all {
					more := ""
					if !c.Effective {
						more = "without effect: a later no outweighs it"
					}
					if c.By.Role != "" && c.By.Role != privacy.BySubject {
						more = string(c.By.Role) + " " + more
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", minute(c.At), c.Status, c.Purpose, c.Channel, c.Consent, more)
				}
				_ = t.Flush() // a buffer takes all
			})
		}),
	}
}

// sayings are the commands by which a person says something to a purpose.
var sayings = map[privacy.ConsentStatus]struct{ verb, short, long string }{
	privacy.StatusGiven: {"give", "Say yes to a purpose", `give shows the notice of a purpose that rests on consent, asks for a yes, and records
it with the version of the notice that was shown: it covers that, and no more.`},
	privacy.StatusWithdrawn: {"withdraw", "Take a yes back", `withdraw ends a consent. When this command ends with 0, nothing is released for the
purpose any more, in no channel.`},
	privacy.StatusRefused:  {"refuse", "Say no to a purpose that you are asked about", `refuse records a no to a purpose that rests on consent, so that nobody need ask again.`},
	privacy.StatusOptedOut: {"opt-out", "Say no to a purpose that is allowed until you do", `opt-out records a no to a purpose that is allowed unless one opts out.`},
}

func (o *me) say(status privacy.ConsentStatus) *cobra.Command {
	var by actorFlags
	var yes bool
	var receipt keeper
	is := sayings[status]
	cmd := &cobra.Command{
		Use:   is.verb + " PURPOSE",
		Short: is.short,
		Long: is.long + `

The receipt is signed; anyone can check it. --receipt keeps it in a file.`,
		Example: "  sayso me " + is.verb + " sms-marketing --receipt receipt.jwt",
		Args:    cobra.ExactArgs(1),
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, args []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			in := wire.Consent{Purpose: privacy.PurposeID(args[0]), Status: status, Method: "command_line", By: who}
			if err := receipt.free(); err != nil {
				return fmt.Errorf("%w; nothing was done", err)
			}
			if status == privacy.StatusGiven {
				if err := showNotice(cmd, p, &in, yes); err != nil {
					return err
				}
			}
			out, err := p.Say(cmd.Context(), &in)
			if err != nil {
				return err
			}
			return saidSo(cmd, &receipt, out, out.Consent, out.Receipt, func(w *bytes.Buffer) {
				fmt.Fprintf(w, "%s for %s: %s\n", out.Status, in.Purpose, out.Consent)
				if !out.Effective {
					fmt.Fprintln(w, "  recorded, but without effect: a later no outweighs it")
				}
				if still := stillUsed(cmd, p, &in); still != "" {
					fmt.Fprintf(w, "  but it goes on, because it rests on %s, and not on your consent\n", still)
				}
			})
		}),
	}
	by.add(cmd)
	receipt.flags(cmd, "receipt", "the receipt")
	if status == privacy.StatusGiven {
		cmd.Flags().BoolVar(&yes, "yes", false, "do not ask: the notice was read")
	}
	return cmd
}

// stillUsed is what a purpose rests on that goes on after a no, because a law does not
// ask; "" if it does not go on.
func stillUsed(cmd *cobra.Command, p *client.Person, said *wire.Consent) string {
	if said.Status == privacy.StatusGiven {
		return ""
	}
	known, err := p.Me(cmd.Context())
	if err != nil {
		return "" // what was said is on record all the same
	}
	for i := range known.Purposes {
		if of := &known.Purposes[i]; of.Purpose == said.Purpose && of.Allowed {
			return basisInWords(string(of.Basis))
		}
	}
	return ""
}

// showNotice shows what a yes is to, and asks for it.
func showNotice(cmd *cobra.Command, p *client.Person, in *wire.Consent, yes bool) error {
	known, err := p.Me(cmd.Context())
	if err != nil {
		return err
	}
	var ids []privacy.PurposeID
	for i := range known.Purposes {
		of := &known.Purposes[i]
		if ids = append(ids, of.Purpose); of.Purpose != in.Purpose {
			continue
		}
		if of.Notice == nil {
			return fmt.Errorf("%s does not rest on your consent, so there is nothing to agree to", in.Purpose)
		}
		in.NoticeVersion, in.Language = of.Notice.Version, language()
		w := cmd.ErrOrStderr()
		fmt.Fprintf(w, "%s\n\n  %s\n\nIt uses %s%s.\n", inWords(of.Title, in.Language), inWords(of.Notice.Text, in.Language), names(of.Fields), after(", shown to ", names(of.Recipients)))
		return agreed(cmd, yes, "agree")
	}
	return fmt.Errorf("there is no purpose %s%s", neutral(string(in.Purpose)), slip(string(in.Purpose), ids))
}

// saidSo tells of an act that is on record, and keeps its receipt. What became of the
// file changes nothing about the act, and that is said.
func saidSo(cmd *cobra.Command, receipt *keeper, out any, id privacy.ConsentID, jws string, human func(*bytes.Buffer)) error {
	var wrong error
	if receipt.wanted() {
		wrong = receipt.keep([]byte(jws + "\n"))
	}
	err := tellPerson(cmd, out, func(w *bytes.Buffer) {
		human(w)
		switch {
		case !receipt.wanted():
			fmt.Fprintf(w, "  receipt %s\n", jws)
		case wrong == nil:
			fmt.Fprintf(w, "  receipt in %s\n", receipt.path)
		}
	})
	if wrong != nil {
		wrong = &answeredError{fmt.Errorf("it is on record, but the receipt could not be kept: %w; `sayso me receipt %s` gives it again", wrong, id)}
	}
	return errors.Join(wrong, err)
}

func (o *me) object() *cobra.Command {
	var reasonFile string
	var by actorFlags
	var receipt keeper
	cmd := &cobra.Command{
		Use:   "object PURPOSE",
		Short: "Object to a purpose (Art. 21)",
		Long: `object ends the use of your data for a purpose that rests on an interest of theirs or
a public task: nothing is released for it until somebody decided otherwise, with
reasons that you are told ("sayso me requests"). For direct marketing it is absolute.
What is particular about your situation may stand in --reason-file.`,
		Example: `  sayso me object statistics --receipt receipt.jwt
  echo "My situation is a rare one" | sayso me object statistics --reason-file -`,
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
			if err := receipt.free(); err != nil {
				return fmt.Errorf("%w; nothing was done", err)
			}
			out, err := p.Object(cmd.Context(), &wire.ObjectionRequest{Purpose: privacy.PurposeID(args[0]), Reason: reason, By: who})
			if err != nil {
				return err
			}
			return saidSo(cmd, &receipt, out, out.Consent, out.Receipt, func(w *bytes.Buffer) {
				fmt.Fprintf(w, "%s to %s: %s\n", out.Status, neutral(args[0]), out.Consent)
				if out.Absolute {
					fmt.Fprintln(w, "  it is direct marketing, so that is the end of it")
				} else if out.Request != nil {
					fmt.Fprintf(w, "  nothing is released for it until request %s is decided\n", out.Request)
				}
			})
		}),
	}
	cmd.Flags().StringVar(&reasonFile, "reason-file", "", "file of your reason (- for stdin)")
	by.add(cmd)
	receipt.flags(cmd, "receipt", "the receipt")
	return cmd
}

func (o *me) receipt() *cobra.Command {
	var to keeper
	cmd := &cobra.Command{
		Use:   "receipt con_…",
		Short: "The signed receipt of what you said again",
		Long: `receipt gives the receipt of a consent record again: a compact JWS that anyone can
check with the keys at /.well-known/evidence-keys.json.`,
		Example: "  sayso me receipt con_01kz3v9m2c8x5w7e4r6t1y0p2a --to receipt.jwt",
		Args:    cobra.ExactArgs(1),
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, args []string) error {
			id, err := privacy.ParseConsentID(args[0])
			if err != nil {
				return misuse(`a consent record is named by "con_…": sayso me consents lists them`)
			}
			if err := to.free(); err != nil {
				return err
			}
			out, err := p.Receipt(cmd.Context(), id)
			if err != nil {
				return err
			}
			return kept(cmd, &to, []byte(out.Receipt+"\n"), out)
		}),
	}
	to.flags(cmd, "to", "it")
	return cmd
}

// keptFile is a file that was kept, as machines are told of it.
type keptFile struct {
	File  string `json:"file"`
	Bytes int    `json:"bytes"`
}

// kept keeps something in a file and says so, or else writes it out.
func kept(cmd *cobra.Command, to *keeper, content []byte, out any) error {
	if to.wanted() {
		if err := to.keep(content); err != nil {
			return err
		}
		return tellPerson(cmd, keptFile{to.path, len(content)}, func(w *bytes.Buffer) { fmt.Fprintf(w, "Kept in %s.\n", to.path) })
	}
	return tellPerson(cmd, out, func(w *bytes.Buffer) { w.Write(forScreen(cmd, content)) })
}
