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

// atTime is doctor on a day.
func (p *patient) atTime(now time.Time, backups string) *vault.Examination {
	p.t.Helper()
	d := &doctor{dir: p.Dir, backups: backups, now: func() time.Time { return now }, progress: func(string, uint64, uint64) {},
		Examination: &vault.Examination{Findings: []vault.Finding{}, LeftOut: []vault.LeftOut{}}}
	p.check(d.look(context.Background(), vaulttest.Root()))
	return d.Examination
}

// A vault that was never backed up, or not for long, is told so; and where copies
// of its keys that ended still lie.
func TestDoctorAsksForBackups(t *testing.T) {
	p := newPatient(t, soundRegister, time.Time{})
	place := t.TempDir()
	now := time.Now()
	said := func(now time.Time, check string) (vault.Level, string) {
		x := p.atTime(now, place)
		for _, f := range x.Findings {
			if f.Check == check {
				return f.Level, f.What + " " + strings.Join(f.About, " ")
			}
		}
		return "", ""
	}
	for _, c := range []struct {
		story string
		after time.Duration
		check string
		want  vault.Level
		says  string
	}{
		{"young, and none yet", time.Hour, "backup", vault.Fine, "no backup"},
		{"none after two days", 48 * time.Hour, "backup", vault.Warning, "no backup"},
		{"none there", time.Hour, "backups", vault.Fine, "0 backups of the data, 0 backups of the keys"},
	} {
		if level, what := said(now.Add(c.after), c.check); level != c.want || !strings.Contains(what, c.says) {
			t.Errorf("%s: got %s: %s, want %s that says %q", c.story, level, what, c.want, c.says)
		}
	}

	f, err := openFolder(t.Context(), p.Dir, vaulttest.Root(), slog.New(slog.DiscardHandler))
	p.check(err)
	b := backupRun{what: vault.Copying{ID: backup.NewID(now), Data: true, Keys: true}, data: backup.Folder(place), keys: backup.Folder(place),
		retention: backup.Retention{Now: now}, progress: func(string, uint64, uint64) {}}
	_, err = b.run(t.Context(), f)
	p.check(err)
	p.check(f.Close())
	for _, c := range []struct {
		story string
		after time.Duration
		check string
		want  vault.Level
		says  string
	}{
		{"just made", time.Hour, "backup", vault.Fine, "a copy of the keys can be restored until"},
		{"just made", time.Hour, "ended-keys", vault.Fine, ""},
		{"ten days ago", 241 * time.Hour, "backup", vault.Warning, "10 days ago"},
		{"ten days ago", 241 * time.Hour, "ended-keys", vault.Problem, filepath.Join(place, "keys", b.what.ID)},
		{"there", time.Hour, "backups", vault.Fine, "1 backup of the data, 1 backup of the keys, the newest of the data of"},
	} {
		if level, what := said(now.Add(c.after), c.check); level != c.want || !strings.Contains(what, c.says) {
			t.Errorf("%s: got %s: %s, want %s that says %q", c.story, level, what, c.want, c.says)
		}
	}
	p.check(os.WriteFile(filepath.Join(place, "data", b.what.ID, backup.ManifestFile), []byte("{}"), 0o600))
	if level, what := said(now, "backups"); level != vault.Warning || !strings.Contains(what, "1 manifest that cannot be read") {
		t.Errorf("a manifest that was emptied: got %s: %s", level, what)
	}
	place = filepath.Join(place, "nowhere")
	if level, _ := said(now, "backups"); level != vault.Problem {
		t.Errorf("a folder that is not there: got %s", level)
	}
}
