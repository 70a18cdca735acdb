package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

var all = vault.Rotation{KEK: true, Index: true}

func rotate(t *testing.T, v *vaulttest.Vault, what vault.Rotation) *vault.RotationReport {
	t.Helper()
	report, err := v.RotateKeys(t.Context(), what, nil)
	if err != nil {
		t.Fatalf("rotating: %v", err)
	}
	return report
}

// customer is one of many invented customers.
func customer(i int) map[string]any {
	return told("given_name", fmt.Sprintf("Anahita %d", i), "email", fmt.Sprintf("anahita.%d@example.org", i), "phone_number", fmt.Sprintf("+49 30 90%05d", i))
}

func emailOf(i int) vaulttest.Person { return vaulttest.By("email", customer(i)["email"].(string)) }

// town captures customers in batches.
func town(t *testing.T, v *vaulttest.Vault, from, to int) []vaulttest.Person {
	t.Helper()
	var reqs []vault.CaptureRequest
	for i := from; i < to; i++ {
		reqs = append(reqs, vaulttest.CaptureRequest(t, customer(i)))
	}
	outcomes, err := v.CaptureBatch(t.Context(), v.As("web").Caller, reqs)
	if err != nil {
		t.Fatal(err)
	}
	var people []vaulttest.Person
	for _, o := range outcomes {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		people = append(people, vaulttest.ID(o.Result.Subject))
	}
	return people
}

// known checks that each customer is found by ID and by e-mail, and that
// capturing them again makes nobody new.
func known(t *testing.T, v *vaulttest.Vault, people []vaulttest.Person) {
	t.Helper()
	web := v.As("web")
	for i, p := range people {
		name := map[string]any{"given_name": customer(i)["given_name"]}
		web.For("order-fulfilment").Read(p, "given_name").Released(name)
		web.For("order-fulfilment").Read(emailOf(i), "given_name").Released(name)
		if again := web.Capture(told("email", strings.ToUpper(customer(i)["email"].(string)))); again.ID != p.ID {
			t.Fatalf("customer %d captured again: got somebody new", i)
		}
	}
}

// leftover is what lay in the stores before a rotation and must not after it.
type leftover struct {
	wrapped [][]byte // nonce, key and tag of each wrapped DEK
	index   [][]byte // blind index of each row
}

