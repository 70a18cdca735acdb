package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

func newRestore() *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore --dir D --data FILE",
		Short: "Bring a vault up from a backup, or from an older vault.db",
		Long: `restore brings up the vault in a folder that nobody serves, from a backup's data
or an older vault.db, and with --keys from a backup's keys. What the ledger says
was done since is done again: whoever was erased stays erased, and what was
withdrawn stays withdrawn. Then it verifies the whole vault, and only if all of it
is right it takes the place of what was there.

The vault gets a new log. Its first record commits to the old one's head, and
after it stand all records of the old one that are left.

The ledger is in no backup. If it is lost, --ledger-lost goes on without it: what
people said no to may be missing then, so consents from before count as none.

Killed at any moment, it leaves a folder that serve refuses, and says what to do:
run the same command again, or give it up with --abandon.`,
		Example: `  sayso restore --dir ./vault --data /mnt/backup
  sayso restore --dir ./vault --data /mnt/backup/data/20260301T023000Z-k3v9m2 --keys /mnt/safe
  sayso restore --dir ./vault --data ./vault.db.monday`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	folderFlags(cmd, &o.dir, &o.passphraseFile)
	o.store.flags(cmd)
	cmd.Flags().StringVar(&o.data, "data", "", "a backup's data (a place, a backup there, a file of it), or an older vault.db")
	cmd.Flags().StringVar(&o.keys, "keys", "", "a backup's keys, or another keys.db (default: the keys in the folder)")
	cmd.Flags().BoolVar(&o.ledgerLost, "ledger-lost", false, "go on without a whole ledger: consents from before count as none")
	cmd.Flags().BoolVar(&o.dropUnreadable, "drop-unreadable", false, "remove people whose keys are gone, though no erasure says why, and values that an older copy of the keys does not open")
	cmd.Flags().BoolVar(&o.abandon, "abandon", false, "give up a restore that was begun, and leave the folder as it was")
	return cmd
}

type restoreOptions struct {
	dir, passphraseFile, data, keys     string
	ledgerLost, dropUnreadable, abandon bool
	store                               objectStore
}

// restored is what a restore tells machines.
type restored struct {
	Finished bool   `json:"finished,omitempty"` // it only finished one that was begun before
	Data     string `json:"data,omitempty"`
	*vault.RestoreReport
}

func (o *restoreOptions) run(cmd *cobra.Command) error {
	if o.dir == "" {
		return misuse("--dir is missing: where does the vault lie?")
	}
	if !o.abandon && o.data == "" && o.keys == "" {
		return misuse("--data is missing: a backup's data, or an older vault.db")
	}
	ctx := cmd.Context()
	s, err := openStaging(o.dir)
	if err != nil {
		return explain(o.dir, err)
	}
	defer func() { _ = s.Close() }()
	switch marked, err := s.marked(); {
	case err != nil:
		return err
	case marked: // there is no way back from here
		if err := s.swap(func(string) {}); err != nil {
			return err
		}
		return answer(cmd, restored{Finished: true}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "The restore that was begun is finished: serve the vault in %s.\n", o.dir)
			return err
		})
	case o.abandon:
		if err := s.clear(); err != nil {
			return err
		}
		return answer(cmd, struct{}{}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Nothing was changed in %s.\n", o.dir)
			return err
		})
	}
	root, err := rootKey(cmd, o.passphraseFile, false)
	if err != nil {
		return errors.Join(err, s.clear())
	}
	line := newBar(cmd)
	show := line.show
	if forMachines(cmd) {
		show = linesOf(cmd)
	}
	out, err := o.restore(ctx, s, root, show)
	line.end()
	if marked, _ := s.marked(); err != nil && !marked {
		err = errors.Join(err, s.clear())
	}
	if err != nil {
		return err
	}
	return answer(cmd, out, func(w io.Writer) error { return showRestored(w, o.dir, out) })
}

