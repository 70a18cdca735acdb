package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Backups are made of a vault that is told things, asked, and whose keys turn
// meanwhile. Each is of one moment: restored, everything in it verifies, and
// whoever was answered before it was begun is in it.
func TestABackupOfABusyVaultIsOfOneMoment(t *testing.T) {
	unlimited := strings.Replace(soundRegister, ", limits: {people_per_day: 100}", "", 1) // many come
	p := newPatient(t, unlimited, time.Time{})
	caller := p.callerOf("store")
	f, err := openFolder(context.Background(), p.Dir, vaulttest.Root(), slog.New(slog.DiscardHandler))
	p.check(err)
	ctx, stop := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	var mu sync.Mutex // guards answered
	var answered []privacy.SubjectID
	var next atomic.Int64
	told := make(chan struct{})
	for range 3 {
		busy.Go(func() {
			for ctx.Err() == nil {
				n := next.Add(1)
				req := vaulttest.CaptureRequest(t, map[string]any{"given_name": fmt.Sprintf("Anahita %d", n), "phone_number": fmt.Sprintf("+49 30 %07d", 1_000_000+n)})
				res, err := f.vault.Capture(ctx, caller, req)
				if err == nil {
					_, err = f.vault.RecordConsent(ctx, caller, vault.ConsentRequest{Subject: vault.SubjectRef{ID: res.Subject}, Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "form"})
				}
				switch {
				case err == nil:
					mu.Lock()
					answered = append(answered, res.Subject)
					mu.Unlock()
					select {
					case told <- struct{}{}:
					default:
					}
				case ctx.Err() == nil:
					t.Error(err)
					return
				}
			}
		})
	}
	busy.Go(func() {
		for ctx.Err() == nil {
			if _, err := f.vault.RotateKeys(ctx, vault.Rotation{KEK: true}, nil); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	type made struct {
		place backup.Folder
		there []privacy.SubjectID
	}
	var all []made
	for range 4 {
		for range 20 { // people come
			<-told
		}
		mu.Lock()
		m := made{backup.Folder(t.TempDir()), append([]privacy.SubjectID(nil), answered...)}
		mu.Unlock()
		b := backupRun{what: vault.Copying{ID: backup.NewID(time.Now()), Data: true, Keys: true}, data: m.place, keys: m.place,
			retention: backup.Retention{Now: time.Now()}, progress: func(string, uint64, uint64) {}}
		if _, err := b.run(context.Background(), f); err != nil {
			t.Error(err)
		}
		all = append(all, m)
	}
	stop()
	busy.Wait()
	p.check(f.Close())

	for i, m := range all {
		copied := p.copyOf(t)
		s, err := openStaging(copied.Dir)
		p.check(err)
		o := &restoreOptions{dir: copied.Dir, data: string(m.place), keys: string(m.place), dropUnreadable: true}
		_, err = o.restore(context.Background(), s, vaulttest.Root(), func(string, uint64, uint64) {})
		p.check(errors.Join(err, s.Close()))
		r, err := openFolder(context.Background(), copied.Dir, vaulttest.Root(), slog.New(slog.DiscardHandler))
		p.check(err)
		for _, id := range m.there {
			read := vault.ReadRequest{Subject: vault.SubjectRef{ID: id}, Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name"}}
			if _, err := r.vault.Read(context.Background(), caller, read); err != nil {
				t.Errorf("backup %d: %s, who was answered before it began: %v", i, id, err)
				break
			}
		}
		p.check(r.Close())
	}
}

// callerOf is a channel of the patient, which is stopped.
func (p *patient) callerOf(id privacy.ChannelID) vault.Caller {
	p.t.Helper()
	p.check(p.Reopen())
	caller := p.As(id).Caller
	p.Stop()
	return caller
}
