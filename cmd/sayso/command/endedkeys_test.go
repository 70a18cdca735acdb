package command

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A copy of the keys that ended is not restored, and goes with the next backup.
// Who gives it another day finds that its manifest is none of this vault's.
func TestACopyOfTheKeysThatEndedIsNotRestored(t *testing.T) {
	p := newPatient(t, soundRegister, time.Time{})
	place := backup.Folder(t.TempDir())
	ctx := context.Background()
	backUp := func() string {
		f, err := openFolder(ctx, p.Dir, vaulttest.Root(), slog.New(slog.DiscardHandler))
		p.check(err)
		b := backupRun{what: vault.Copying{ID: backup.NewID(time.Now()), Data: true, Keys: true}, data: place, keys: place,
			retention: backup.Retention{Now: time.Now()}, progress: func(string, uint64, uint64) {}}
		_, err = b.run(ctx, f)
		p.check(err)
		p.check(f.Close())
		return b.what.ID
	}
	id := backUp()
	kept := backup.Copy{Place: place, Kind: backup.Keys, ID: id}
	m, err := kept.Manifest(ctx)
	p.check(err)
	rewrite := func(until time.Time, seal bool) {
		m.Until = until
		if seal { // as the vault did on a day that is long ago
			p.check(m.Seal(p.Keyring.MAC))
		}
		b, err := m.Marshal()
		p.check(err)
		p.check(os.WriteFile(filepath.Join(string(place), "keys", id, backup.ManifestFile), b, 0o600))
	}
	restore := func() error {
		s, err := openStaging(p.Dir)
		p.check(err)
		o := &restoreOptions{dir: p.Dir, data: string(place), keys: string(place)}
		_, err = o.restore(ctx, s, vaulttest.Root(), func(string, uint64, uint64) {})
		if err != nil {
			p.check(s.clear())
		}
		p.check(s.Close())
		return err
	}
	files := func() string { // without the folder itself: a name came and went
		_, rest, _ := strings.Cut(p.picture(), "\n")
		return rest
	}
	was := files()
	rewrite(time.Now().Add(-time.Minute), true)
	if err := restore(); err == nil || !strings.Contains(err.Error(), "ended on") {
		t.Errorf("a copy that ended: got %v", err)
	}
	rewrite(time.Now().AddDate(1, 0, 0), false)
	if err := restore(); err == nil || !strings.Contains(err.Error(), "edited") {
		t.Errorf("a copy that was given another day: got %v", err)
	}
	if files() != was {
		t.Error("a refused restore changed the folder")
	}
	rewrite(time.Now().Add(-time.Minute), true)
	next := backUp()
	if ids, err := place.Copies(ctx, backup.Keys); err != nil || len(ids) != 1 || ids[0] != next {
		t.Errorf("copies of keys after the next backup: got %v, %v, want %s alone", ids, err, next)
	}
	if err := restore(); err != nil {
		t.Errorf("the next: %v", err)
	}
}
