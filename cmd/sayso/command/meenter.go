package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func (o *me) enter() *cobra.Command {
	return &cobra.Command{
		Use:   "enter",
		Short: "Open a session by the one-time link that a channel gave you",
		Long: `enter takes a channel's one-time link on stdin, and opens a session by it instead of
the privacy centre: once, within a minute. Such a session sees what that channel may
see, and lets less out; the rest takes "sayso me login".

The token is printed for ` + envSession + `, or kept in --session-file, readable by you alone.
Where ` + envURL + ` is not set, the vault is asked at the link's own address.`,
		Example: `  sayso me enter --session-file ./session < link.txt
  eval "$(sayso me enter < link.txt)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.mayKeep(); err != nil {
				return err
			}
			text, err := readInput(cmd, "", "the link")
			if err != nil {
				return err
			}
			at, code, err := client.LinkCode(string(text))
			if err != nil {
				return errors.New("what came on stdin is not a channel's one-time link")
			}
			p, err := personAt(orElse(os.Getenv(envURL), at), "")
			if err != nil {
				return err
			}
			opened, err := p.Enter(cmd.Context(), code)
			if err != nil {
				return err
			}
			if os.Getenv(envURL) != "" {
				at = ""
			}
			return o.welcome(cmd, at, opened)
		},
	}
}

// shellWord is a text as a shell takes it for one word, "" if there is none.
func shellWord(text string) string {
	if text == "" {
		return ""
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (o *me) login() *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Log in with a code that is mailed to you",
		Long: `login reads an address of yours from the first line of stdin, such as
{"email": "ana@example.org"} or ana@example.org, has a code mailed there, and reads
it from the next line, or from the terminal. Whether anybody is known by the address
is not told: if nobody is, no mail comes.

The session shows and does everything. Its token is printed for ` + envSession + `, or
kept in --session-file, readable by you alone; a session that is there already ends.`,
		Example: `  sayso me login --session-file ./session
  echo '{"email": "ana@example.org"}' | sayso me login --session-file ./session
  eval "$(sayso me login)"`,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"signin", "sign-in", "code"},
		RunE:       func(cmd *cobra.Command, _ []string) error { return o.logIn(cmd) },
	}
}

// codeTries is how often a person may mistype a code here; the vault takes five.
const codeTries = 5

func (o *me) logIn(cmd *cobra.Command) error {
	if err := o.mayKeep(); err != nil {
		return err
	}
	before, err := o.token()
	if errors.Is(err, fs.ErrNotExist) {
		before, err = "", nil
	}
	if err != nil {
		return err
	}
	ctx, in := cmd.Context(), cmd.InOrStdin()
	if isTerminal(in) {
		fmt.Fprint(cmd.ErrOrStderr(), "Your e-mail address: ")
	}
	line, err := readLine(ctx, in)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	to, err := addressed(line)
	if err != nil {
		return err
	}
	p, err := personAt(os.Getenv(envURL), before)
	if err != nil {
		return err
	}
	attempt, err := p.AskCode(ctx, to, language())
	if err != nil {
		return helpful(err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "If that address is known and confirmed there, a code with eight digits is on its way to it. It is good for ten minutes.")
	opened, err := o.confirm(cmd, p, attempt)
	if err != nil {
		return err
	}
	return o.welcome(cmd, "", opened)
}

// confirm reads codes until one is right.
func (o *me) confirm(cmd *cobra.Command, p *client.Person, attempt string) (*wire.OwnSession, error) {
	ctx, in := cmd.Context(), cmd.InOrStdin()
	asks := isTerminal(in)
	for n := range codeTries {
		if asks {
			fmt.Fprint(cmd.ErrOrStderr(), "Code: ")
		}
		code, err := readLine(ctx, in)
		if errors.Is(err, io.EOF) && !asks && n == 0 { // the address was piped, the person is at a terminal
			tty, nobody := os.Open("/dev/tty")
			if nobody != nil {
				return nil, errors.New("no code came on stdin: the address stands in its first line, the code in the next")
			}
			defer tty.Close()
			in, asks = tty, true
			fmt.Fprint(cmd.ErrOrStderr(), "Code: ")
			code, err = readLine(ctx, in)
		}
		if err != nil {
			return nil, noCode(err)
		}
		opened, err := p.ConfirmCode(ctx, attempt, code)
		var refused *client.Error
		if errors.As(err, &refused) && refused.Code == "invalid_token" { // the session before is over
			if p, err = personAt(os.Getenv(envURL), ""); err != nil {
				return nil, err
			}
			opened, err = p.ConfirmCode(ctx, attempt, code)
		}
		if errors.As(err, &refused) && refused.Code == "wrong_code" && n < codeTries-1 {
			fmt.Fprintln(cmd.ErrOrStderr(), "This is not the code. Please check the digits.")
			continue
		}
		return opened, err
	}
	return nil, errors.New("that was not the code")
}

func noCode(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("no code came")
	}
	return err
}

// addressed reads whom a code is to be mailed to. What it was is not repeated.
func addressed(line string) (to wire.Subject, err error) {
	if line == "" {
		return to, misuse("an address of yours is expected on stdin, such as ana@example.org")
	}
	if !strings.HasPrefix(line, "{") {
		if !strings.Contains(line, "@") {
			return to, errors.New("what came on stdin is not an e-mail address")
		}
		quoted, err := json.Marshal(line)
		return wire.Subject{Field: "email", Value: wire.Value{Sensitive: privacy.NewSensitive(quoted)}}, err
	}
	if err := json.Unmarshal([]byte(line), &to); err != nil || to.Field == "" {
		return to, errors.New(`the first line of stdin is not an address such as {"email": "ana@example.org"}`)
	}
	return to, nil
}

// mayKeep says before anything is opened if the session's file may not be written:
// it is somebody else's, or something else.
func (o *me) mayKeep() error {
	if o.file == "" {
		return nil
	}
	text, err := readPrivate(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return (&keeper{path: o.file}).free()
	case err != nil:
		return err
	case len(bytes.TrimSpace(text)) > 0 && !bytes.HasPrefix(text, []byte(sessionPrefix)):
		return fmt.Errorf("%s holds something else than a session: name another file", o.file)
	}
	return nil
}

// session is a session that was just opened, as machines are told of it.
type session struct {
	Token     string            `json:"token,omitempty"` // unless it is kept in a file
	File      string            `json:"file,omitempty"`
	URL       string            `json:"url,omitempty"` // of the vault, unless the environment says it
	Session   privacy.SessionID `json:"session"`
	Assurance string            `json:"assurance"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// welcome hands a session over: in a file, or for the environment. One that cannot be
// handed over ends. at is where the vault is if the environment does not say it: the
// session's token must go nowhere else.
func (o *me) welcome(cmd *cobra.Command, at string, opened *wire.OwnSession) error {
	if at == "http://"+defaultListen {
		at = ""
	}
	out := session{Token: opened.Token, URL: at, Session: opened.Session, Assurance: opened.Assurance, ExpiresAt: opened.ExpiresAt}
	var err error
	if o.file != "" {
		out.Token, out.File = "", o.file
		err = (&keeper{path: o.file, replace: true}).keep([]byte(opened.Token + "\n"))
	}
	if err == nil {
		err = answer(cmd, out, func(w io.Writer) error {
			if o.file != "" {
				_, err := fmt.Fprintf(w, "Your session is in %s, and good until %s.\n%s", o.file, minute(opened.ExpiresAt), before(at, ": set "+envURL+" to that for what follows.\n"))
				return err
			}
			_, err := fmt.Fprintf(w, "%sexport %s=%s\n", before(after("export "+envURL+"=", shellWord(at)), "\n"), envSession, opened.Token)
			fmt.Fprintf(cmd.ErrOrStderr(), "Your session is good until %s. Whoever has its token is you.\n", minute(opened.ExpiresAt))
			return err
		})
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 5*time.Second)
		defer cancel()
		if p, wrong := personAt(orElse(at, os.Getenv(envURL)), opened.Token); wrong == nil {
			_ = p.EndSession(ctx, opened.Session) // it ends by itself otherwise
		}
		return fmt.Errorf("the session could not be handed over, and was ended: %w", err)
	}
	return nil
}
