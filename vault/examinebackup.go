package vault

import (
	"context"
	"fmt"
	"time"
)

// backupAge is after how long there should be a newer backup, youth for how long a
// vault can do without one.
const (
	backupAge = 7 * 24 * time.Hour
	youth     = 24 * time.Hour
)

// backups says when the vault was last backed up, as its ledger knows, and until
// when a copy of the keys can be restored.
func (e *examiner) backups(context.Context) error {
	now, last := e.v.cfg.Now(), e.ledger.copied.data
	f := Finding{Check: "backup", Level: Fine, What: "no backup of the data was kept yet"}
	switch {
	case last.IsZero() && now.Sub(e.ledger.begun) > youth:
		f.Level = Warning
		f.Means, f.Do = "If the disk is lost, so is everything.", "Make one with `sayso backup`, apart from this machine, from a timer."
	case last.IsZero():
	case now.Sub(last) > backupAge:
		f.Level, f.What = Warning, fmt.Sprintf("the last backup of the data is of %s, %d days ago", last.Format(time.DateOnly), int(now.Sub(last).Hours()/24))
		f.Means, f.Do = "If the disk is lost, so is everything since then; only what the ledger holds can be done again.", "Make one with `sayso backup`, and find out why none was made."
	default:
		f.What = fmt.Sprintf("the last backup of the data is of %s", last.Format(time.RFC3339))
	}
	if until := e.ledger.copied.keys; until.After(now) {
		f.What += fmt.Sprintf("; a copy of the keys can be restored until %s", until.Format(time.DateOnly))
	}
	e.Add(f)
	return nil
}
