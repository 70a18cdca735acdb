package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A timer starts an import that is still running, and somebody does so by hand: all
// see it through, and each person is there once, also those whom nothing identifies.
func TestTheSameImportRunSixTimesAtOnce(t *testing.T) {
	s := serveVaultOf(t, killedRegister)
	const rows = 200
	file, mapping := filepath.Join(s.dir, "people.csv"), filepath.Join(s.dir, "mapping.yaml")
	for path, text := range map[string]string{file: "Name\n" + strings.Repeat("Asli\n", rows), mapping: "fields: {given_name: Name}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := s.people()
	var runs sync.WaitGroup
	for range 6 {
		runs.Go(func() {
			out, err := s.sayso(append(s.client[:2:2], "SAYSO_URL=http://"+s.at), "import", "--mapping", mapping, file, "--rows-at-once", "10")
			if want := fmt.Sprintf("%d of %d rows imported: %d new to this channel, 0 it knew before.\n", rows, rows, rows); err != nil || !strings.HasSuffix(string(out), want) {
				t.Errorf("one of six: %v\n%s", err, out)
			}
		})
	}
	runs.Wait()
	if got := s.people() - before; got != rows {
		t.Errorf("people: got %d, want %d", got, rows)
	}
	left, err := filepath.Glob(file + ".import*")
	if err != nil || len(left) > 0 {
		t.Errorf("left beside the file: %q, %v", left, err)
	}
}

// people stops the vault, counts whom it knows, and starts it again.
func (s *process) people() int {
	s.t.Helper()
	s.kill(os.Interrupt)
	n := s.contents()["standing"]
	s.start()
	return n
}
