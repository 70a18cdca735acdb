package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// disk keeps beside a vault's folder what a power cut would leave of it: each
// file as it was when it was last synced, the rest lost.
type disk struct {
	t    *testing.T
	live string

	mu      sync.Mutex // guards durable and each
	durable string
	each    func() // told of each sync, if somebody wants to know
}

func newDisk(t *testing.T) *disk { return &disk{t: t, live: t.TempDir(), durable: t.TempDir()} }

func (d *disk) options() *vaulttest.Options {
	return &vaulttest.Options{Dir: d.live, Synced: d.synced, Ledger: func(l store.Ledger) store.Ledger { return &slowLedger{Ledger: l, d: d} }}
}

func (d *disk) synced(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rel, err := filepath.Rel(d.live, path)
	if err == nil {
		err = copyFile(filepath.Join(d.durable, rel), path)
	}
	if err != nil {
		panic(err)
	}
	if d.each != nil {
		d.each()
	}
}

// settle takes everything for durable, which is so when nobody writes.
func (d *disk) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := copyTree(d.durable, d.live); err != nil {
		d.t.Fatal(err)
	}
}

// cut returns a folder with what was durable at this moment.
func (d *disk) cut() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left()
}

// left is cut for who holds mu.
func (d *disk) left() string {
	left := d.t.TempDir()
	if err := copyTree(left, d.durable); err != nil {
		d.t.Fatal(err)
	}
	return left
}

// slowLedger lets one append after the other to the ledger, so that what it
// holds between two is what was synced.
type slowLedger struct {
	store.Ledger
	d  *disk
	mu sync.Mutex
}

func (l *slowLedger) Append(ctx context.Context, entries ...[]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Ledger.Append(ctx, entries...); err != nil {
		return err
	}
	l.d.synced(filepath.Join(l.d.live, "ledger"))
	return nil
}

func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyFile(filepath.Join(to, rel), path)
	})
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// answers is what a busy vault has answered.
type answers struct {
	mu        sync.Mutex
	captured  map[string]privacy.SubjectID // by e-mail
	withdrawn map[privacy.SubjectID]privacy.ConsentID
	reads     map[uint64]privacy.DecisionID // by index
}

func (a *answers) snapshot() *answers {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := &answers{captured: map[string]privacy.SubjectID{}, withdrawn: map[privacy.SubjectID]privacy.ConsentID{}, reads: map[uint64]privacy.DecisionID{}}
	for k, v := range a.captured {
		c.captured[k] = v
	}
	for k, v := range a.withdrawn {
		c.withdrawn[k] = v
	}
	for k, v := range a.reads {
		c.reads[k] = v
	}
	return c
}

// shop is busy in all ways until told to stop: people are captured, say yes and
// no, and are read about.
func (a *answers) shop(t *testing.T, v *vaulttest.Vault, tick chan<- struct{}) (stop func()) {
	web, store, sms := v.As("web").Caller, v.As("store").Caller, v.As("sms").Caller
	quit := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				default:
				}
				ctx, email := context.Background(), fmt.Sprintf("p%d.%d@example.org", g, i)
				res, err := v.Capture(ctx, web, vaulttest.CaptureRequest(t, told("given_name", "Anahita", "email", email)))
				if err != nil {
					t.Errorf("capturing: %v", err)
					return
				}
				a.mu.Lock()
				a.captured[email] = res.Subject
				a.mu.Unlock()
				who := vaulttest.ID(res.Subject)
				if _, err := v.RecordConsent(ctx, store, vault.ConsentRequest{Subject: who, Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "letter"}); err != nil {
					t.Errorf("giving: %v", err)
					return
				}
				read, err := v.Read(ctx, sms, vault.ReadRequest{Subject: who, Purpose: "sms-marketing"})
				if err != nil {
					t.Errorf("reading: %v", err)
					return
				}
				no, err := v.RecordConsent(ctx, sms, vault.ConsentRequest{Subject: who, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "letter"})
				if err != nil {
					t.Errorf("withdrawing: %v", err)
					return
				}
				a.mu.Lock()
				a.reads[read.LogIndex] = read.Decision
				a.withdrawn[who.ID] = no.Consent
				a.mu.Unlock()
				select {
				case tick <- struct{}{}:
				default:
				}
			}
		})
	}
	return func() { close(quit); wg.Wait() }
}

