package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// keyring looks at the keyring and opens it, if it can. Else it says why not.
func (d *doctor) keyring(root keys.Root) (ring *keys.Keyring, why string) {
	if d.present[fileKeyring] == nil {
		return nil, "the keyring is missing"
	}
	bad := func(what, means, do string) {
		d.Add(vault.Finding{Check: "keyring", Level: vault.Problem, What: what, Means: means, Do: do})
	}
	const putBack = "Put it back from where you keep it."
	sealed, err := os.ReadFile(filepath.Join(d.dir, fileKeyring))
	if err != nil {
		bad(fmt.Sprintf("the keyring cannot be read: %v", err), "Nothing of the vault opens without it.", "Give its owner the right to read it, or look at the disk.")
		return nil, "the keyring cannot be read"
	}
	about, err := keys.Describe(sealed)
	if err != nil {
		bad(fmt.Sprintf("the keyring is damaged, cut off, or of a format that this program does not know (%v)", err), "Nothing of the vault opens without it.", putBack)
		return nil, "the keyring cannot be read"
	}
	f := vault.Finding{Check: "keyring", Level: vault.Fine, What: fmt.Sprintf("the keyring is of a known format and length, sealed under a %s", about.Root)}
	if about.Work.Weak() {
		f.Level = vault.Warning
		f.What = fmt.Sprintf("the keyring asks for little work: %d passes over %d KiB", about.Work.Time, about.Work.Memory)
		f.Means, f.Do = "Who steals it can try many passphrases a second.", "Seal it anew with the usual work, and use a passphrase that nobody guesses."
	}
	d.Add(f)
	if root == nil {
		const none = "no passphrase: give --passphrase-file or set " + envPassphrase
		d.Skip(none, "keyring-opens")
		return nil, none
	}
	ring, err = keys.Open(sealed, root)
	switch {
	case errors.Is(err, keys.ErrRootKey):
		d.Add(vault.Finding{Check: "keyring-opens", Level: vault.Problem, What: "the passphrase does not open the keyring",
			Means: "It is the wrong one, or the keyring is another vault's or from before the passphrase was changed.", Do: "Try the right one; or put this vault's own keyring back."})
		return nil, "the passphrase does not open the keyring"
	case err != nil:
		d.Add(vault.Finding{Check: "keyring-opens", Level: vault.Problem, What: fmt.Sprintf("the passphrase is right and the keyring is damaged (%v)", err),
			Means: "Nothing of the vault opens without it.", Do: putBack})
		return nil, "the keyring is damaged"
	}
	d.Add(vault.Finding{Check: "keyring-opens", Level: vault.Fine, What: "the passphrase opens the keyring"})
	return ring, ""
}

// stores opens what can be opened, for reading, and lets the vault look at it.
func (d *doctor) stores(ctx context.Context, keyring *keys.Keyring, why string) (err error) {
	cfg := vault.Config{Keyring: keyring, Now: d.now, Logger: slog.New(slog.DiscardHandler)}
	var opened stores
	defer func() { err = errors.Join(err, opened.Close()) }()
	if d.present[fileVault] != nil && d.present[folderLog] != nil {
		if opened.data = d.data(); opened.data != nil {
			cfg.Store = opened.data
		}
	} else if d.present[fileVault] != nil {
		d.checkFile(fileVault)
	} else if d.present[folderLog] != nil {
		d.checkLog()
	}
	if d.present[fileKeys] != nil {
		opened.deks, err = bolt.Open(bolt.Config{Path: filepath.Join(d.dir, fileKeys), ReadOnly: true})
		if err != nil {
			d.refused(fileKeys, err)
		} else {
			cfg.Keys = opened.deks
			d.Add(vault.Finding{Check: fileKeys, Level: vault.Fine, What: "keys.db is of a known format and whole in length"}, memoryMap(fileKeys, opened.deks.Layout()))
		}
	}
	if d.present[fileLedger] != nil {
		opened.ledger, err = bolt.ReadLedger(filepath.Join(d.dir, fileLedger))
		if err != nil {
			d.refused(fileLedger, err)
		} else {
			cfg.Ledger = opened.ledger
			d.ledgerEnd(opened.ledger.Torn())
		}
	}
	if err := d.pages(ctx, opened); err != nil {
		return err
	}
	found, err := vault.Examine(ctx, cfg, vault.ExamineOptions{Deep: d.deep, NoKeyring: why, Progress: d.progress})
	if err != nil {
		return err
	}
	d.Add(found.Findings...)
	d.LeftOut = append(d.LeftOut, found.LeftOut...)
	return nil
}

