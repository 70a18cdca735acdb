package command

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// importReport is what became of a file, or with a dry run what would.
type importReport struct {
	File     string     `json:"file"`
	DryRun   bool       `json:"dry_run,omitzero"`
	Import   string     `json:"import,omitempty"`
	Rows     int        `json:"rows"`
	Accepted int        `json:"accepted,omitzero"` // of a dry run: nobody was looked up
	Imported int        `json:"imported"`
	Created  int        `json:"created"` // new to this channel
	Known    int        `json:"known"`   // this channel had captured them before
	Rejected int        `json:"rejected"`
	LeftOut  int        `json:"left_out"`           // by the mapping's only
	Nameless int        `json:"without_identifier"` // each import of these makes somebody new
	Before   int        `json:"before,omitzero"`    // rows that were done with before this run
	Already  *time.Time `json:"already,omitempty"`  // all of them, since

	Fields   map[privacy.FieldName]int `json:"fields"` // in how many rows each has something
	Consents []importActs              `json:"consents,omitempty"`
	Grounds  []importActs              `json:"grounds,omitempty"`

	Rejects string        `json:"rejects,omitempty"` // the file that lists them
	Why     []importCause `json:"why"`

	done uint64 // rows that were settled
}

// importActs is how many rows tell of an act of say-so, or begin a ground.
type importActs struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Status  string            `json:"status,omitempty"`
	Rows    int               `json:"rows"`
}

// importCause is a reason for rejects, and how many rows have it.
type importCause struct {
	Field  string `json:"field,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Count  int    `json:"count"`
}

// why counts a reason for a reject.
func (r *importReport) why(one reject) {
	k := slices.IndexFunc(r.Why, func(c importCause) bool { return c.Field == one.field && c.Code == one.code && c.Detail == one.detail })
	if k < 0 {
		k = len(r.Why)
		r.Why = append(r.Why, importCause{Field: one.field, Code: one.code, Detail: one.detail})
	}
	r.Why[k].Count++
}

// tallied takes over what was counted of the file, and how far the vault says
// that the import is.
func (r *importReport) tallied(m *mapping, t *tally, now *wire.Import) {
	r.LeftOut, r.Nameless, r.Rejected = t.leftOut, t.nameless, r.Rejected+t.rejected
	for i, f := range m.fields {
		r.Fields[f.name] = t.filled[i]
	}
	for i := range m.consents {
		for _, status := range slices.Sorted(maps.Keys(t.said[i])) {
			r.Consents = append(r.Consents, importActs{m.consents[i].purpose, status, t.said[i][status]})
		}
	}
	for i := range m.grounds {
		r.Grounds = append(r.Grounds, importActs{Purpose: m.grounds[i].purpose, Rows: t.begun[i]})
	}
	slices.SortStableFunc(r.Why, func(a, b importCause) int { return cmp.Compare(b.Count, a.Count) })
	if now != nil {
		r.Created, r.Known = int(now.Created), int(now.Known)
		r.Rejected += int(now.Rejected)
		r.Imported = r.Created + r.Known
	} else {
		r.Accepted = r.Rows - r.Rejected - r.LeftOut
	}
}

// tell says what became of a file.
func (r importReport) tell(w io.Writer) error {
	var b bytes.Buffer
	switch {
	case r.DryRun:
		fmt.Fprintf(&b, "Nothing was imported: this was a dry run. Of %s %d would be accepted.\n", count(r.Rows, "row"), r.Accepted)
	case r.Already != nil:
		fmt.Fprintf(&b, "%s was imported with this mapping before, until %s; nothing was sent (--again imports it once more).\n", r.File, r.Already.UTC().Format(time.DateTime))
		fallthrough
	default:
		fmt.Fprintf(&b, "%d of %s imported: %d new to this channel, %d it knew before.\n", r.Imported, count(r.Rows, "row"), r.Created, r.Known)
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "%s left out, as the mapping's only says.\n", count(r.LeftOut, "row"))
	}
	if r.DryRun {
		r.tellContents(&b)
	}
	if r.Rejected > 0 {
		verb := "rejected"
		if r.DryRun {
			verb = "would be rejected"
		}
		fmt.Fprintf(&b, "%s %s; %s says which lines, and why:\n", count(r.Rejected, "row"), verb, r.Rejects)
	}
	const most = 20
	for i, c := range r.Why {
		if i == most {
			fmt.Fprintf(&b, "  … and %s\n", count(len(r.Why)-most, "other reason"))
			break
		}
		fmt.Fprintf(&b, "  %d × %s: %s (%s)\n", c.Count, cmp.Or(c.Field, "the row"), c.Detail, c.Code)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// tellContents says what a file tells of whom.
func (r importReport) tellContents(b *bytes.Buffer) {
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		fmt.Fprintf(b, "  %d × %s\n", r.Fields[name], name)
	}
	for _, c := range r.Consents {
		fmt.Fprintf(b, "  %d × %s for %s\n", c.Rows, c.Status, c.Purpose)
	}
	for _, g := range r.Grounds {
		fmt.Fprintf(b, "  %d × a ground for %s\n", g.Rows, g.Purpose)
	}
	if r.Nameless > 0 {
		fmt.Fprintf(b, "%s no identifier: whoever they are of is not known again, and is somebody new in each import.\n", has(r.Nameless, "row"))
	}
}

func has(n int, what string) string {
	if n == 1 {
		return count(n, what) + " has"
	}
	return count(n, what) + " have"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// rejectsFile lists rows that were not imported: line, field, code and detail,
// never a value.
type rejectsFile struct {
	file  *os.File
	csv   *csv.Writer
	empty bool
}

var rejectsHeader = []string{"line", "field", "code", "detail"}

// openRejects begins the file anew. It overwrites the rejects of an earlier run
// and nothing else.
func openRejects(path string, not ...string) (*rejectsFile, error) {
	if old, err := os.ReadFile(path); err == nil {
		at, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		for _, other := range not {
			if is, err := os.Stat(other); err == nil && os.SameFile(at, is) {
				return nil, misuse("--rejects %s would overwrite what is imported", path)
			}
		}
		if len(old) > 0 && !bytes.HasPrefix(old, []byte("line,field,code,detail\n")) {
			return nil, misuse("%s is there and lists no rejects: name another file with --rejects", path)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("listing what is rejected: %w (--rejects names another place)", err)
	}
	r := &rejectsFile{file: f, csv: csv.NewWriter(f), empty: true}
	err = r.csv.Write(rejectsHeader)
	r.csv.Flush() // another run of the same import knows the file by it
	return r, errors.Join(err, r.csv.Error())
}

func (r *rejectsFile) add(one reject) error {
	r.empty = false
	return r.csv.Write([]string{strconv.Itoa(one.line), one.field, one.code, one.detail})
}

// close ends the file; one that lists nothing is removed, unless another run of
// the same import did that.
func (r *rejectsFile) close() error {
	r.csv.Flush()
	err := errors.Join(r.csv.Error(), r.file.Close())
	if r.empty {
		if gone := os.Remove(r.file.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
