package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
)

func newBackup() *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup DIR --dir D",
		Short: "Make a backup of a vault, data and keys apart",
		Long: `backup copies a vault as it is at one moment: the data (vault.db and the log) to
DIR/data/ID, the keys (keys.db and the keyring) to DIR/keys/ID. It asks the
process that serves the folder, which goes on meanwhile; if none does, it opens
the folder itself. Everything is copied as it is, sealed. The ledger is never
part of a backup: it is what a restored vault is held against.

Who has data and keys and the passphrase opens everything, also what was erased
since: so keep them apart (--keys), and let copies of the keys end. A copy of the
keys ends after key_backup_days of the register, 7 if it does not say; it is not
restored afterwards, and every later backup to that place deletes it.

DIR may be s3://BUCKET/PREFIX of an S3-compatible object store, with credentials
from the usual AWS_… variables and the store's address from --s3-endpoint or
AWS_ENDPOINT_URL. The copy is put together in --spool first.

What was interrupted is no backup; the next one removes what it left.`,
		Example: `  sayso backup /mnt/backup --dir ./vault
  sayso backup /mnt/backup --keys /mnt/safe --dir ./vault --keep-data 35
  sayso backup s3://northgate-backup/vault --s3-endpoint https://s3.example.org --dir ./vault
  sayso backup verify /mnt/backup --dir ./vault`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("give one place for the backup: a folder, or s3://BUCKET/PREFIX")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	folderFlags(cmd, &o.dir, &o.passphraseFile)
	o.store.flags(cmd)
	cmd.Flags().StringVar(&o.store.spool, "spool", "", "folder in which a copy for an object store is put together (default: the system's for temporary files)")
	cmd.Flags().StringVar(&o.keysTo, "keys", "", "another place for the copy of the keys (default: DIR)")
	cmd.Flags().BoolVar(&o.dataOnly, "data-only", false, "copy the data only")
	cmd.Flags().BoolVar(&o.keysOnly, "keys-only", false, "copy the keys only")
	cmd.Flags().IntVar(&o.keepData, "keep-data", 0, "delete copies of the data older than so many days, but the newest (default: none)")
	cmd.AddCommand(newBackupVerify())
	return cmd
}

type backupOptions struct {
	dir, passphraseFile, keysTo string
	dataOnly, keysOnly          bool
	keepData                    int
	store                       objectStore
}

// madeBackup is what a backup tells machines.
type madeBackup struct {
	Backup    string     `json:"backup"`
	At        time.Time  `json:"at"`
	Data      string     `json:"data,omitempty"` // where it lies; what restore is given
	Keys      string     `json:"keys,omitempty"`
	KeysUntil *time.Time `json:"keys_until,omitempty"`
	Bytes     int64      `json:"bytes"`
	Records   uint64     `json:"records"` // of the log
	Removed   []string   `json:"removed"` // earlier copies whose time was over
}

func (o *backupOptions) run(cmd *cobra.Command, to string) error {
	if o.dir == "" {
		return misuse("--dir is missing: where does the vault lie?")
	}
	if o.dataOnly && o.keysOnly || o.keysTo != "" && o.dataOnly || o.keepData < 0 {
		return misuse("--data-only, --keys-only and --keys do not go together, and --keep-data is a number of days")
	}
	ctx := cmd.Context()
	b := backupRun{what: vault.Copying{ID: backup.NewID(time.Now()), Data: !o.keysOnly, Keys: !o.dataOnly}, retention: backup.Retention{Now: time.Now(), Data: time.Duration(o.keepData) * 24 * time.Hour}}
	var err error
	if b.data, err = o.store.place(ctx, to); err != nil {
		return err
	}
	if b.keys = b.data; o.keysTo != "" {
		if b.keys, err = o.store.place(ctx, o.keysTo); err != nil {
			return err
		}
	}
	line := newBar(cmd)
	b.progress = seldom(line.show)
	if forMachines(cmd) {
		b.progress = linesOf(cmd)
	}
	made, err := o.with(cmd, b.run)
	line.end()
	if err != nil {
		return err
	}
	return answer(cmd, made, func(w io.Writer) error { return showBackup(w, made) })
}

