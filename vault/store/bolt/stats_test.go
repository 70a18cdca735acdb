package bolt

import (
	"path/filepath"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// Whoever runs a vault sees each commit and each sync once, with how much it
// made durable and how long it took.
func TestStatsTellEveryCommitAndSync(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(Config{Path: filepath.Join(dir, "vault.db"), Log: filepath.Join(dir, "log"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ledger, err := OpenLedger(filepath.Join(dir, "ledger"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	for range 3 {
		if _, err := db.Append(t.Context(), []byte("entry")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Update(t.Context(), func(tx store.Tx) error { return tx.Put("people", []byte("k"), []byte("v")) }); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Append(t.Context(), []byte("entry")); err != nil {
		t.Fatal(err)
	}
	s, l := db.Stats(), ledger.Stats()
	for what, got := range map[string]Spread{"syncs of the log": s.SyncTook, "entries a sync": s.SyncOf} {
		if all(got) != 3 || got.Sum < 3 {
			t.Errorf("%s: got %d in all with a sum of %d, want 3", what, all(got), got.Sum)
		}
	}
	if s.SyncOf.Counts[0] != 3 || s.SyncOf.Sum != 3 {
		t.Errorf("entries a sync: got %v, want three of one", s.SyncOf)
	}
	if all(s.CommitTook) != s.Commits || all(s.CommitOf) != s.Commits || s.Commits == 0 || uint64(s.CommitOf.Sum) != s.Updates {
		t.Errorf("commits: got %d and %d in the spreads, want %d; updates %d, want %d", all(s.CommitTook), all(s.CommitOf), s.Commits, s.CommitOf.Sum, s.Updates)
	}
	if l.Entries != 1 || all(l.SyncTook) != 1 || l.SyncTook.Sum == 0 {
		t.Errorf("the ledger: got %+v, want one entry and one sync", l)
	}
	if s.LogBytes < 1<<20 {
		t.Errorf("the log's files: got %d bytes, want what is prepared for it too", s.LogBytes)
	}
}

func all(s Spread) uint64 { return s.Counts[len(s.Counts)-1] }

// What is as large as a bound is within it, what is larger than all is still
// counted.
func TestASpreadIsCountedUpToItsBounds(t *testing.T) {
	var c tally
	bounds := []int64{1, 4}
	for _, n := range []int64{1, 2, 4, 5, 900} {
		c.add(bounds, n)
	}
	got := c.spread(bounds)
	if got.Counts[0] != 1 || got.Counts[1] != 3 || got.Counts[2] != 5 || got.Sum != 912 {
		t.Errorf("got %+v, want 1, 3 and 5 with a sum of 912", got)
	}
}
