package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// envSession holds the token of a person's session.
const envSession = "SAYSO_SESSION"

func newMe() *cobra.Command {
	var o me
	cmd := group(&cobra.Command{
		Use:   "me",
		Short: "See what is known of you, steer it, take it, leave: as the person",
		Long: `me is the person's side: what the privacy centre shows and does. It works in a
session of yours, which lasts an hour. "sayso me enter" takes the one-time link that
a channel gave you; "sayso me login" mails you a code, and shows and does everything.
The session's token is in ` + envSession + ` or in a file (--session-file).`,
		Example: `  sayso me login --session-file ./session
  sayso me show --session-file ./session
  sayso me withdraw sms-marketing --receipt receipt.jwt --session-file ./session`,
		SuggestFor: []string{"person", "self", "my", "privacy"},
	},
		o.enter(), o.login(), o.show(), o.consents(),
		o.say(privacy.StatusGiven), o.say(privacy.StatusWithdrawn), o.say(privacy.StatusRefused), o.say(privacy.StatusOptedOut), o.object(), o.contest(), o.receipt(),
		o.accesses(), o.proof(), o.export(), o.correct(), o.restrict(), o.lift(),
		o.erase(), o.takeBack(), o.status(), o.requests(), o.sessions(),
	)
	cmd.PersistentFlags().StringVar(&o.file, "session-file", "", "file of your session's token (default: "+envSession+")")
	_ = cmd.RegisterFlagCompletionFunc("session-file", anyFile)
	return cmd
}

// me is what all commands of a person have in common.
type me struct {
	file string // of the session's token
}

// person returns who is asked about: whoever the session is of.
func (o *me) person() (*client.Person, error) {
	token, err := o.token()
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, misuse("there is no session: `sayso me enter` takes a channel's link, `sayso me login` mails you a code; %s or --session-file then says which it is", envSession)
	}
	return personAt(os.Getenv(envURL), token)
}

// token is that of the session, "" if there is none. It is removed from the
// environment whether it is used or not.
func (o *me) token() (string, error) {
	token, _ := fromEnv(envSession)
	if o.file != "" {
		text, err := readPrivate(o.file)
		if err != nil {
			return "", fmt.Errorf("reading the session: %w", err)
		}
		token = string(bytes.TrimSpace(text))
	}
	// What else a file held must not be sent anywhere.
	if token != "" && (!strings.HasPrefix(token, sessionPrefix) || len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		return "", errors.New("this is no session's token: that begins with " + sessionPrefix)
	}
	return token, nil
}

// sessionPrefix begins the tokens of people's sessions.
const sessionPrefix = "sst_"

// personAt returns a person at a vault: in a session, or without one yet.
func personAt(address, token string) (*client.Person, error) {
	if address == "" {
		address = "http://" + defaultListen
	}
	p, err := client.NewPerson(client.PersonConfig{URL: address, Session: token})
	if err != nil {
		return nil, misuse("%s: %v", envURL, err)
	}
	return p, nil
}

// as makes what a command does of what a person does in their session.
func (o *me) as(do func(cmd *cobra.Command, p *client.Person, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p, err := o.person()
		if err != nil {
			return err
		}
		return helpful(do(cmd, p, args))
	}
}

// helpful adds to a refusal what the person can do about it.
func helpful(err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case "step_up_required":
		return fmt.Errorf("%w: `sayso me login` mails you a code and opens such a session", err)
	case "invalid_token", "unauthenticated":
		return fmt.Errorf("your session is over, or was none: `sayso me login` or a channel's new link (`sayso me enter`) opens another: %w", err)
	}
	return err
}

// tellPerson prints what a command gives as [answer] does; people get it whole or,
// if it cannot be written, an error.
func tellPerson(cmd *cobra.Command, out any, human func(w *bytes.Buffer)) error {
	return answer(cmd, out, func(w io.Writer) error {
		var text bytes.Buffer
		var whole []byte
		human(&text)
		for line := range bytes.Lines(text.Bytes()) { // what was set in columns may end in blanks
			whole = append(append(whole, bytes.TrimRight(line, " \n")...), '\n')
		}
		_, err := w.Write(whole)
		return err
	})
}

// agreed asks a person for a yes on a terminal. Elsewhere --yes must have said it.
func agreed(cmd *cobra.Command, yes bool, to string) error {
	if yes {
		return nil
	}
	if !isTerminal(cmd.InOrStdin()) {
		return misuse("--yes is missing, so nothing was done: %s", to)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Type yes to %s: ", to)
	typed, err := readLine(cmd.Context(), cmd.InOrStdin())
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if typed != "yes" {
		return errors.New("that was no yes, so nothing was done")
	}
	return nil
}

// readLine reads a line that a person types.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	text, err := unlessInterrupted(ctx, func() ([]byte, error) {
		var text []byte
		one := make([]byte, 1) // no more than the line, what follows is for who comes next
		for len(text) < maxTyped {
			n, err := in.Read(one)
			if n == 1 && one[0] == '\n' {
				return text, nil
			}
			text = append(text, one[:n]...)
			if err == io.EOF && len(text) > 0 {
				return text, nil
			}
			if err != nil {
				return nil, err
			}
		}
		return text, nil
	})
	return strings.TrimSpace(string(text)), err
}

// maxTyped bounds a line that is read, in bytes.
const maxTyped = 4 << 10

// day and minute are how people are told when.
func day(t time.Time) string    { return t.UTC().Format(time.DateOnly) }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// until is when something ends.
func until(t *time.Time) string {
	if t == nil {
		return "no end is set"
	}
	return "until " + day(*t)
}

// inWords is a text of the register in the person's language.
func inWords(w wire.Words, language string) string { return neutral(privacy.Text(w).In(language)) }

// language is the person's, by what the system's programs look at.
func language() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if text := os.Getenv(name); text != "" {
			lang, _, _ := strings.Cut(text, ".")
			lang, _, _ = strings.Cut(lang, "_")
			if lang == "C" || lang == "POSIX" {
				return "en"
			}
			return lang
		}
	}
	return "en"
}

// names are IDs with commas between them, as people may read them.
func names[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = neutral(string(one))
	}
	return strings.Join(all, ", ")
}

// because reads a person's own words, which may be personal, from a file or stdin.
func because(cmd *cobra.Command, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := readInput(cmd, file, "your reason")
	return strings.TrimSpace(string(text)), err
}