// in checks that a vault knows all that was answered.
func (a *answers) in(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	for email, id := range a.captured {
		v.As("web").For("order-fulfilment").Read(vaulttest.By("email", email), "given_name", "email").Released(told("given_name", "Anahita", "email", email))
		v.As("web").For("order-fulfilment").Read(vaulttest.ID(id), "email").Released(told("email", email))
	}
	for id, consent := range a.withdrawn {
		v.As("sms").For("sms-marketing").Read(vaulttest.ID(id)).Denied(privacy.CodeNoConsent)
		if _, err := v.Receipt(t.Context(), v.Officer, consent); err != nil {
			t.Errorf("the receipt of a withdrawal that was answered: %v", err)
		}
	}
	for index, decision := range a.reads {
		err := v.Store.Entries(t.Context(), index, index+1, func(_ uint64, raw []byte) error {
			e, record, err := v.OpenEntry(t.Context(), raw)
			if err == nil && (privacy.DecisionID(e.ID) != decision || !bytes.Contains(record, []byte(`"released"`))) {
				err = fmt.Errorf("it is of %s, want %s", privacy.DecisionID(e.ID), decision)
			}
			return err
		})
		if err != nil || index >= v.Store.Size() {
			t.Errorf("the record of a read that was answered, at %d of %d: %v", index, v.Store.Size(), err)
		}
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
}

// Whenever the power is cut, all that was answered is there: who was captured,
// what they said, and a record of every read. What was not answered is there
// whole or not at all.
func TestAPowerCutLosesNothingThatWasAnswered(t *testing.T) {
	d := newDisk(t)
	v := vaulttest.New(t, d.options())
	d.settle()
	a := &answers{captured: map[string]privacy.SubjectID{}, withdrawn: map[privacy.SubjectID]privacy.ConsentID{}, reads: map[uint64]privacy.DecisionID{}}
	tick := make(chan struct{})
	stop := a.shop(t, v, tick)
	for range 6 {
		for range 5 {
			select {
			case <-tick:
			case <-time.After(20 * time.Second):
				t.Fatal("the shop stands still")
			}
		}
		had := a.snapshot()
		left := v.At(d.cut())
		if err := left.Reopen(); err != nil {
			t.Fatalf("opening after a power cut: %v", err)
		}
		had.in(t, left)
		// It goes on, and what is new is not mixed up with what was lost.
		left.As("web").Capture(told("given_name", "Zoe", "email", "zoe@example.org"))
		left.As("web").For("order-fulfilment").Read(vaulttest.By("email", "zoe@example.org"), "given_name").Released(told("given_name", "Zoe"))
		left.Stop()
	}
	stop()
	if len(a.reads) < 30 {
		t.Errorf("only %d rounds: too few to tell anything", len(a.reads))
	}
}

// The power is cut at every point of a start that has to finish what the ledger
// promised: what is left starts again, the noes hold, they are done once, and
// the log verifies.
func TestAPowerCutAtAnyPointOfAStart(t *testing.T) {
	d, w := newDisk(t), &watched{}
	options := d.options()
	options.Store = w.wrap
	v := vaulttest.New(t, options)
	ana := v.As("web").Capture(told("given_name", "Anahita", "phone_number", "+4930901820"))
	ben := v.As("web").Capture(told("given_name", "Ben", "phone_number", "+4930901821"))
	for _, who := range []vaulttest.Person{ana, ben} {
		v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
	}
	crashAfterLedger(t, w, func() error {
		_, err := v.RecordConsent(context.Background(), v.As("sms").Caller, vault.ConsentRequest{Subject: ana, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "reply"})
		return err
	})
	crashAfterLedger(t, w, func() error {
		_, err := v.RecordConsent(context.Background(), v.As("store").Caller, vault.ConsentRequest{Subject: vaulttest.By("phone_number", "+4930901822"), Purpose: "sms-marketing", Status: privacy.StatusRefused, Method: "letter"})
		return err
	})
	size := v.Store.Size()
	v.Stop()
	d.settle()

	var left []string
	d.mu.Lock()
	left, d.each = append(left, d.left()), func() { left = append(left, d.left()) }
	d.mu.Unlock()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil { // and all that follows is done, too
		t.Error(err)
	}
	d.mu.Lock()
	d.each = nil
	d.mu.Unlock()
	v.Stop()
	for n, folder := range left {
		again := v.At(folder)
		if err := again.Reopen(); err != nil {
			t.Fatalf("after %d syncs: %v", n, err)
		}
		again.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
		again.As("sms").For("sms-marketing").Read(ben, "given_name").Released(told("given_name", "Ben"))
		if got := again.Store.Size(); got != size+1+2 {
			t.Errorf("after %d syncs: the log has %d records, want that of the no and of two reads besides %d", n, got, size)
		}
		if _, err := again.VerifyLog(t.Context(), nil); err != nil {
			t.Errorf("after %d syncs: verifying the log: %v", n, err)
		}
		again.Stop()
	}
	if len(left) < 4 {
		t.Errorf("a start has only %d syncs: too few to tell anything", len(left))
	}
}
