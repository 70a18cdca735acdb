package command

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// importNote lies beside a file while its import is not done. How far it is the
// vault alone knows; the note says what was begun, so that a file that was changed
// since is not taken for another one, of which every row would be new.
type importNote struct {
	Format  int       `json:"v"`
	Import  string    `json:"import"`
	File    string    `json:"file"`    // hash of what it held
	Mapping string    `json:"mapping"` // and of the mapping
	Again   string    `json:"again,omitempty"`
	Began   time.Time `json:"began"`
}

// newNote names an import by what its file and its mapping hold, and by a word if
// what was imported before is to be imported again.
func newNote(file, mapping [sha256.Size]byte, again string) importNote {
	h := sha256.New()
	fmt.Fprintf(h, "sayso import 1\n%x\n%x\n%s\n", file, mapping, again)
	return importNote{Format: 1, Import: hex.EncodeToString(h.Sum(nil)), File: hex.EncodeToString(file[:]), Mapping: hex.EncodeToString(mapping[:]),
		Again: again, Began: time.Now().UTC().Truncate(time.Second)}
}

// anotherTime is the word of an import of what was imported before.
func anotherTime() string { return rand.Text() }

// readNote returns what was begun and not done, nil for nothing.
func readNote(path string) (*importNote, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := new(importNote)
	if err := json.Unmarshal(text, n); err != nil || n.Format != 1 || len(n.Import) != 2*sha256.Size {
		return nil, fmt.Errorf("%s is no note of an import: move it away, or name another with --state", path)
	}
	return n, nil
}

// write puts the note in its place, whole or not at all.
func (n importNote) write(path string) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	// Of a name of its own: another run of the same import may write one too.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return fmt.Errorf("noting what is imported: %w (--state names another place)", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("noting what is imported: %w (--state names another place)", err)
	}
	return nil
}
