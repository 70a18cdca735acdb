package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store/bolt"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Killed runs a backup, a restore or an erasure that kills its own process, as
// kill -9 does, when it comes to the step of a number. It returns 0 if there is no
// such step, and prints how many there were.
func Killed(args []string) int {
	at, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	var n atomic.Int64
	step := func() {
		if n.Add(1) == int64(at) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it takes a moment
		}
	}
	ctx, root := context.Background(), vaulttest.Root()
	switch verb, dir, place := args[1], args[2], args[3]; verb {
	case "backup":
		err = killedBackup(ctx, dir, place, root, step)
	case "restore":
		err = killedRestore(ctx, dir, place, root, step)
	case "erase":
		err = killedErasure(ctx, dir, place, root, step)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(n.Load())
	return 0
}

func killedBackup(ctx context.Context, dir, to string, root keys.Root, step func()) error {
	f, err := openFolder(ctx, dir, root, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	place, written := steppedPlace{backup.Folder(to), step}, 0
	b := backupRun{what: vault.Copying{ID: backup.NewID(time.Now()), Data: true, Keys: true}, data: place, keys: place,
		retention: backup.Retention{Now: time.Now(), Data: time.Nanosecond}, progress: func(string, uint64, uint64) {
			if written++; written%16 == 0 { // in the middle of a file
				step()
			}
		}}
	_, err = b.run(ctx, f)
	step()
	return errors.Join(err, f.Close())
}

func killedRestore(ctx context.Context, dir, from string, root keys.Root, step func()) error {
	s, err := openStaging(dir)
	if err != nil {
		return err
	}
	if marked, err := s.marked(); err != nil || marked {
		return errors.Join(err, s.swap(func(string) { step() }))
	}
	o := &restoreOptions{dir: dir, data: from}
	_, err = o.restore(ctx, s, root, func(string, uint64, uint64) { step() })
	return errors.Join(err, s.Close())
}

// killedErasure erases somebody, down to the certificate. It takes a step whenever
// a file was synced: what a kill then leaves is what the next start-up finds.
func killedErasure(ctx context.Context, dir, who string, root keys.Root, step func()) error {
	id, err := privacy.ParseSubjectID(who)
	if err != nil {
		return err
	}
	synced := func(string) { step() }
	var s stores
	if s.data, err = bolt.Open(bolt.Config{Path: filepath.Join(dir, fileVault), Log: filepath.Join(dir, folderLog), Synced: synced}); err != nil {
		return err
	}
	if s.deks, err = bolt.Open(bolt.Config{Path: filepath.Join(dir, fileKeys), Synced: synced}); err != nil {
		return err
	}
	if s.ledger, err = bolt.OpenLedger(filepath.Join(dir, fileLedger), false); err != nil {
		return err
	}
	keyring, err := readKeyring(dir, root)
	if err != nil {
		return err
	}
	cfg, save := s.config(keyring, slog.New(slog.DiscardHandler)), saveKeyring(dir, root)
	cfg.SaveKeyring = func(k *keys.Keyring) error {
		step()
		defer step()
		return save(k)
	}
	v, err := vault.Open(ctx, cfg)
	if err != nil {
		return err
	}
	officer := vault.Caller{Client: vault.Client{Role: vault.RoleOfficer, Officer: "beatrix"}}
	q, err := v.Erase(ctx, officer, vault.EraseRequest{Subject: vault.SubjectRef{ID: id}, Reason: "She asked for it"})
	for err == nil && q.Status != vault.RequestCompleted { // the keys turn
		time.Sleep(time.Millisecond)
		q, err = v.Request(ctx, officer, q.ID)
	}
	return errors.Join(err, v.Close(), s.Close())
}

// steppedPlace is a place that takes a step before and after all that it does.
type steppedPlace struct {
	backup.Place
	step func()
}

func (p steppedPlace) Begin(ctx context.Context, kind backup.Kind, id string) (backup.Draft, error) {
	p.step()
	d, err := p.Place.Begin(ctx, kind, id)
	p.step()
	return steppedDraft{d, p.step}, err
}

func (p steppedPlace) Remove(ctx context.Context, kind backup.Kind, id string) error {
	p.step()
	defer p.step()
	return p.Place.Remove(ctx, kind, id)
}

type steppedDraft struct {
	backup.Draft
	step func()
}

func (d steppedDraft) Write(ctx context.Context, name string, r io.Reader) error {
	d.step()
	defer d.step()
	return d.Draft.Write(ctx, name, r)
}

func (d steppedDraft) Keep(ctx context.Context) error {
	d.step()
	defer d.step()
	return d.Draft.Keep(ctx)
}
