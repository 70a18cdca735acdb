package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
)

func newImport() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import --mapping M.yaml FILE.csv",
		Short: "Capture the people in a CSV file",
		Long: `import captures a person for each row of a CSV file, as the channel whose
credentials SAYSO_CLIENT_ID and SAYSO_CLIENT_SECRET are. The mapping says which
columns fill which fields:

  fields:
    email: Email                      # the column's name
    given_name: {column: First name}  # the same, written out
    birthdate: {column: Born, date: DD.MM.YYYY}
    newsletter: {column: News, as: boolean}
    locale: {constant: de}            # the same for every row
    address:                          # one field of several columns
      parts:
        street_address: {columns: [Street, No]}
        locality: City
        country: {constant: DE}
  verified: [email]                   # fields this channel has verified
  purposes: [order-fulfilment]        # grounds to begin (default: the channel's)
  observed_at: {column: Changed}      # when the person said so (default: now)
  separator: ";"                      # between cells (default: a comma)

An empty cell leaves its field out. A row is imported whole or not at all; what
is rejected is listed by line in a file of its own, without any value. Rows that
carry an identifier can be imported again: what is known stays as it is.`,
		Example: `  sayso import --mapping mapping.yaml customers.csv
  sayso import --mapping mapping.yaml customers.csv --rejects rejected.csv -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			return o.run(cmd)
		},
	}
	cmd.Flags().StringVar(&o.mapping, "mapping", "", "file that says which columns fill which fields")
	cmd.Flags().StringVar(&o.rejects, "rejects", "", "file for what is rejected (default: FILE.rejects.csv)")
	completes(cmd, map[string]completer{"mapping": files("yaml", "yml")})
	return cmd
}

type importOptions struct{ file, mapping, rejects string }

// importReport is what became of a file.
type importReport struct {
	File     string        `json:"file"`
	Rows     int           `json:"rows"`
	Imported int           `json:"imported"`
	Created  int           `json:"created"` // new to this channel
	Known    int           `json:"known"`   // this channel had captured them before
	Rejected int           `json:"rejected"`
	Rejects  string        `json:"rejects,omitempty"` // the file that lists them
	Why      []importCause `json:"why"`
}

// importCause is a reason for rejects, and how many rows have it.
type importCause struct {
	Field  string `json:"field,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Count  int    `json:"count"`
}

func (o *importOptions) run(cmd *cobra.Command) (err error) {
	if o.mapping == "" {
		return misuse("--mapping is missing: which column fills which field?")
	}
	if o.rejects == "" {
		o.rejects = o.file + ".rejects.csv"
	}
	text, err := os.ReadFile(o.mapping)
	if err != nil {
		return err
	}
	m, err := parseMapping(o.mapping, text)
	if err != nil {
		return err
	}
	file, err := os.Open(o.file)
	if err != nil {
		return err
	}
	defer file.Close()
	rows, t, err := countRows(file, m)
	if errors.As(err, new(*mappingError)) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was imported", o.file, err)
	}
	if rows == 0 {
		return fmt.Errorf("%s: there is no row under the names of the columns; nothing was imported", o.file)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%s is read twice, so it must be a file: %w", o.file, err)
	}
	vault, err := remote()
	if err != nil {
		return err
	}
	who, err := vault.Whoami(cmd.Context())
	if err != nil {
		return err
	}
	if err := m.allowed(who); err != nil {
		return err
	}
	list, err := openRejects(o.rejects, o.file, o.mapping)
	if err != nil {
		return err
	}
	i := &importing{vault: vault, mapping: m, rejects: list, report: importReport{File: filepath.Base(o.file), Rows: rows, Why: []importCause{}}}
	if !forMachines(cmd) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Importing %s of %s as channel %s.", count(rows, "row"), i.report.File, who.Channel)
		if unused := t.unused(m); unused > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), " Of its %s the mapping leaves %d aside.", count(len(t.header), "column"), unused)
		}
		fmt.Fprintln(cmd.ErrOrStderr())
		if isTerminal(cmd.ErrOrStderr()) {
			i.progress = func(r *importReport) {
				fmt.Fprintf(cmd.ErrOrStderr(), "\r%d of %d rows, %d rejected ", r.Imported+r.Rejected, r.Rows, r.Rejected)
			}
		}
	}
	err = i.run(cmd.Context(), file)
	if i.progress != nil {
		fmt.Fprintln(cmd.ErrOrStderr())
	}
	if err := list.close(); err != nil {
		return err
	}
	if i.report.Rejected > 0 {
		i.report.Rejects = o.rejects
	}
	if err != nil {
		return fmt.Errorf("%s: %w; %s", o.file, err, i.soFar())
	}
	if err := answer(cmd, i.report, i.report.tell); err != nil {
		return err
	}
	if i.report.Imported == 0 {
		return &toldError{errors.New("nothing was imported")}
	}
	return nil
}

// allowed checks that the channel may capture what the mapping fills, before
// every row is rejected for it.
func (m *mapping) allowed(who *wire.Whoami) error {
	if who.Channel == "" {
		return fmt.Errorf("these are an officer's credentials: an import is captured by a channel, so use a channel's")
	}
	var problems []string
	for _, f := range m.fields {
		if !slices.Contains(who.Captures, f.name) {
			problems = append(problems, fmt.Sprintf("%s: channel %s does not capture %s", f.where, who.Channel, f.name))
		}
	}
	for _, p := range m.purposes {
		if !slices.Contains(who.Purposes, p) {
			problems = append(problems, fmt.Sprintf("%s: channel %s does not have the purpose %s", m.fields[0].where.file, who.Channel, p))
		}
	}
	if problems != nil {
		return &mappingError{problems}
	}
	return nil
}
