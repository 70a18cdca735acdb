package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

func (o *me) erase() *cobra.Command {
	var reasonFile string
	var by actorFlags
	var yes, dryRun, never bool
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Have everything that is known of you deleted (Art. 17)",
		Long: `erase says first what would remain and why, and until when it can be taken back, and
asks for a yes; elsewhere than at a terminal --yes says it. --dry-run only tells. When
it ends with 0 nothing of you is released any more. It prints a link that tells how
far it is, also when your session is over: keep it ("sayso me status").`,
		Example: `  sayso me erase --dry-run
  sayso me erase
  sayso me erase --yes --never-contact -o json`,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"delete", "forget", "leave", "remove"},
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			if forMachines(cmd) && !yes && !dryRun {
				return misuse("with -o json nobody is asked: --yes says it, and --dry-run shows before what would remain")
			}
			who, err := by.actor()
			if err != nil {
				return err
			}
			reason, err := because(cmd, reasonFile)
			if err != nil {
				return err
			}
			would, err := p.PreviewErasure(cmd.Context())
			if err != nil {
				return err
			}
			if dryRun {
				return tellPerson(cmd, would, func(w *bytes.Buffer) { showWhatRemains(w, would, never) })
			}
			var text bytes.Buffer
			showWhatRemains(&text, would, never)
			fmt.Fprintf(cmd.ErrOrStderr(), "%s\n", text.Bytes())
			if err := agreed(cmd, yes, "have everything deleted"); err != nil {
				return err
			}
			out, err := p.Erase(cmd.Context(), &wire.Leave{Reason: reason, By: who, NeverContact: never})
			if refused := (*client.Error)(nil); err != nil && !errors.As(err, &refused) {
				return fmt.Errorf("whether it was asked for is not known: it was, if your session is over or `sayso me requests` has it: %w", err)
			}
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) {
				if out.BeginsAt != nil {
					fmt.Fprintf(w, "Everything is deleted on %s. Until then nothing of you is released, and `sayso me take-back` takes it back.\n", minute(*out.BeginsAt))
				} else {
					fmt.Fprintf(w, "Request %s: %s. Nothing of you is released any more; your session is over.\n", out.Request, inPlainWords(out.Status))
				}
				fmt.Fprintf(w, "How far it is, also later: %s\n", out.StatusURL)
			})
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would remain")
	cmd.Flags().BoolVar(&never, "never-contact", false, "and never be sent advertising again, for which a fingerprint of each address and number stays")
	cmd.Flags().StringVar(&reasonFile, "reason-file", "", "file of your reason (- for stdin)")
	by.add(cmd)
	return cmd
}

// inPlainWords is the status of a request as people read it.
func inPlainWords(status string) string {
	if words, ok := map[string]string{"received": "it was received", "awaiting_identity": "it waits until it is known that it is you", "in_progress": "it is under way",
		"blocked": "it waits, because of a legal claim", "completed": "it is done", "refused": "it was refused", "withdrawn": "it was taken back"}[status]; ok {
		return words
	}
	return neutral(status)
}

func showWhatRemains(w *bytes.Buffer, p *wire.ErasurePreview, never bool) {
	switch {
	case p.Waits && p.BeginsAt != nil:
		fmt.Fprintf(w, "You asked for it: everything is deleted on %s. Until then `sayso me take-back` takes it back.\n", minute(*p.BeginsAt))
	case p.BeginsAt != nil:
		fmt.Fprintf(w, "Everything that is known of you would be deleted on %s. Until then nothing of you is released, and you can take it back.\n", minute(*p.BeginsAt))
	default:
		fmt.Fprintln(w, "Everything that is known of you is deleted, and what you agreed to ends. Nobody can bring it back.")
	}
	if len(p.Remains) == 0 {
		fmt.Fprintln(w, "Nothing remains: no law demands that anything of you is kept.")
	}
	showKept(w, p.Remains)
	if p.Held {
		fmt.Fprintln(w, "At the moment your data must not be deleted, because of a legal claim. Your wish is kept, and done when the claim is over; until then nobody is shown anything.")
	}
	if told := slices.DeleteFunc(texts(p.Told), func(id string) bool { return id == ownChannel }); len(told) > 0 {
		fmt.Fprintf(w, "Those who were shown something of you are told: %s.\n", names(told))
	}
	if p.KeyBackupDays > 0 {
		fmt.Fprintf(w, "Copies for emergencies can be opened for %s, and then by nobody.\n", count(p.KeyBackupDays, "more day"))
	}
	if never {
		fmt.Fprintf(w, "So that no advertising follows, %s of your addresses and numbers would stay. Nobody can read you from them.\n", count(p.NeverContact, "fingerprint"))
	}
	fmt.Fprintln(w, "You may take your data along before: sayso me export --to FILE")
}

