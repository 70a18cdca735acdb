package command

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newImport() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import --mapping M.yaml FILE",
		Short: "Capture the people in a CSV or NDJSON file",
		Long: `import captures a person for each row of a file, as the channel whose
credentials SAYSO_CLIENT_ID and SAYSO_CLIENT_SECRET are. The file is CSV with the
names of its columns in the first line, or NDJSON: a JSON object a line (.ndjson
or .jsonl). The mapping says which columns fill which fields, and which of them
tell of consents and grounds:

  fields:
    email: Email                      # the column's name
    given_name: {column: Name, split: " ", part: first}
    birthdate: {column: Born, date: DD.MM.YYYY}
    locale: {constant: de}            # the same for every row
    address:                          # one field of several columns
      parts:
        street_address: {columns: [Street, No]}
        country: {constant: DE}
  verified: [email]                   # fields this channel has verified
  consents:
    - purpose: newsletter
      status: {column: Status, values: {subscribed: given, unsubscribed: withdrawn}}
      at: {column: Opt-in, zone: Europe/Berlin}
      method: double_opt_in
      evidence: {ip: Confirm IP}
  grounds:
    - {purpose: order-fulfilment, ref: {column: Order}, since: {column: Ordered}}

docs/import.md has all of it, and examples/ what a CRM, a mail tool and a shop
export.

A row is imported whole or not at all; what is rejected is listed by line in a
file of its own, without any value. With --dry-run all is checked, nothing is
kept, and a report says what would be.

The vault keeps how far an import is. One that was interrupted, or killed, or
whose vault was, goes on where it was when the same command is run again, and no
row is in twice. A note beside the file (FILE.import) says that it is not done:
if the file or the mapping changed since, import says so instead of taking it for
another one.`,
		Example: `  sayso import --mapping mapping.yaml --dry-run customers.csv
  sayso import --mapping mapping.yaml customers.csv
  sayso import --mapping orders.yaml orders.ndjson --rejects rejected.csv -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			return o.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.mapping, "mapping", "", "file that says which columns fill which fields")
	flags.StringVar(&o.rejects, "rejects", "", "file for what is rejected (default: FILE.rejects.csv)")
	flags.StringVar(&o.state, "state", "", "file that notes an import that is not done (default: FILE.import)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "check everything, keep nothing, and report what would be")
	flags.BoolVar(&o.again, "again", false, "import what was imported before once more")
	flags.IntVar(&o.atOnce, "rows-at-once", pieceRows, "rows of one transaction of the vault: fewer keep others waiting for less")
	flags.DurationVar(&o.patience, "patience", time.Minute, "how long to wait for a vault that does not answer")
	completes(cmd, map[string]completer{"mapping": files("yaml", "yml")})
	return cmd
}

type importOptions struct {
	file, mapping, rejects, state string
	dryRun, again                 bool
	patience                      time.Duration
	atOnce                        int
}

func (o *importOptions) run(cmd *cobra.Command) (err error) {
	if o.mapping == "" {
		return misuse("--mapping is missing: which column fills which field?")
	}
	if o.atOnce < 1 || o.atOnce > mostRows {
		return misuse("--rows-at-once is 1 to %d", mostRows)
	}
	for name, path := range map[string]*string{".rejects.csv": &o.rejects, ".import": &o.state} {
		if *path == "" {
			*path = o.file + name
		}
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
	was, err := file.Stat()
	if err != nil {
		return err
	}
	found, err := takeSurvey(file, o.file, m)
	if errors.As(err, new(*mappingError)) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was imported", o.file, err)
	}
	if found.rows == 0 {
		return fmt.Errorf("%s: there is no row in it; nothing was imported", o.file)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%s is read twice, so it must be a file: %w", o.file, err)
	}
	vault, err := remote()
	if err != nil {
		return err
	}
	i := &importing{vault: vault, mapping: m, file: file, was: was, survey: found, patience: o.patience, atOnce: o.atOnce, bar: newBar(cmd), verb: o.verb(),
		report: &importReport{File: filepath.Base(o.file), Rows: found.rows, DryRun: o.dryRun, Fields: map[privacy.FieldName]int{}, Why: []importCause{}}}
	who, err := o.meet(cmd, i)
	if err != nil {
		return err
	}
	if err := m.allowed(who); err != nil {
		return err
	}
	if !o.dryRun {
		if err := o.begin(cmd.Context(), i, sha256.Sum256(text)); err != nil {
			return err
		}
	}
	if i.rejects, err = openRejects(o.rejects, o.file, o.mapping); err != nil {
		return err
	}
	o.tellBeginning(cmd, i, who)
	if err := o.bring(cmd, i, who); err != nil {
		return err
	}
	if err := answer(cmd, i.report, i.report.tell); err != nil {
		return err
	}
	if i.report.Imported+i.report.Accepted == 0 {
		return &toldError{errors.New("nothing was imported")}
	}
	return nil
}

// meet finds out what the channel may do, waiting for a vault that is away, and says
// so once.
func (o *importOptions) meet(cmd *cobra.Command, i *importing) (who *wire.Whoami, err error) {
	told := forMachines(cmd)
	err = i.patiently(cmd.Context(), nil, func() (err error) {
		who, err = i.vault.Whoami(cmd.Context())
		if _, again := mayTry(err); err != nil && again && !told && o.patience > 0 {
			told = true
			fmt.Fprintf(cmd.ErrOrStderr(), "The vault is not there (%v). Waiting for it, at most %s.\n", err, o.patience)
		}
		return err
	})
	return who, err
}

// begin finds out which import this is and how far it is, and notes that it is
// begun.
func (o *importOptions) begin(ctx context.Context, i *importing, mapping [sha256.Size]byte) error {
	note := newNote(i.survey.sum, mapping, "")
	begun, err := readNote(o.state)
	if err != nil {
		return err
	}
	same := begun != nil && begun.File == note.File && begun.Mapping == note.Mapping
	switch {
	case same && (!o.again || begun.Again != ""): // the same command goes on
		note = *begun
	case o.again:
		note = newNote(i.survey.sum, mapping, anotherTime())
	case begun != nil:
		if err := o.refuseChanged(ctx, i, begun, note); err != nil {
			return err
		}
	}
	i.before, err = i.known(ctx, note.Import)
	if notBegun(err) {
		i.before, err = nil, nil
	}
	if err != nil {
		return err
	}
	if i.before != nil && i.before.Next == i.before.Rows && i.before.Created+i.before.Known == 0 {
		// Nothing of it is in: what the vault rejected it may well take now.
		i.before, note = nil, newNote(i.survey.sum, mapping, anotherTime())
	}
	i.id, i.report.Import = note.Import, note.Import
	if i.before != nil {
		i.report.Before = int(i.before.Next)
		if i.before.Next == i.before.Rows {
			i.report.Already = &i.before.ChangedAt
			return nil
		}
	}
	return note.write(o.state)
}

// refuseChanged refuses what is not what was begun, unless that is done.
func (o *importOptions) refuseChanged(ctx context.Context, i *importing, begun *importNote, note importNote) error {
	then, err := i.known(ctx, begun.Import)
	if notBegun(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if then.Next == then.Rows {
		return nil
	}
	changed := o.file
	if begun.File == note.File {
		changed = o.mapping
	}
	return fmt.Errorf("%s has changed since its import began, of which %d of %s are in: put it back as it was and run the same command again to go on, or import what is there now from its first row with --again",
		changed, then.Next, count(int(then.Rows), "row"))
}

func (o *importOptions) verb() string {
	if o.dryRun {
		return "Checking"
	}
	return "Importing"
}

func (o *importOptions) tellBeginning(cmd *cobra.Command, i *importing, who *wire.Whoami) {
	if forMachines(cmd) {
		i.bar = &bar{}
		return
	}
	w := cmd.ErrOrStderr()
	fmt.Fprintf(w, "%s %s of %s as channel %s.", o.verb(), count(i.survey.rows, "row"), i.report.File, who.Channel)
	if i.survey.unused > 0 {
		fmt.Fprintf(w, " Of its %s the mapping leaves %d aside.", count(i.survey.columns, "column"), i.survey.unused)
	}
	if i.report.Before > 0 && i.report.Already == nil {
		fmt.Fprintf(w, " %d are in already.", i.report.Before)
	}
	fmt.Fprintln(w)
}

// bring sends what is to be sent, and makes the report.
func (o *importOptions) bring(cmd *cobra.Command, i *importing, who *wire.Whoami) error {
	t := newTally(i.mapping)
	identifiers := make([]bool, len(i.mapping.fields))
	for k, f := range i.mapping.fields {
		identifiers[k] = slices.Contains(who.Identifiers, f.name)
	}
	hash := sha256.New()
	in, err := openRows(io.TeeReader(i.file, hash), o.file, i.mapping)
	if err == nil {
		i.show(uint64(i.report.Before))
		if o.dryRun {
			err = i.check(cmd.Context(), in, t, identifiers)
		} else {
			err = i.run(cmd.Context(), in, t, identifiers)
		}
		i.bar.end()
	}
	if err == nil && [sha256.Size]byte(hash.Sum(nil)) != i.survey.sum {
		err = errors.New("the file was changed while it was imported")
	}
	var now *wire.Import
	if err == nil && !o.dryRun {
		now, err = i.known(cmd.Context(), i.id)
	}
	if closing := i.rejects.close(); err == nil {
		err = closing
	}
	if err != nil && o.dryRun {
		return fmt.Errorf("%s: %w; this was a dry run, and nothing was imported", o.file, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; %s", o.file, err, i.soFar(cmd.Context()))
	}
	i.report.tallied(i.mapping, t, now)
	if i.report.Rejected > 0 {
		i.report.Rejects = o.rejects
	}
	if !o.dryRun {
		if err := os.Remove(o.state); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// allowed checks that the channel may do what the mapping says, before every row
// is rejected for it.
func (m *mapping) allowed(who *wire.Whoami) error {
	if who.Channel == "" {
		return fmt.Errorf("these are an officer's credentials: an import is captured by a channel, so use a channel's")
	}
	var problems []string
	bad := func(where place, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s: channel %s ", where, who.Channel)+fmt.Sprintf(format, args...))
	}
	for _, f := range m.fields {
		if !slices.Contains(who.Captures, f.name) {
			bad(f.where, "does not capture %s%s", f.name, slip(string(f.name), who.Captures))
		}
	}
	for _, p := range m.purposes {
		if !slices.Contains(who.Purposes, p) {
			bad(m.fields[0].where, "does not have the purpose %s%s", p, slip(string(p), who.Purposes))
		}
	}
	for _, g := range m.grounds {
		if !slices.Contains(who.Purposes, g.purpose) {
			bad(g.where, "does not have the purpose %s%s", g.purpose, slip(string(g.purpose), who.Purposes))
		}
	}
	for i := range m.consents {
		if c := &m.consents[i]; c.gives() && !slices.Contains(who.Obtains, c.purpose) {
			bad(c.where, "does not obtain consent for %s%s", c.purpose, slip(string(c.purpose), who.Obtains))
		}
	}
	if problems != nil {
		return &mappingError{problems}
	}
	return nil
}
