package vault_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// restart stops a vault and brings it up again.
func restart(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatalf("reopening: %v", err)
	}
}

// crashAfterLedger lets an act reach the ledger and no further.
func crashAfterLedger(t *testing.T, w *watched, act func() error) {
	t.Helper()
	w.set(func(w *watched) { w.onTx = func() error { return errPulled } })
	err := act()
	w.set(func(w *watched) { w.onTx = nil })
	refusedWith(t, err, vault.CodeUnavailable)
}

// What the ledger promised and a crash kept from being done is done at the next
// start, once, and stands in the log.
func TestWhatTheLedgerPromisedIsDoneAfterACrash(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Store: w.wrap})
	ana := v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita"))
	ben := v.As("web").Capture(told("email", "b@example.org", "given_name", "Ben"))
	for _, who := range []vaulttest.Person{ana, ben} {
		v.As("desk").For("news").Consent(who, privacy.StatusGiven)
	}
	say := func(who vaulttest.Person, purpose privacy.PurposeID, status privacy.ConsentStatus) func() error {
		return func() error {
			_, err := v.RecordConsent(context.Background(), v.As("desk").Caller, vault.ConsentRequest{Subject: who, Purpose: purpose, Status: status, Method: "letter"})
			return err
		}
	}
	caller := v.As("web").Caller
	crashAfterLedger(t, w, say(ana, "news", privacy.StatusWithdrawn))
	crashAfterLedger(t, w, say(ana, "fraud", privacy.StatusObjected))
	crashAfterLedger(t, w, say(vaulttest.By("email", "b@example.org"), "news", privacy.StatusRefused))
	crashAfterLedger(t, w, say(vaulttest.By("email", "unknown@example.org"), "news", privacy.StatusWithdrawn)) // of nobody who came to be
	crashAfterLedger(t, w, say(vaulttest.ID(privacy.NewSubjectID()), "news", privacy.StatusWithdrawn))
	crashAfterLedger(t, w, func() error {
		return v.RecordGround(context.Background(), caller, vault.GroundRequest{Subject: ben, Purpose: "order", Status: vault.GroundEnded})
	})
	v.As("mail").For("news").Read(ana, "given_name").Released(told("given_name", "Anahita")) // not done, and not answered as done

	size := v.Store.Size()
	restart(t, v)
	v.As("mail").For("news").Read(ana).Denied(privacy.CodeNoConsent)
	v.As("web").For("fraud").Read(ana).Denied(privacy.CodeNoConsent)
	v.As("web").For("order").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	v.As("mail").For("news").Read(ben).Denied(privacy.CodeNoConsent)
	v.As("web").For("order").Read(ben).Denied(privacy.CodeNoGround)
	v.As("web").For("fraud").Read(ben).Released(told("email", "b@example.org"))
	if got := v.Store.Size(); got != size+4+6 {
		t.Errorf("the log grew by %d records, want four acts and six reads", got-size)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
	// Done once: a yes said since is not taken back by the next start.
	v.As("desk").For("news").Consent(ana, privacy.StatusGiven)
	size = v.Store.Size()
	restart(t, v)
	restart(t, v)
	if got := v.Store.Size(); got != size {
		t.Errorf("the next starts wrote %d records: what was done was done again", got-size)
	}
	v.As("mail").For("news").Read(ana, "given_name").Released(told("given_name", "Anahita"))
}

// A capture that is refused promises nothing: its no is not done by the next
// start either.
func TestARefusedCaptureIsNotDoneByTheNextStart(t *testing.T) {
	const web = "{id: web, kind: web, purposes: [order, fraud]"
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(crowd, web, web+", limits: {captures_per_person_per_day: 1}", 1)})
	ana := v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita"))
	v.As("web").For("fraud").Read(ana, "email").Released(told("email", "a@example.org"))
	req := vaulttest.CaptureRequest(t, told("email", "a@example.org"))
	req.Consents = []vault.ConsentRequest{{Purpose: "fraud", Status: privacy.StatusObjected, Method: "web_form"}}
	_, err := v.Capture(t.Context(), v.As("web").Caller, req)
	refusedWith(t, err, vault.CodeRateLimited)
	restart(t, v)
	v.As("web").For("fraud").Read(ana, "email").Released(told("email", "a@example.org"))
}

// A yes that came after a no that failed is the later word, also for the start
// that finds the no.
func TestAYesAfterANoThatFailedIsTheLaterWord(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Store: w.wrap})
	ana := v.As("web").Capture(anahita)
	crashAfterLedger(t, w, func() error {
		_, err := v.RecordConsent(context.Background(), v.As("sms").Caller, vault.ConsentRequest{Subject: ana, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "reply"})
		return err
	})
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	restart(t, v)
	v.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
}

