package command

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// errPeople is a line of a list that names nobody. It never repeats the line.
var errPeople = errors.New(`"sub_…" or one identifier such as {"email": "ana@example.org"} was expected`)

// readList reads the people of a list, one a line, and writes an answer a line as
// they come. The vault answers while the list is still read, so it may be longer
// than memory, or a pipe.
func readList(cmd *cobra.Command, c *client.Client, file string, like wire.ReadRequest) error {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	walked := make(chan error, 1) // how the list ended, once it has
	asks := func(yield func(*wire.ReadRequest) bool) {
		lines := bufio.NewScanner(in)
		for n := 1; lines.Scan(); n++ {
			ask := like
			var err error
			if ask.Subject, err = personOf(lines.Bytes()); err != nil {
				walked <- fmt.Errorf("line %d of the list: %w", n, err)
				return
			}
			if !yield(&ask) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			walked <- fmt.Errorf("reading the list: %w", err)
		}
	}
	counts := map[int]int{}
	asked := 0
	for line, err := range c.ReadBatch(cmd.Context(), asks) {
		if err != nil {
			return err
		}
		asked++
		counts[line.Status]++
		if err := writeLine(cmd.OutOrStdout(), line); err != nil {
			return err
		}
	}
	select {
	case err := <-walked:
		return err
	default:
	}
	if !forMachines(cmd) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s read: %d released, %d denied, %d otherwise.\n",
			count(asked, "line"), counts[http.StatusOK], counts[http.StatusForbidden], asked-counts[http.StatusOK]-counts[http.StatusForbidden])
	}
	return nil
}

// personOf reads a line of a list.
func personOf(line []byte) (s wire.Subject, err error) {
	line = bytes.TrimSpace(line)
	if id, err := privacy.ParseSubjectID(string(line)); err == nil && id != privacy.Nobody {
		return wire.Subject{ID: id}, nil
	}
	if json.Unmarshal(line, &s) != nil || s.IsZero() {
		return s, errPeople
	}
	return s, nil
}
