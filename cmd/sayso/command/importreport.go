package command

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// tell says what became of a file.
func (r importReport) tell(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d of %s imported: %d new to this channel, %d it knew before.\n", r.Imported, count(r.Rows, "row"), r.Created, r.Known)
	if r.Rejected > 0 {
		fmt.Fprintf(&b, "%s rejected; %s says which lines, and why:\n", count(r.Rejected, "row"), r.Rejects)
	}
	const most = 20
	for i, c := range r.Why {
		if i == most {
			fmt.Fprintf(&b, "  … and %s\n", count(len(r.Why)-most, "other reason"))
			break
		}
		field := c.Field
		if field == "" {
			field = "the row"
		}
		fmt.Fprintf(&b, "  %d × %s: %s (%s)\n", c.Count, field, c.Detail, c.Code)
	}
	_, err := w.Write(b.Bytes())
	return err
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
		return nil, err
	}
	r := &rejectsFile{file: f, csv: csv.NewWriter(f), empty: true}
	return r, r.csv.Write(rejectsHeader)
}

func (r *rejectsFile) add(one reject) error {
	r.empty = false
	return r.csv.Write([]string{strconv.Itoa(one.line), one.field, one.code, one.detail})
}

// close ends the file; one that lists nothing is removed.
func (r *rejectsFile) close() error {
	r.csv.Flush()
	err := errors.Join(r.csv.Error(), r.file.Close())
	if r.empty {
		err = errors.Join(err, os.Remove(r.file.Name()))
	}
	return err
}
