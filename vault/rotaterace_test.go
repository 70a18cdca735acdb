package vault_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// held are stores in which somebody is held up at the worst moment.
type held struct {
	profile atomic.Pointer[func()] // once, before a snapshot shows a profile
	keys    atomic.Pointer[func()] // once, before an update of keys.db
}

func (h *held) options() *vaulttest.Options {
	return &vaulttest.Options{
		Store: func(e store.LogEngine) store.LogEngine { return &heldStore{e, h} },
		Keys:  func(e store.Engine) store.Engine { return &heldKeys{e, h} },
	}
}

func once(p *atomic.Pointer[func()]) {
	if fn := p.Swap(nil); fn != nil {
		(*fn)()
	}
}

type heldStore struct {
	store.LogEngine
	h *held
}

func (s *heldStore) View(ctx context.Context, fn func(store.Snapshot) error) error {
	return s.LogEngine.View(ctx, func(r store.Snapshot) error { return fn(&heldSnapshot{r, s.h}) })
}

type heldSnapshot struct {
	store.Snapshot
	h *held
}

func (s *heldSnapshot) Get(b store.Bucket, key []byte) ([]byte, error) {
	if b == "profiles" {
		once(&s.h.profile)
	}
	return s.Snapshot.Get(b, key)
}

type heldKeys struct {
	store.Engine
	h *held
}

func (k *heldKeys) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	once(&k.h.keys)
	return k.Engine.Update(ctx, fn)
}

// Somebody's keys are wrapped, and before they are stored the KEK turns: they are
// stored under the new one, or the person would be lost.
func TestKeysWrappedBeforeATurnAreStoredAfterIt(t *testing.T) {
	h := &held{}
	v := vaulttest.New(t, h.options())
	people := town(t, v, 0, 3)
	for _, come := range []func() []vaulttest.Person{
		func() []vaulttest.Person { return []vaulttest.Person{v.As("web").Capture(customer(3))} },
		func() []vaulttest.Person { return town(t, v, 4, 6) },
	} {
		turn := func() { rotate(t, v, all) }
		h.keys.Store(&turn)
		people = append(people, come()...)
	}
	if got := v.Keyring.KEKEpoch(); got != 3 {
		t.Fatalf("epoch: got %d, want 3: the rotations came between", got)
	}
	known(t, v, people)
}

// While a page of keys is wrapped anew, one is dropped and another appears under
// the old KEK: the one does not come back, and the other is not lost.
func TestKeysThatComeAndGoWhileTheyAreWrapped(t *testing.T) {
	v := vaulttest.New(t, nil)
	people, ring := town(t, v, 0, 3), v.Keyring
	first := privacy.SubjectID{15: 1}
	var deks [2]*keys.DEK
	for i := range deks {
		var err error
		if deks[i], err = ring.NewDEK(); err != nil {
			t.Fatal(err)
		}
	}
	row, err := ring.Wrap(first, deks[0], deks[1])
	if err != nil {
		t.Fatal(err)
	}
	v.OnRotation(func(step string) error {
		if step == "page of keys" {
			v.OnRotation(nil)
			putRow(t, v, "deks", people[1].ID[:], nil)
			putRow(t, v, "deks", first[:], row)
		}
		return nil
	})
	rotate(t, v, vault.Rotation{KEK: true})
	err = v.Keys.View(t.Context(), func(s store.Snapshot) error {
		gone, err := s.Get("deks", v.RowKey("deks", people[1].ID[:]))
		if gone != nil {
			t.Error("keys that were dropped came back")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	now := getRow(t, v, "deks", first[:])
	if _, err := v.Keyring.Unwrap(now, first, keys.Values); err != nil {
		t.Errorf("keys that came: %v", err)
	}
}

// A read has found the person and their keys when the KEK turns and the old one is
// dropped: it opens what it decided to release all the same.
func TestAReadUnderWayOutlivesATurn(t *testing.T) {
	h := &held{}
	v := vaulttest.New(t, h.options())
	ana := v.As("web").Capture(anahita)
	turn := func() { rotate(t, v, vault.Rotation{KEK: true}) }
	h.profile.Store(&turn)
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	if got := v.Keyring.KEKEpoch(); got != 2 {
		t.Fatalf("epoch: got %d, want 2: the rotation came between", got)
	}
}

// She changed her e-mail. The row of the index by which the old one found her,
// put back, finds nobody: neither one made at capture nor one made by a turn.
func TestARowOfTheIndexPutBackFindsNobody(t *testing.T) {
	for _, turned := range []bool{false, true} {
		v := vaulttest.New(t, nil)
		web := v.As("web")
		ana := web.Capture(anahita)
		bucket := store.Bucket("index")
		if turned {
			rotate(t, v, vault.Rotation{Index: true})
			bucket = "index.even"
		}
		before := map[string][]byte{}
		scan := func(fn func(k, row []byte)) {
			err := v.Store.View(t.Context(), func(s store.Snapshot) error {
				return s.Scan(bucket, nil, nil, func(k, row []byte) error { fn(k, row); return nil })
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		scan(func(k, row []byte) { before[string(k)] = bytes.Clone(row) })
		web.Capture(told("phone_number", anahita["phone_number"].(string), "email", "new@example.org"))
		scan(func(k, _ []byte) { delete(before, string(k)) })
		if len(before) != 1 {
			t.Fatalf("rows that are gone: got %d, want that of the e-mail", len(before))
		}
		for k, row := range before {
			putRow(t, v, bucket, []byte(k), row)
		}
		web.For("order-fulfilment").Read(vaulttest.By("email", "ana.quintero@example.org"), "email").Refused(vault.CodeUnavailable)
		web.For("order-fulfilment").Read(ana, "email").Released(told("email", "new@example.org"))
	}
}

// Who writes into what the turn rests on does not make it destroy anybody.
func TestATurnDoesNotBelieveItsRecord(t *testing.T) {
	v := vaulttest.New(t, nil)
	people := town(t, v, 0, 5)
	v.OnRotation(func(step string) error {
		if step == "page of rows" {
			return errKilled
		}
		return nil
	})
	if _, err := v.RotateKeys(t.Context(), all, nil); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	v.OnRotation(nil)
	epochs := getRow(t, v, "meta", []byte("index epochs"))
	record := getRow(t, v, "meta", []byte("rotation"))
	for key, at := range map[string]int{"index epochs": 8, "rotation": len(record) - 1} {
		row := bytes.Clone(getRow(t, v, "meta", []byte(key)))
		row[at] ^= 2
		putRow(t, v, "meta", []byte(key), row)
		if _, err := v.RotateKeys(t.Context(), all, nil); err == nil {
			t.Errorf("an edited %s was believed", key)
		}
		putRow(t, v, "meta", []byte("index epochs"), epochs)
		putRow(t, v, "meta", []byte("rotation"), record)
	}
	known(t, v, people)
	rotate(t, v, all)
	known(t, v, people)
}