func showKept(w *bytes.Buffer, all []wire.Kept) {
	for _, k := range all {
		fmt.Fprintf(w, "This remains for %s, because of %s, %s: %s.\n", k.Purpose, basisInWords(string(k.Basis)), until(k.Until), names(k.Fields))
	}
}

func (o *me) takeBack() *cobra.Command {
	var by actorFlags
	cmd := &cobra.Command{
		Use:        "take-back",
		Short:      "Take back a deletion that has not begun",
		Long:       `take-back ends an erasure that waits for its period of grace: all stays as it was.`,
		Example:    "  sayso me take-back",
		Args:       cobra.NoArgs,
		SuggestFor: []string{"takeback", "keep", "stay", "undo"},
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			who, err := by.actor()
			if err != nil {
				return err
			}
			out, err := p.TakeBackErasure(cmd.Context(), who)
			if err != nil {
				return err
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) {
				fmt.Fprintf(w, "Request %s: %s. All stays as it was.\n", out.Request, inPlainWords(out.Status))
			})
		}),
	}
	by.add(cmd)
	return cmd
}

func (o *me) status() *cobra.Command {
	var certificate keeper
	cmd := &cobra.Command{
		Use:   "status",
		Short: "How far a request is, by the link that was given for it",
		Long: `status takes the link of a request on stdin, and needs no session. Once the request is
completed, --certificate keeps what says, signed, what was destroyed. Where
` + envURL + ` is not set, the vault is asked at the link's own address.`,
		Example: `  sayso me status < link.txt
  sayso me status --certificate erasure.jwt < link.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := certificate.free(); err != nil {
				return err
			}
			text, err := readInput(cmd, "", "the link")
			if err != nil {
				return err
			}
			at, name, err := client.StatusLink(string(text))
			if err != nil {
				return errors.New("what came on stdin is not the link of a request's status")
			}
			p, err := personAt(orElse(os.Getenv(envURL), at), "")
			if err != nil {
				return err
			}
			out, err := p.Status(cmd.Context(), name)
			if err != nil {
				return err
			}
			if certificate.wanted() {
				if out.Certificate == "" {
					return errors.New("there is no certificate yet: the request is " + neutral(out.Status))
				}
				if err := certificate.keep([]byte(out.Certificate + "\n")); err != nil {
					return err
				}
			}
			return tellPerson(cmd, out, func(w *bytes.Buffer) {
				fmt.Fprintf(w, "Request %s, for %s: %s.\n", out.Request, neutral(out.Kind), inPlainWords(out.Status))
				showClock(w, out.ReceivedAt, out.DueAt, out.CompletedAt)
				if out.BeginsAt != nil {
					fmt.Fprintf(w, "It begins on %s; until then it can be taken back.\n", minute(*out.BeginsAt))
				}
				showKept(w, out.Kept)
				switch {
				case certificate.wanted():
					fmt.Fprintf(w, "The certificate is in %s.\n", certificate.path)
				case out.Certificate != "":
					fmt.Fprintf(w, "\n%s\n", neutral(out.Certificate))
				}
			})
		},
	}
	certificate.flags(cmd, "certificate", "the certificate")
	return cmd
}

func showClock(w *bytes.Buffer, received, due time.Time, completed *time.Time) {
	if completed != nil {
		fmt.Fprintf(w, "Received on %s, completed on %s.\n", day(received), minute(*completed))
		return
	}
	fmt.Fprintf(w, "Received on %s, to be answered by %s.\n", day(received), day(due))
}

func (o *me) requests() *cobra.Command {
	return &cobra.Command{
		Use:     "requests",
		Short:   "What you asked for, and what became of it",
		Long:    `requests lists objections, erasures that wait, and what was asked for by letter or phone, with their clocks and answers.`,
		Example: "  sayso me requests",
		Args:    cobra.NoArgs,
		RunE: o.as(func(cmd *cobra.Command, p *client.Person, _ []string) error {
			all, err := p.Requests(cmd.Context())
			if err != nil {
				return err
			}
			return tellPerson(cmd, &wire.RequestList{Requests: all}, func(w *bytes.Buffer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "No requests.")
				}
				for i := range all {
					q := &all[i]
					fmt.Fprintf(w, "%s  %s%s: %s\n", q.Request, neutral(q.Kind), after(" to ", neutral(string(q.Purpose)))+after(" of ", neutral(string(q.Field))), inPlainWords(q.Status))
					fmt.Fprintf(w, "    received %s, due %s%s%s%s\n", day(q.ReceivedAt), day(q.DueAt), after("; you wrote: ", neutral(q.Reason)),
						after("; it was ", neutral(q.Outcome))+after("; it takes longer: ", neutral(q.Extension)), after("; the answer: ", neutral(q.Answer)))
				}
			})
		}),
	}
}
