package command

import (
	"crypto/sha256"
	"os"
	"strings"
	"testing"
)

// halfDone is an import of which one row is in, as one that was killed leaves it.
func (s *shop) halfDone(file, mapping, again string) {
	s.t.Helper()
	text, err := os.ReadFile(mapping)
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := parseMapping(mapping, text)
	if err != nil {
		s.t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	found, err := takeSurvey(in, file, m)
	if err != nil {
		s.t.Fatal(err)
	}
	note := newNote(found.sum, sha256.Sum256(text), again)
	if err := note.write(file + ".import"); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.channels["shop"].ImportRows(s.t.Context(), note.Import, 0, uint64(found.rows), []byte(`{"fields":{"given_name":"Asli"}}`)); err != nil {
		s.t.Fatal(err)
	}
}

// An import was killed. While its file or its mapping is another one than what was
// begun it says so and sends nothing; put back it goes on, with its note or
// without. People without an identifier are there once.
func TestAFileThatChangedSinceItsImportBegan(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	const people = "E-Mail,Name,Street,Town\n,Asli,,\n,Bela,,\n,Carmen,,\n"
	file, mapping := write(t, "customers.csv", people), write(t, "mapping.yaml", importMapping)
	s.halfDone(file, mapping, "")
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(flags ...string) (string, error) {
		out, told, err := s.sayso("shop", append([]string{"import", "--mapping", mapping, file}, flags...)...)
		return told + out, err
	}
	refused := func(what string) {
		t.Helper()
		if _, err := run(); err == nil || !strings.HasPrefix(err.Error(), what+" has changed since its import began, of which 1 of 3 rows are in: put it back") {
			t.Errorf("%s changed: %v", what, err)
		}
	}
	put(file, people+",Dana,,\n")
	refused(file)
	put(file, people)
	put(mapping, importMapping+"# of another day\n")
	refused(mapping)
	put(mapping, importMapping)
	if note, err := os.ReadFile(file + ".import"); err != nil || strings.Contains(string(note), "Asli") {
		t.Errorf("the note: %s %v", note, err)
	}
	if out, err := run("--dry-run"); err != nil || !strings.Contains(out, "Of 3 rows 3 would be accepted.") || !strings.Contains(out, "3 rows have no identifier") {
		t.Errorf("a dry run beside it: %v\n%s", err, out)
	}

	if err := os.Remove(file + ".import"); err != nil { // the note is lost
		t.Fatal(err)
	}
	out, err := run()
	if err != nil || !strings.Contains(out, "1 are in already.") || !strings.Contains(out, "3 of 3 rows imported: 3 new to this channel, 0 it knew before.") {
		t.Fatalf("gone on: %v\n%s", err, out)
	}
	if _, err := os.Stat(file + ".import"); err == nil {
		t.Error("a note is left of an import that is done")
	}
	if out, err = run(); err != nil || !strings.Contains(out, "customers.csv was imported with this mapping before") {
		t.Errorf("once more: %v\n%s", err, out)
	}
	// Another file of the same name, another day, is another import.
	put(file, people+",Dana,,\n")
	if out, err = run(); err != nil || !strings.Contains(out, "4 of 4 rows imported: 4 new") {
		t.Errorf("another day: %v\n%s", err, out)
	}
	s.halfDone(file, mapping, "again, and killed")
	if out, err = run("--again"); err != nil || !strings.Contains(out, "1 are in already.") || !strings.Contains(out, "4 of 4 rows imported: 4 new") {
		t.Errorf("again on purpose, and killed: %v\n%s", err, out)
	}
	if out, err = run("--again"); err != nil || !strings.Contains(out, "4 of 4 rows imported: 4 new") {
		t.Errorf("again on purpose: %v\n%s", err, out)
	}
}

// What is no note is not taken for one, and not overwritten.
func TestANoteOverwritesNothing(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	file, mapping := write(t, "customers.csv", "E-Mail,Name,Street,Town\nasli@example.org,Asli,,\n"), write(t, "mapping.yaml", importMapping)
	diary := write(t, "diary.txt", "slept\n")
	_, _, err := s.sayso("shop", "import", "--mapping", mapping, file, "--state", diary)
	if text, _ := os.ReadFile(diary); err == nil || string(text) != "slept\n" || !strings.Contains(err.Error(), "is no note of an import") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := s.read("shop", "order-fulfilment", "asli@example.org"); err == nil {
		t.Error("somebody was imported")
	}
}

// A file that lacked its ground in the register is rejected whole; once the
// register has it, the same command brings it.
func TestWhatWasRejectedWholeCanBeBroughtAgain(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	file, mapping := write(t, "customers.csv", "E-Mail,Name,Street,Town\nasli(at)example.org,Asli,,\n"), write(t, "mapping.yaml", importMapping)
	for range 2 {
		if out, _, err := s.sayso("shop", "import", "--mapping", mapping, file); err == nil || !strings.Contains(out, "0 of 1 row imported") || strings.Contains(out, "before, until") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