// restore does it in the staging folder, and then swaps. step is told of every
// step.
func (o *restoreOptions) restore(ctx context.Context, s *staging, root keys.Root, step func(stage string, done, of uint64)) (*restored, error) {
	at := func(name string) { step(name, 0, 0) }
	if err := s.empty(); err != nil {
		return nil, err
	}
	at("begun")
	ring, err := o.stageKeys(ctx, s, root)
	if err != nil {
		return nil, err
	}
	at("keys are there")
	name, err := o.stageData(ctx, s, ring, step)
	if err != nil {
		return nil, err
	}
	at("data is there")
	if err := s.stageLedger(o.ledgerLost); err != nil {
		return nil, explain(o.dir, err)
	}
	at("ledger is there")
	report, err := o.bring(ctx, s, ring, root, step)
	if err != nil {
		return nil, o.explain(err)
	}
	at("restored")
	if err := s.mark(); err != nil {
		return nil, err
	}
	at("marked")
	if err := s.swap(at); err != nil {
		return nil, fmt.Errorf("%w; run the same command again to finish", err)
	}
	return &restored{Data: name, RestoreReport: report}, nil
}

// bring lets the vault work on the staged files.
func (o *restoreOptions) bring(ctx context.Context, s *staging, ring *keys.Keyring, root keys.Root, step func(stage string, done, of uint64)) (report *vault.RestoreReport, err error) {
	logger := slog.New(slog.DiscardHandler)
	data, err := bolt.OpenOld(s.new(fileVault), s.new(folderLog))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	var st stores
	defer func() { err = errors.Join(err, st.Close()) }()
	if st.deks, err = bolt.Open(bolt.Config{Path: s.new(fileKeys), Logger: logger}); err != nil {
		return nil, err
	}
	if st.ledger, err = bolt.OpenLedger(s.new(fileLedger), false); err != nil {
		return nil, err
	}
	cfg := st.config(ring, logger)
	cfg.Store = nil
	cfg.SaveKeyring = saveKeyring(s.new(""), root)
	return vault.Restore(ctx, cfg, vault.Restoration{
		Data: data, Live: bolt.ReadOldLog(filepath.Join(o.dir, folderLog)), Copied: bolt.ReadOldLog(s.new(fileCopied)),
		Open: func() (store.LogEngine, error) {
			st.data, err = bolt.Open(bolt.Config{Path: s.new(fileVault), Log: s.new(folderLog), Logger: logger})
			return st.data, err
		},
		LedgerLost: o.ledgerLost, OlderKeys: o.keys != "", DropUnreadable: o.dropUnreadable, Progress: step,
	})
}

// explain says what is wrong with what was given, and what to do.
func (o *restoreOptions) explain(err error) error {
	switch {
	case errors.Is(err, vault.ErrOlderKeys):
		return fmt.Errorf("the copy of keys.db is from before keys were turned, and today's keyring opens it no more: that is how what was erased stays unreadable. Use the keys.db in %s, or a backup's keys that did not end, with the keyring in it", o.dir)
	case errors.Is(err, vault.ErrOlderKeyring):
		return errors.New("the keyring is older than keys.db: put the newest one into the folder, or restore a backup's keys with its own")
	case errors.Is(err, vault.ErrForeign):
		return errors.New("the data is another vault's than the keyring")
	case errors.Is(err, vault.ErrFresh):
		return errors.New("there is no vault in the data that was given")
	case errors.Is(err, vault.ErrLedgerShorter):
		return fmt.Errorf("the ledger in %s lacks acts that the vault did: it was cut, or is an older copy. Put the whole one back; if it is lost, --ledger-lost goes on without it, and consents from before count as none", o.dir)
	case errors.Is(err, vault.ErrUnreadable):
		return fmt.Errorf("%w: restore the keys of the same time or a later one with --keys; if there are none, --drop-unreadable removes what is left of these people", err)
	}
	return fmt.Errorf("the vault cannot be restored from this: %w", err)
}