// data opens vault.db with its log. One that is older than its log is told, and
// looked at all the same.
func (d *doctor) data() *bolt.DB {
	cfg := bolt.Config{Path: filepath.Join(d.dir, fileVault), Log: filepath.Join(d.dir, folderLog), ReadOnly: true}
	db, err := bolt.Open(cfg)
	if errors.Is(err, store.ErrOlder) {
		d.Add(vault.Finding{Check: "vault.db-older", Level: vault.Problem, What: "vault.db is an older copy than its log",
			Means: "The log holds acts, withdrawals perhaps, that vault.db lacks.", Do: "Put the newer vault.db back, or accept this one with `sayso restore`."})
		cfg.AcceptOlder = true
		db, err = bolt.Open(cfg)
	}
	if err != nil {
		// Which of the two is it?
		if d.checkFile(fileVault) && d.checkLog() {
			d.refused(fileVault, err)
		}
		return nil
	}
	l := db.Layout()
	d.Add(vault.Finding{Check: fileVault, Level: vault.Fine, What: "vault.db is of a known format, whole in length, and belongs to its log"}, memoryMap(fileVault, l))
	d.logSegments(l)
	end := vault.Finding{Check: "log-end", Level: vault.Fine, What: "the log ends where its last record does"}
	if l.Left.Torn > 0 || l.Left.Outbox > 0 {
		end.Level = vault.Warning
		end.What = fmt.Sprintf("the vault was not closed: %d bytes of records that were never acknowledged, %d acts not in the log yet", l.Left.Torn, l.Left.Outbox)
		end.Means = "The process or the machine ended abruptly. Nothing that was answered is lost."
		end.Do = "Nothing: the next start clears the one and completes the other. Find out why it ended."
	}
	d.Add(end)
	return db
}

func (d *doctor) logSegments(l bolt.Layout) {
	d.Add(vault.Finding{Check: "log-segments", Level: vault.Fine, What: fmt.Sprintf("the log is %s, %s, of a known format, none missing, each whole in length", count(l.Segments, "segment"), size(uint64(l.Log)))})
}

func (d *doctor) ledgerEnd(torn int64) {
	f := vault.Finding{Check: "ledger-end", Level: vault.Fine, What: "the ledger ends where its last entry does"}
	if torn > 0 {
		f.Level, f.What = vault.Warning, fmt.Sprintf("the ledger ends with %d bytes of an entry that was never acknowledged", torn)
		f.Means, f.Do = "The process or the machine ended abruptly. Nothing that was answered is lost.", "Nothing: the next entry is written over them."
	}
	d.Add(f)
}

// pages reads every page of both stores, if a deep look was asked for.
func (d *doctor) pages(ctx context.Context, s stores) error {
	if !d.deep {
		d.Skip("only with --deep", "pages")
		return nil
	}
	for name, db := range map[string]*bolt.DB{fileVault: s.data, fileKeys: s.deks} {
		if db == nil {
			continue
		}
		err := db.Walk(ctx, func(n uint64) { d.progress("pages", n, n) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.Add(vault.Finding{Check: "pages", Level: vault.Problem, What: err.Error(), About: []string{name},
				Means: "The file is damaged: rows are lost or cannot be read.", Do: "Keep a copy of the folder as it is, look at the disk, and bring the vault up from a backup with `sayso restore`."})
			continue
		}
		d.Add(vault.Finding{Check: "pages", Level: vault.Fine, What: "every page of " + name + " can be read, and its keys are in order"})
	}
	return nil
}

// checkFile looks at a file that its store cannot be opened with, and whether it
// is what is wrong.
func (d *doctor) checkFile(name string) (fine bool) {
	if _, err := bolt.CheckFile(filepath.Join(d.dir, name)); err != nil {
		d.refused(name, err)
		return false
	}
	return true
}

// checkLog looks at the log by itself.
func (d *doctor) checkLog() (fine bool) {
	l, err := bolt.CheckLog(filepath.Join(d.dir, folderLog), d.served)
	if err != nil {
		d.refused("log-segments", err)
		return false
	}
	d.logSegments(l)
	return true
}

// refused says why a part cannot be opened.
func (d *doctor) refused(check string, err error) {
	f := vault.Finding{Check: check, Level: vault.Problem, What: fmt.Sprintf("it cannot be opened: %v", err)}
	switch {
	case errors.Is(err, store.ErrLocked):
		f.Level = vault.Warning
		f.Means, f.Do = "Another process has it, and cannot be asked.", "Stop that process, or run doctor as the user who runs it."
	case errors.Is(err, fs.ErrPermission):
		f.Means, f.Do = "You may not read it; perhaps nobody may.", "Run doctor as the user who serves the folder."
	case errors.Is(err, store.ErrFormat):
		f.Means, f.Do = "It is no file of a vault, or a later version of sayso wrote it.", "Use the version that wrote it, or put the right file back."
	case errors.Is(err, store.ErrDamaged):
		f.Means = "What is on disk is not what was written there. Nothing is guessed: the vault is not served."
		f.Do = "Keep a copy of the folder as it is, look at the disk, and bring the vault up from a backup with `sayso restore`."
	default:
		f.Means, f.Do = "The disk or the system below refuses.", "Look at the system's log and at the disk."
	}
	d.Add(f)
}