// No narrowing act is answered before the ledger has it.
func TestANarrowingActIsInTheLedgerBeforeItIsAnswered(t *testing.T) {
	var entries atomic.Int64
	var pulled atomic.Bool
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Ledger: func(l store.Ledger) store.Ledger { return &countedLedger{l, &entries, &pulled} }})
	ana := v.As("web").Capture(told("email", "a@example.org"))
	for _, status := range []privacy.ConsentStatus{privacy.StatusGiven, privacy.StatusRefused, privacy.StatusWithdrawn, privacy.StatusObjected, privacy.StatusOptedOut} {
		want := entries.Load()
		if status.Narrows() {
			want++
		}
		v.As("desk").For("news").Consent(ana, status)
		if got := entries.Load(); got < want {
			t.Errorf("%s: the ledger has %d entries, want %d", status, got, want)
		}
	}
	before := entries.Load()
	v.As("web").For("order").Ground(ana, vault.GroundEnded)
	req := vaulttest.CaptureRequest(t, told("email", "b@example.org"))
	req.Consents = []vault.ConsentRequest{{Purpose: "fraud", Status: privacy.StatusObjected, Method: "web_form"}}
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	if got := entries.Load(); got < before+2 {
		t.Errorf("a ground that ended and a no in a capture: the ledger grew by %d, want 2", got-before)
	}

	// Without a ledger no no is answered, and none is half done; a yes is.
	v.As("desk").For("news").Consent(ana, privacy.StatusGiven)
	pulled.Store(true)
	was := rows(t, v)
	_, err := v.RecordConsent(t.Context(), v.As("desk").Caller, vault.ConsentRequest{Subject: ana, Purpose: "news", Status: privacy.StatusWithdrawn, Method: "letter"})
	refusedWith(t, err, vault.CodeUnavailable)
	_, err = v.Capture(t.Context(), v.As("web").Caller, req)
	refusedWith(t, err, vault.CodeUnavailable)
	err = v.RecordGround(t.Context(), v.As("web").Caller, vault.GroundRequest{Subject: ana, Purpose: "fraud", Status: vault.GroundEnded})
	refusedWith(t, err, vault.CodeUnavailable)
	sameRows(t, was, rows(t, v))
	v.As("mail").For("news").Read(ana, "email").Released(told("email", "a@example.org"))
	pulled.Store(false)
}

type countedLedger struct {
	store.Ledger
	n      *atomic.Int64
	pulled *atomic.Bool
}

func (l *countedLedger) Append(ctx context.Context, entries ...[]byte) error {
	if l.pulled.Load() {
		return errPulled
	}
	err := l.Ledger.Append(ctx, entries...)
	if err == nil {
		l.n.Add(int64(len(entries)))
	}
	return err
}

// sums returns what every file of a folder holds.
func sums(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all = append(all, fmt.Sprintf("%s %x", rel, sha256.Sum256(b)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// An older copy of a vault is never served as it is, whichever of its files are
// the old ones; and looking at it changes none of them.
func TestAnOlderCopyIsRefusedAndLeftAlone(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	v.Stop()
	old := t.TempDir()
	if err := copyTree(old, v.Dir); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
	v.Stop()

	// A vault that went another way since: as long, and not the same.
	other := t.TempDir()
	if err := copyTree(other, old); err != nil {
		t.Fatal(err)
	}
	fork := v.At(other)
	if err := fork.Reopen(); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		fork.As("sms").For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	}
	fork.Stop()

	for _, c := range []struct {
		story string
		from  map[string]string // file → folder, instead of today's
		want  error
	}{
		{"vault.db and log", map[string]string{"vault.db": old, "log": old}, vault.ErrLogShorter},
		{"all but the ledger", map[string]string{"vault.db": old, "log": old, "keys.db": old}, vault.ErrLogShorter},
		{"vault.db alone", map[string]string{"vault.db": old}, store.ErrOlder},
		{"the log alone", map[string]string{"log": old}, store.ErrDamaged},
		{"a vault that went another way", map[string]string{"vault.db": other, "log": other, "keys.db": other}, vault.ErrLogShorter},
	} {
		t.Run(c.story, func(t *testing.T) {
			dir := t.TempDir()
			if err := copyTree(dir, v.Dir); err != nil {
				t.Fatal(err)
			}
			for file, from := range c.from {
				if err := os.RemoveAll(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
				if err := copyTree(filepath.Join(dir, file), filepath.Join(from, file)); err != nil {
					t.Fatal(err)
				}
			}
			before := sums(t, dir)
			copied := v.At(dir)
			for range 2 {
				if err := copied.Reopen(); !errors.Is(err, c.want) {
					t.Fatalf("opening: got %v, want %v", err, c.want)
				}
				if after := sums(t, dir); !slices.Equal(before, after) {
					t.Errorf("files changed:\nbefore %v\nafter  %v", before, after)
				}
			}
		})
	}
	if err := v.Reopen(); err != nil {
		t.Errorf("today's vault: %v", err)
	}
}

// A vault of another format is refused by a sentence that says so, and left as it
// is.
func TestAVaultOfAnotherFormatIsRefused(t *testing.T) {
	v := vaulttest.New(t, nil)
	row := getRow(t, v, "meta", []byte("format"))
	for _, format := range []byte{1, 3} {
		putRow(t, v, "meta", []byte("format"), append([]byte{format}, row[1:]...))
		v.Stop()
		before := sums(t, v.Dir)
		if err := v.Reopen(); !errors.Is(err, store.ErrFormat) || !strings.Contains(err.Error(), fmt.Sprintf("vault.db is of format %d", format)) {
			t.Errorf("format %d: got %v, want it named", format, err)
		}
		if after := sums(t, v.Dir); !slices.Equal(before, after) {
			t.Error("a refused vault was changed")
		}
		v.Mend(func(data store.LogEngine, _ store.Engine) error {
			_, err := data.Update(t.Context(), func(tx store.Tx) error { return tx.Put("meta", []byte("format"), row) })
			return err
		})
		if err := v.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
}

// A keyring of another vault, an empty folder and a vault that is there already
// are told apart, and nothing is made of any of them.
func TestAForeignOrAFreshVaultIsRefused(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	v.Stop()
	before := sums(t, v.Dir)
	mine := v.Keyring
	var err error
	if v.Keyring, err = keys.New(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); !errors.Is(err, vault.ErrForeign) {
		t.Errorf("with another vault's keyring: got %v, want ErrForeign", err)
	}
	if after := sums(t, v.Dir); !slices.Equal(before, after) {
		t.Error("a refused keyring changed files")
	}
	v.Keyring = mine
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
}
