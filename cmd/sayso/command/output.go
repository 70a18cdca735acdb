package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sayso-vault/sayso/api/client"
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
	w := cmd.OutOrStdout()
	if !forMachines(cmd) {
		if human == nil {
			return nil
		}
		return human(w)
	}
	// This package of JSON shows personal values, which encoding/json hides: who
	// runs the command asked for them.
	b, err := json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// tell says why a command ends without being done: what is at fault by line,
// field by field, then one sentence. For machines, the vault's refusal goes to
// stdout as well, as the problem it came as.
func tell(cmd *cobra.Command, err error) {
	w := cmd.ErrOrStderr()
	var refused *client.Error
	if errors.As(err, &refused) {
		if forMachines(cmd) {
			_ = answer(cmd, &refused.Problem, nil)
		}
		for _, p := range refused.Problems {
			fmt.Fprintf(w, "%s%s:%d:%d: %s%s\n", p.File, p.Module, p.Line, p.Column, before(p.Key, ": "), p.Detail+p.Message)
		}
		for _, f := range refused.Errors {
			fmt.Fprintf(w, "%s: %s (%s)\n", f.Field, f.Detail, f.Code)
		}
	}
	var told *toldError
	switch {
	case errors.As(err, &told):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "sayso: interrupted")
	case refused != nil:
		fmt.Fprintf(w, "sayso: %v (%s)\n", err, refused.Code)
	default:
		fmt.Fprintf(w, "sayso: %v\n", err)
	}
}

// before returns text and what follows it, or nothing for no text.
func before(text, what string) string {
	if text == "" {
		return ""
	}
	return text + what
}

// toldError is an end that needs no more words: the command said it all.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