// with calls fn with the vault, wherever it is.
func (o *backupOptions) with(cmd *cobra.Command, fn func(context.Context, vaultSide) (*madeBackup, error)) (made *madeBackup, err error) {
	s, err := dialSocket(cmd.Context(), o.dir)
	if err == nil {
		made, err = fn(cmd.Context(), s)
		return made, errors.Join(err, s.Close())
	}
	if !errors.Is(err, errNotServed) {
		return nil, err
	}
	root, err := rootKey(cmd, o.passphraseFile, false)
	if err != nil {
		return nil, err
	}
	f, err := openFolder(cmd.Context(), o.dir, root, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return fn(cmd.Context(), f)
}

// backupRun makes one backup.
type backupRun struct {
	what       vault.Copying
	data, keys backup.Place
	retention  backup.Retention
	progress   func(stage string, done, of uint64)
}

func (b *backupRun) run(ctx context.Context, from vaultSide) (made *madeBackup, err error) {
	in, end, err := from.stream(ctx, b.what)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end.Close()) }()
	made = &madeBackup{Backup: b.what.ID, Removed: []string{}}
	for _, part := range []struct {
		make bool
		kind backup.Kind
		to   backup.Place
		at   *string
	}{{b.what.Data, backup.Data, b.data, &made.Data}, {b.what.Keys, backup.Keys, b.keys, &made.Keys}} {
		if !part.make {
			continue
		}
		of := int64(0)
		parts := &copyParts{in: in, kind: part.kind, expect: func(_ string, size int64) { of += size }}
		m, err := backup.Receive(ctx, part.to, part.kind, b.what.ID, parts, func(n int64) { b.progress(string(part.kind), uint64(n), uint64(max(of, n))) })
		if err != nil {
			return nil, err
		}
		*part.at = backup.Copy{Place: part.to, Kind: part.kind, ID: b.what.ID}.Path()
		made.At = m.At
		made.Bytes += m.Bytes()
		if part.kind == backup.Data {
			made.Records = m.Log.Records
			if err := from.kept(ctx, m.At); err != nil {
				return nil, err
			}
		} else {
			made.KeysUntil = &m.Until
		}
	}
	for _, place := range b.places() {
		removed, err := backup.Prune(ctx, place, from.check, b.retention)
		for _, c := range removed {
			made.Removed = append(made.Removed, c.Path())
		}
		if err != nil {
			return nil, fmt.Errorf("the backup is kept, but earlier ones whose time is over are not deleted: %w", err)
		}
	}
	return made, nil
}

func (b *backupRun) places() []backup.Place {
	if b.keys.String() == b.data.String() {
		return []backup.Place{b.data}
	}
	return []backup.Place{b.data, b.keys}
}

func showBackup(w io.Writer, made *madeBackup) error {
	_, err := fmt.Fprintf(w, "Backup %s, as of %s: %s.\n", made.Backup, made.At.Local().Format(time.DateTime), size(uint64(made.Bytes)))
	if made.Data != "" && err == nil {
		_, err = fmt.Fprintf(w, "  data  %s  (%d records of the log)\n", made.Data, made.Records)
	}
	if made.Keys != "" && err == nil {
		_, err = fmt.Fprintf(w, "  keys  %s  (until %s)\n", made.Keys, made.KeysUntil.Local().Format(time.DateTime))
	}
	for _, path := range made.Removed {
		if err == nil {
			_, err = fmt.Fprintf(w, "Deleted, because its time is over: %s\n", path)
		}
	}
	if made.Data != "" && made.Keys != "" && err == nil {
		_, err = fmt.Fprintln(w, "\nWho has both and the passphrase opens everything in them: keep them apart.")
	}
	return err
}
