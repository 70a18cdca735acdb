package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// maxInput bounds what is read of a file or of stdin, in bytes.
const maxInput = 16 << 20

// readInput reads a file, or stdin if file is "" or "-".
func readInput(cmd *cobra.Command, file, what string) ([]byte, error) {
	in := cmd.InOrStdin()
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", what, err)
		}
		defer f.Close()
		in = f
	} else if isTerminal(in) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Type %s, then Ctrl-D:\n", what)
	}
	b, err := unlessInterrupted(cmd.Context(), func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxInput+1)) })
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err == nil && len(b) > maxInput {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return b, nil
}

// unlessInterrupted reads something, and returns early if ctx ends: a read of a
// terminal or a pipe does not.
func unlessInterrupted(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type got struct {
		text []byte
		err  error
	}
	done := make(chan got, 1)
	go func() {
		text, err := read()
		done <- got{text, err}
	}()
	select {
	case all := <-done:
		return all.text, all.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readJSON reads a JSON text strictly into a shape. What is wrong with it is
// told by place, never by repeating it: it may hold personal values.
func readJSON(cmd *cobra.Command, file, what string, into any) error {
	b, err := readInput(cmd, file, what)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return fmt.Errorf("reading %s: there is nothing to read", what)
	}
	err = json.Unmarshal(b, into, json.RejectUnknownMembers(true))
	var shape *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrOneIdentifier):
		return fmt.Errorf("reading %s: %w", what, wire.ErrOneIdentifier)
	case errors.As(err, &syntax):
		return fmt.Errorf("reading %s: it is not one JSON value, from byte %d on", what, syntax.ByteOffset)
	case errors.As(err, &shape) && errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("reading %s: it has a member that is not known here, at byte %d", what, shape.ByteOffset)
	case errors.As(err, &shape):
		return fmt.Errorf("reading %s: what stands at byte %d is not of the shape that was expected", what, shape.ByteOffset)
	}
	return fmt.Errorf("reading %s: it is not of the shape that was expected", what)
}

// readSubject takes a person by ID from the arguments, or by identifier from
// stdin: an identifier is a personal value.
func readSubject(cmd *cobra.Command, args []string) (s wire.Subject, err error) {
	if len(args) > 0 {
		id, err := privacy.ParseSubjectID(args[0])
		if err != nil || id == privacy.Nobody {
			return s, misuse(`a person is named by "sub_…" here; an identifier such as {"email": "…"} comes on stdin`)
		}
		return wire.Subject{ID: id}, nil
	}
	err = readJSON(cmd, "", `the person, such as {"email": "ana@example.org"}`, &s)
	if err == nil && s.IsZero() {
		err = errors.New("nobody is named")
	}
	return s, err
}