func remember(t *testing.T, v *vaulttest.Vault) (l leftover) {
	t.Helper()
	scan := func(e store.Engine, b store.Bucket, fn func(k, v []byte)) {
		err := e.View(t.Context(), func(s store.Snapshot) error {
			return s.Scan(b, nil, nil, func(k, v []byte) error { fn(k, v); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	scan(v.Keys, "deks", func(_, row []byte) { // format, then twice length and wrapped key
		l.wrapped = append(l.wrapped, bytes.Clone(row[3+6:3+66]), bytes.Clone(row[3+66+2+6:]))
	})
	for _, b := range []store.Bucket{"index", "index.even"} {
		scan(v.Store, b, func(k, _ []byte) { l.index = append(l.index, bytes.Clone(k[:16])) })
	}
	return l
}

// occurs counts how many of some byte strings occur in any file of a folder.
func occurs(t *testing.T, dir string, what [][]byte) (n int) {
	t.Helper()
	var files [][]byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files = append(files, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range what {
		if slices.ContainsFunc(files, func(b []byte) bool { return bytes.Contains(b, w) }) {
			n++
		}
	}
	return n
}

// turned checks that a rotation left nothing of before it.
func (l leftover) turned(t *testing.T, v *vaulttest.Vault, what vault.Rotation) {
	t.Helper()
	if n := occurs(t, v.Dir, l.wrapped); what.KEK && n > 0 {
		t.Errorf("%d of %d keys are in the files as they were wrapped before", n, len(l.wrapped))
	}
	if n := occurs(t, v.Dir, l.index); what.Index && n > 0 {
		t.Errorf("%d of %d rows of the index before are in the files", n, len(l.index))
	}
	if held := v.Keyring.KEKEpochs(); len(held) != 1 {
		t.Errorf("the keyring holds KEKs of epochs %v", held)
	}
	if held := v.Keyring.IndexEpochs(); len(held) != 1 {
		t.Errorf("the keyring holds index keys of epochs %v", held)
	}
	if now, err := v.KeyEpochs(t.Context()); err != nil || now.Rotating {
		t.Errorf("epochs: got %+v, %v, want nothing under way", now, err)
	}
	for _, b := range []store.Bucket{"index", "index.even"} {
		rows := 0
		err := v.Store.View(t.Context(), func(s store.Snapshot) error {
			return s.Scan(b, nil, nil, func(_, _ []byte) error { rows++; return nil })
		})
		if inUse := (b == "index") == (v.Keyring.IndexEpoch()%2 == 1); err != nil || inUse != (rows > 0) {
			t.Errorf("bucket %s: got %d rows, %v", b, rows, err)
		}
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
}

func TestKeysAreRotated(t *testing.T) {
	for name, what := range map[string]vault.Rotation{"all": {}, "KEK": {KEK: true}, "index": {Index: true}} {
		t.Run(name, func(t *testing.T) {
			v := vaulttest.New(t, nil)
			people := town(t, v, 0, 40)
			v.As("store").For("sms-marketing").Consent(people[3], privacy.StatusGiven)
			before, ring := remember(t, v), v.Keyring
			if n := occurs(t, v.Dir, before.wrapped); n != len(before.wrapped) {
				t.Fatalf("before: %d of %d wrapped keys found in the files", n, len(before.wrapped))
			}
			var stages []string
			report, err := v.RotateKeys(t.Context(), what, func(stage string, done, of uint64) {
				if done > of {
					t.Errorf("%s: %d of %d", stage, done, of)
				}
				if !slices.Contains(stages, stage) {
					stages = append(stages, stage)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if what == (vault.Rotation{}) {
				what = all
			}
			want := vault.RotationReport{KEKEpoch: 1, IndexEpoch: 1}
			if what.KEK {
				want.KEKEpoch, want.Keys = 2, 41 // and the vault's own
			}
			if what.Index {
				want.IndexEpoch, want.Rows = 2, 80
			}
			if *report != want {
				t.Errorf("report: got %+v, want %+v", *report, want)
			}
			if len(stages) < 2 {
				t.Errorf("progress: got %v", stages)
			}
			before.turned(t, v, what)
			known(t, v, people)
			v.As("sms").For("sms-marketing").Read(people[3], "given_name").Released(told("given_name", "Anahita 3"))

			v.Stop()
			now := v.Keyring
			v.Keyring = ring
			if err := v.Reopen(); !errors.Is(err, vault.ErrOlderKeyring) {
				t.Errorf("with the keyring of before: got %v, want ErrOlderKeyring", err)
			}
			v.Keyring = now
			if err := v.Reopen(); err != nil {
				t.Fatal(err)
			}
			known(t, v, people)
			town(t, v, 40, 45)
			rotate(t, v, what)
			known(t, v, people)
			before.turned(t, v, what)
		})
	}
}

// An old copy of keys.db opens nothing with today's keyring, nor does the old
// keyring open what is in keys.db today.
func TestOldCopiesOfKeysGiveNothing(t *testing.T) {
	v := vaulttest.New(t, nil)
	people := town(t, v, 0, 3)
	ring := v.Keyring
	v.Stop()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(v.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	old := getRow(t, v, "deks", people[0].ID[:])
	rotate(t, v, all)
	row := getRow(t, v, "deks", people[0].ID[:])
	if _, err := ring.Unwrap(row, people[0].ID, keys.Values); !errors.Is(err, keys.ErrEpoch) {
		t.Errorf("the old keyring on today's row: got %v, want ErrEpoch", err)
	}
	if _, err := v.Keyring.Unwrap(old, people[0].ID, keys.Values); !errors.Is(err, keys.ErrEpoch) {
		t.Errorf("today's keyring on the old row: got %v, want ErrEpoch", err)
	}
	v.Stop()

	for _, c := range []struct {
		story string
		files []string // put back
		want  error
	}{
		{"keys.db", []string{"keys.db"}, vault.ErrOlderKeys},
		{"vault.db with its log", []string{"vault.db", "log", "ledger"}, store.ErrOlder},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(v.Dir)); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.files {
			if err := os.RemoveAll(filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range c.files {
			if info, err := os.Stat(filepath.Join(copied, f)); err == nil && info.IsDir() {
				err = os.CopyFS(filepath.Join(dir, f), os.DirFS(filepath.Join(copied, f)))
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			b, err := os.ReadFile(filepath.Join(copied, f))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, f), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := v.At(dir).Reopen(); !errors.Is(err, c.want) {
			t.Errorf("an old %s: got %v, want %v", c.story, err, c.want)
		}
	}
}

var errKilled = errors.New("killed")

// Whatever step a rotation is killed at: the vault comes up and works, the next
// rotation finishes it, and nothing of before is left.
func TestAKilledRotationIsFinishedByTheNext(t *testing.T) {
	var steps int
	for kill := 0; ; kill++ {
		v := vaulttest.New(t, nil)
		people := town(t, v, 0, 5)
		before := remember(t, v)
		var at string
		n := 0
		v.OnRotation(func(step string) error {
			if n++; n <= kill {
				return nil
			}
			at = step
			return errKilled
		})
		_, err := v.RotateKeys(t.Context(), all, nil)
		if err == nil {
			steps = kill
			v.Stop()
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("step %d: %v", kill, err)
		}
		v.Stop()
		if err := v.Reopen(); err != nil {
			t.Fatalf("killed at %d, %s: %v", kill, at, err)
		}
		known(t, v, people)
		people = append(people, town(t, v, 5, 7)...)
		known(t, v, people)
		if now, err := v.KeyEpochs(t.Context()); err != nil || now.Rotating != (kill > 0) {
			t.Errorf("killed at %s: got %+v, %v", at, now, err)
		}
		report := rotate(t, v, all)
		if report.KEKEpoch != 2 || report.IndexEpoch != 2 || report.Continued != (kill > 0) {
			t.Errorf("killed at %s: got %+v, want one rotation of both, continued", at, report)
		}
		before.turned(t, v, all)
		known(t, v, people)
		v.Stop()
		if t.Failed() {
			t.Fatalf("killed at step %d, %s", kill, at)
		}
	}
	if steps < 20 {
		t.Errorf("a rotation has %d steps, which is fewer than there are", steps)
	}
}

// Killed again and again, it gets on.
func TestARotationGetsOnHoweverOftenItIsKilled(t *testing.T) {
	v := vaulttest.New(t, nil)
	people := town(t, v, 0, 5)
	before := remember(t, v)
	for life := 2; ; life++ {
		n := 0
		v.OnRotation(func(string) error {
			if n++; n > life {
				return errKilled
			}
			return nil
		})
		report, err := v.RotateKeys(t.Context(), all, nil)
		if err == nil {
			if report.KEKEpoch != 2 || report.IndexEpoch != 2 {
				t.Errorf("got %+v, want one rotation of both", report)
			}
			break
		}
		if life > 40 {
			t.Fatalf("it never ends: %v", err)
		}
		v.Stop()
		if err := v.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	v.OnRotation(nil)
	before.turned(t, v, all)
	known(t, v, people)
}

// What is asked for beyond a rotation that is finished first is done as well.
func TestAnotherKindIsRotatedAfterTheOneThatIsFinished(t *testing.T) {
	v := vaulttest.New(t, nil)
	town(t, v, 0, 3)
	v.OnRotation(func(step string) error {
		if step == "keys wrapped" {
			return errKilled
		}
		return nil
	})
	if _, err := v.RotateKeys(t.Context(), vault.Rotation{KEK: true}, nil); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	v.OnRotation(nil)
	if report := rotate(t, v, vault.Rotation{Index: true}); report.KEKEpoch != 2 || report.IndexEpoch != 2 || !report.Continued {
		t.Errorf("got %+v, want both at 2", report)
	}
}

func TestAnInterruptedRotationLeavesAWorkingVault(t *testing.T) {
	v := vaulttest.New(t, nil)
	people := town(t, v, 0, 5)
	ctx, cancel := context.WithCancel(t.Context())
	v.OnRotation(func(step string) error {
		if step == "page of rows" {
			cancel()
		}
		return nil
	})
	if _, err := v.RotateKeys(ctx, all, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	v.OnRotation(nil)
	known(t, v, people)
	rotate(t, v, all)
	known(t, v, people)
}

// If the keyring cannot be written, nothing is used that is not in its file.
func TestNothingIsUsedThatIsNotInTheFileOfTheKeyring(t *testing.T) {
	v := vaulttest.New(t, nil)
	people := town(t, v, 0, 3)
	if err := os.Mkdir(filepath.Join(v.Dir, "keyring.new"), 0o700); err != nil { // where it would be written
		t.Fatal(err)
	}
	if _, err := v.RotateKeys(t.Context(), all, nil); err == nil {
		t.Fatal("rotated without a keyring")
	}
	if len(v.Keyring.KEKEpochs()) != 1 {
		t.Error("a keyring that was not saved is in use")
	}
	people = append(people, town(t, v, 3, 5)...)
	if err := os.Remove(filepath.Join(v.Dir, "keyring.new")); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	known(t, v, people)
	rotate(t, v, all)
	known(t, v, people)
}

// At every step of a rotation a hundred channels' worth of captures of one e-mail
// make one person; whoever changes an identifier is found by the new one and not
// by the old; and nobody else can rotate.
func TestAnIdentifierFindsOneAtEveryStep(t *testing.T) {
	v := newCrowd(t)
	web := v.As("web")
	steps := 0
	var moved []string
	v.OnRotation(func(step string) error {
		steps++
		email := fmt.Sprintf("step.%d@example.org", steps)
		var wg sync.WaitGroup
		subjects := make([]privacy.SubjectID, 100)
		for i := range subjects {
			wg.Go(func() {
				e := email
				if i%2 == 1 {
					e = strings.ToUpper(e)
				}
				res, err := v.Capture(context.Background(), web.Caller, vaulttest.CaptureRequest(t, told("given_name", "Anahita", "email", e)))
				if err != nil {
					t.Errorf("at %s: %v", step, err)
					return
				}
				subjects[i] = res.Subject
			})
		}
		wg.Wait()
		for _, s := range subjects {
			if s != subjects[0] {
				t.Fatalf("at %s: one e-mail made two people", step)
			}
		}
		for _, from := range moved { // everybody of the steps before moves on
			req := vaulttest.CaptureRequest(t, told("given_name", "Moved", "email", "x"+from))
			req.Subject = &vault.SubjectRef{ID: subjectOf(t, v, from)}
			if _, err := v.Capture(context.Background(), web.Caller, req); err != nil {
				t.Fatalf("at %s: %v", step, err)
			}
			finds(t, v, vaulttest.By("email", from), "")
			finds(t, v, vaulttest.By("email", "x"+from), "Moved")
		}
		for i := range moved {
			moved[i] = "x" + moved[i]
		}
		moved = append(moved, email)
		if _, err := v.RotateKeys(context.Background(), all, nil); !errors.Is(err, vault.ErrRotating) {
			t.Errorf("another rotation at %s: got %v, want ErrRotating", step, err)
		}
		return nil
	})
	rotate(t, v, all)
	v.OnRotation(nil)
	for i, email := range moved {
		name := "Moved"
		if i == len(moved)-1 {
			name = "Anahita"
		}
		finds(t, v, vaulttest.By("email", email), name)
		if strings.HasPrefix(email, "x") {
			finds(t, v, vaulttest.By("email", email[1:]), "")
		}
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func subjectOf(t *testing.T, v *vaulttest.Vault, email string) privacy.SubjectID {
	t.Helper()
	id, err := v.Lookup(context.Background(), v.Officer, vaulttest.By("email", email), "a test")
	if err != nil {
		t.Fatalf("%s: %v", email, err)
	}
	return id
}

// Rotations run one after another while people come, change and are read: nobody
// is refused, lost or doubled.
func TestKeysAreRotatedUnderLoad(t *testing.T) {
	v := vaulttest.New(t, nil)
	people := town(t, v, 0, 300)
	web := v.As("web")
	stop := make(chan struct{})
	var busy sync.WaitGroup
	var next, reads atomic.Int64
	next.Store(300)
	ids := sync.Map{}
	work := func(fn func(n int)) {
		busy.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					fn(n)
				}
			}
		})
	}
	for range 4 {
		work(func(int) { // who comes
			i := int(next.Add(1) - 1)
			res, err := v.Capture(context.Background(), web.Caller, vaulttest.CaptureRequest(t, customer(i)))
			if err != nil {
				t.Errorf("capturing: %v", err)
				return
			}
			ids.Store(i, res.Subject)
		})
		work(func(n int) { // who is read
			who := emailOf(n % 300)
			if n%2 == 0 {
				who = people[n%300]
			}
			if _, err := v.Read(context.Background(), web.Caller, vault.ReadRequest{Subject: who, Purpose: "order-fulfilment", Fields: []privacy.FieldName{"email"}}); err != nil {
				t.Errorf("reading: %v", err)
			}
			reads.Add(1)
		})
	}
	work(func(n int) { // who comes again
		res, err := v.Capture(context.Background(), web.Caller, vaulttest.CaptureRequest(t, customer(n%300)))
		if err != nil || res.Subject != people[n%300].ID {
			t.Errorf("capturing again: got %v, %v", res, err)
		}
	})
	for range 3 {
		rotate(t, v, all)
	}
	close(stop)
	busy.Wait()
	if next.Load() == 300 || reads.Load() == 0 {
		t.Errorf("there was no load: %d came, %d reads", next.Load()-300, reads.Load())
	}
	known(t, v, people)
	ids.Range(func(i, id any) bool {
		web.For("order-fulfilment").Read(emailOf(i.(int)), "email").Released(told("email", customer(i.(int))["email"].(string)))
		if got := subjectOf(t, v, customer(i.(int))["email"].(string)); got != id {
			t.Errorf("customer %d is found as somebody else", i)
		}
		return !t.Failed()
	})
	if got := v.Keyring.KEKEpoch(); got != 4 {
		t.Errorf("epoch: got %d, want 4", got)
	}
	remember(t, v)
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
