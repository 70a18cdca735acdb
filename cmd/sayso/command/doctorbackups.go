package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
)

// keptBackups looks through a folder of backups for copies of the keys that
// ended. It reads manifests alone: whether a copy is whole, verify says.
func (d *doctor) keptBackups(ctx context.Context) error {
	if d.backups == "" {
		return nil
	}
	place := backup.Folder(d.backups)
	var ended, unread []string
	found := map[backup.Kind]int{}
	newest := time.Time{}
	_, err := os.Stat(d.backups)
	for _, kind := range []backup.Kind{backup.Data, backup.Keys} {
		var ids []string
		if err == nil {
			ids, err = place.Copies(ctx, kind)
		}
		for _, id := range ids {
			c := backup.Copy{Place: place, Kind: kind, ID: id}
			m, err := c.Manifest(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				unread = append(unread, c.Path())
				continue
			case m.Ended(d.now()):
				ended = append(ended, c.Path())
			}
			if found[kind]++; kind == backup.Data && m.At.After(newest) {
				newest = m.At
			}
		}
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		d.Add(vault.Finding{Check: "backups", Level: vault.Problem, What: fmt.Sprintf("the backups in %s cannot be looked at: %v", d.backups, err),
			Means: "Whether there is a backup to restore from is not known.", Do: "Give the folder that `sayso backup` writes to, and run doctor as a user who may read it."})
		return nil
	}
	if len(ended) > 0 {
		d.Add(vault.Finding{Check: "ended-keys", Level: vault.Problem, What: fmt.Sprintf("%s of the keys ended and still there", count(len(ended), "backup")), About: ended,
			Means: "Whoever was erased since was told that no copy of the keys opens anything of theirs any more. These still can, with the data of then and the passphrase.",
			Do:    "Delete them, and wherever else they were copied to; the next `sayso backup` to this folder does it here."})
	} else {
		d.Add(vault.Finding{Check: "ended-keys", Level: vault.Fine, What: "no copy of the keys there has ended"})
	}
	f := vault.Finding{Check: "backups", Level: vault.Fine, What: fmt.Sprintf("in %s: %s of the data, %s of the keys", d.backups, count(found[backup.Data], "backup"), count(found[backup.Keys], "backup"))}
	if !newest.IsZero() {
		f.What += ", the newest of the data of " + newest.UTC().Format(time.RFC3339)
	}
	if len(unread) > 0 {
		f.Level, f.About = vault.Warning, unread
		f.What += fmt.Sprintf(", and %s that cannot be read", count(len(unread), "manifest"))
		f.Means, f.Do = "They are no backups to count on.", "Look at them with `sayso backup verify --all`."
	}
	d.Add(f)
	return nil
}