// stageKeys puts keys.db and the keyring into the staging folder and opens the
// keyring.
func (o *restoreOptions) stageKeys(ctx context.Context, s *staging, root keys.Root) (*keys.Keyring, error) {
	from, bare := backup.Copy{}, o.keys
	if o.keys != "" {
		var err error
		if from, err = o.store.locate(ctx, o.keys, backup.Keys); err == nil {
			bare = ""
		} else if !errors.Is(err, backup.ErrNone) {
			return nil, err
		}
	}
	if from.Place == nil {
		if bare == "" {
			bare = s.live(fileKeys)
		}
		for name, path := range map[string]string{fileKeys: bare, fileKeyring: s.live(fileKeyring)} {
			err := s.copyFile(name, path)
			if errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("%s is missing: bring it from a backup of the keys with --keys", path)
			}
			if err != nil {
				return nil, err
			}
		}
		ring, err := readKeyring(s.new(""), root)
		if err != nil {
			return nil, explain(o.dir, err)
		}
		return ring, nil
	}
	m, err := from.Manifest(ctx)
	if err != nil {
		return nil, err
	}
	if m.Ended(time.Now()) {
		return nil, fmt.Errorf("%s ended on %s: whoever was erased since then was told that no copy of the keys opens anything of theirs after that day. It is not restored; destroy it", from, m.Until.Local().Format(time.DateTime))
	}
	for _, name := range []string{fileKeys, fileKeyring} {
		if err := s.copyFrom(ctx, from, m, name, nil); err != nil {
			return nil, err
		}
	}
	ring, err := readKeyring(s.new(""), root)
	if errors.Is(err, keys.ErrRootKey) {
		return nil, fmt.Errorf("the passphrase does not open the keyring of %s: give the one of then", from)
	}
	if err == nil {
		err = m.Check(ring.MAC)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return ring, nil
}

// stageData puts the data, and the log that was copied with it, into the staging
// folder, and says what it took.
func (o *restoreOptions) stageData(ctx context.Context, s *staging, ring *keys.Keyring, step func(string, uint64, uint64)) (string, error) {
	bare := o.data
	if bare == "" { // only keys are restored
		bare = s.live(fileVault)
	}
	from, err := o.store.locate(ctx, bare, backup.Data)
	if errors.Is(err, backup.ErrNone) && !strings.HasPrefix(bare, s3Scheme) {
		info, statErr := os.Stat(bare)
		if statErr != nil {
			return "", statErr
		}
		if info.IsDir() {
			return "", err
		}
		return bare, s.copyFile(fileVault, bare)
	}
	if err != nil {
		return "", err
	}
	m, err := from.Manifest(ctx)
	if err == nil {
		err = m.Check(ring.MAC)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	var done int64
	for name, as := range map[string]string{fileVault: fileVault, copyLog: fileCopied} {
		before := done
		err := s.copyFromAs(ctx, from, m, name, as, func(n int64) {
			done = before + n
			step("data", uint64(done), uint64(m.Bytes()))
		})
		if err != nil {
			return "", err
		}
	}
	return from.Path(), nil
}

func showRestored(w io.Writer, dir string, r *restored) error {
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(w, format+"\n", args...)
	}
	say("Restored from %s: %d people. The log is now %s; of the old one %d records stand in it.", r.Data, r.People, r.Log, r.Records)
	if r.Lost > 0 {
		say("Lost: at least %d records of the old log, which ended at %d.", r.Lost, r.Records+r.Lost)
	}
	if r.LogWhy != "" {
		say("Of the log in the folder no more could be used: %s.", r.LogWhy)
	}
	if r.Reapplied > 0 {
		say("Done again from the ledger: %d acts of people who said no.", r.Reapplied)
	}
	if r.Undone > 0 {
		say("Undone, because the data is from before: %d acts that the log tells of.", r.Undone)
	}
	if r.Dropped > 0 {
		say("Removed, because nothing opens them any more: the records of %d people.", r.Dropped)
	}
	if r.Tidied > 0 {
		say("Removed: the keys of %d people whom the data does not know.", r.Tidied)
	}
	if r.ValuesGone > 0 {
		say("Removed: %d values that were removed before, because their time was over, or that nothing opens.", r.ValuesGone)
	}
	if r.LapsedAt != nil {
		say("Consents from before %s count as none: people have to be asked again.", r.LapsedAt.Local().Format(time.DateTime))
	}
	for _, change := range r.Changes {
		say("Not in the data, do it again if it is still wanted: %s.", change)
	}
	say("\nNext: sayso serve --dir %s, and a backup.", dir)
	return nil
}
