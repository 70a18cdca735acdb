package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// format is the value of -o.
type format string

const (
	formatText format = "text"
	formatJSON format = "json"
)

func (f *format) String() string {
	if *f == "" {
		return string(formatText)
	}
	return string(*f)
}

func (f *format) Type() string { return "format" }

func (f *format) Set(s string) error {
	if *f = format(s); *f != formatText && *f != formatJSON {
		return errors.New("expected text or json")
	}
	return nil
}

// forMachines reports whether -o json was asked for.
func forMachines(cmd *cobra.Command) bool {
	flag := cmd.Flag("output")
	return flag != nil && flag.Value.String() == string(formatJSON)
}

// answer prints what a command gives: as one line of JSON for machines, else
// with human, which may be nil for commands that then have nothing to say.
func answer(cmd *cobra.Command, out any, human func(w io.Writer) error) error {
	if human == nil {
		human = func(io.Writer) error { return nil }
	}
	return answerInColour(cmd, out, func(w io.Writer) error { return seen(w, human) })
}

// answerInColour is answer for who writes orders to the terminal of its own, and
// sees to it that nobody else's get there.
func answerInColour(cmd *cobra.Command, out any, human func(w io.Writer) error) error {
	w := cmd.OutOrStdout()
	if !forMachines(cmd) {
		return human(w)
	}
	return writeLine(w, out)
}

// seen lets human write, with every character that would do something to the
// screen shown as one that is not known: names, notes and reasons are other
// people's words, and what an officer approves must look like what it is.
func seen(w io.Writer, human func(w io.Writer) error) error {
	plain := transform.NewWriter(w, runes.Map(func(r rune) rune {
		if privacy.Steers(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}))
	return errors.Join(human(plain), plain.Close())
}

// oneLine is a text whose line breaks cannot be taken for lines of ours.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// writeLine writes a line of JSON. This package of JSON shows personal values,
// which encoding/json hides: who runs the command asked for them.
func writeLine(w io.Writer, out any) error {
	b, err := json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// asksForMachines reports whether a command line that could not be read to its
// end asks for json.
func asksForMachines(args []string) bool {
	for i, a := range args {
		switch a {
		case "-ojson", "-o=json", "--output=json":
			return true
		case "-o", "--output":
			return i+1 < len(args) && args[i+1] == string(formatJSON)
		}
	}
	return false
}

// failure is what machines are told of an end that is no refusal of the vault's.
// It has the members of a problem that it can have.
type failure struct {
	Code   string `json:"code"` // failed, interrupted or usage
	Detail string `json:"detail"`
}

// tell says why a command ends without being done: what is at fault by line,
// field by field, then one sentence. Machines get it on stdout as well, as the
// problem the vault answered with or as a failure, unless they had their answer.
func tell(cmd *cobra.Command, err error, machines bool) {
	w := cmd.ErrOrStderr()
	var refused *client.Error
	var told *toldError
	var answered *answeredError
	var usage *usageError
	interrupted := errors.Is(err, context.Canceled)
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			fmt.Fprintf(w, "%s%s:%d:%d: %s%s\n", p.File, p.Module, p.Line, p.Column, before(p.Key, ": "), harmless(p.Detail+p.Message))
		}
		for _, f := range refused.Errors {
			fmt.Fprintf(w, "%s: %s (%s)\n", harmless(f.Field), harmless(f.Detail), f.Code)
		}
	}
	if machines && !errors.As(err, &told) && !errors.As(err, &answered) {
		switch {
		case refused != nil:
			_ = writeLine(cmd.OutOrStdout(), &refused.Problem)
		case interrupted:
			_ = writeLine(cmd.OutOrStdout(), failure{"interrupted", "interrupted"})
		case errors.As(err, &usage):
			_ = writeLine(cmd.OutOrStdout(), failure{"usage", err.Error()})
		default:
			_ = writeLine(cmd.OutOrStdout(), failure{"failed", err.Error()})
		}
	}
	switch {
	case errors.As(err, &told):
	case interrupted:
		fmt.Fprintln(w, "sayso: interrupted")
	case refused != nil:
		fmt.Fprintf(w, "sayso: %s (%s)\n", harmless(err.Error()), harmless(refused.Code))
	default:
		fmt.Fprintf(w, "sayso: %s\n", harmless(err.Error()))
	}
	if errors.Is(err, syscall.ECONNREFUSED) && cmd.Flag("dir") == nil { // a remote command
		fmt.Fprintf(w, "Is the vault being served? %s says where it is asked.\n", envURL)
	}
}

// harmless is a text of lines in which a terminal finds no order, whoever answered.
func harmless(text string) string {
	if !strings.ContainsFunc(text, orders) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if orders(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func orders(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }

// before returns text and what follows it, or nothing for no text.
func before(text, what string) string {
	if text == "" {
		return ""
	}
	return text + what
}

// after returns text and what comes before it, or nothing for no text.
func after(what, text string) string {
	if text == "" {
		return ""
	}
	return what + text
}

// toldError is an end that needs no more words: the command said it all.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

// answeredError is an end of which machines were told all, and people need the
// sentence.
type answeredError struct{ error }

func (e *answeredError) Unwrap() error { return e.error }

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
