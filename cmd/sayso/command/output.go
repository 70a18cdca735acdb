package command

import (
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

// tell says why a command ends without being done. For machines, the vault's
// refusal goes to stdout as well, as the problem it came as.
func tell(cmd *cobra.Command, err error) {
	var refused *client.Error
	if errors.As(err, &refused) && forMachines(cmd) {
		_ = answer(cmd, &refused.Problem, nil)
	}
	var told *toldError
	if !errors.As(err, &told) {
		fmt.Fprintf(cmd.ErrOrStderr(), "sayso: %v\n", err)
	}
}

// toldError is an end that needs no more words: the command said it all.
type toldError struct{ error }

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
