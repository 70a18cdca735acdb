package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// crowd of keys and values of all lengths: some values go over several pages,
// some keys are the beginning of others, and the tree is three pages deep.
func tall(t *testing.T, db *DB) map[string][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	all := map[string][]byte{}
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.UintN(4)) // so that keys begin alike
		}
		return b
	}
	for range 20 {
		_, err := db.Update(t.Context(), func(tx store.Tx) error {
			for i := range 200 {
				key, value := random(1+r.IntN(24)), random(r.IntN(60))
				if i == 0 {
					key, value = random(2000), random(20_000)
				}
				all[string(key)] = value
				if err := tx.Put("people", key, value); err != nil {
					return err
				}
			}
			return tx.Put("few", []byte("one"), []byte("value")) // lies in its parent's page
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// What is read from the pages is what bbolt itself reads: each value, also an
// empty one, and nothing where there is nothing.
func TestALookUpFindsWhatBboltFinds(t *testing.T) {
	db := newDB(t)
	all := tall(t, db)
	err := db.View(t.Context(), func(s store.Snapshot) error {
		snap := s.(*view).s
		if snap.rootOf("people") == 0 || snap.rootOf("few") != 0 || snap.rootOf("none") != 0 {
			t.Errorf("the trees begin at %d, %d and %d", snap.rootOf("people"), snap.rootOf("few"), snap.rootOf("none"))
		}
		keys := [][]byte{nil, {0}, {255}, []byte("no")}
		for key := range all {
			keys = append(keys, []byte(key), []byte(key+"\x00"), []byte(key[:len(key)-1]))
		}
		for _, key := range keys {
			got, err := s.Get("people", key)
			want := snap.mem.get(snap.bucket("people"), key)
			if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				return fmt.Errorf("key %x: got %x, %w, want %x", key, got, err, want)
			}
			if value, there := all[string(key)]; !bytes.Equal(got, value) || there != (got != nil) {
				return fmt.Errorf("key %x: got %x, want %x", key, got, value)
			}
		}
		for bucket, want := range map[store.Bucket]string{"few": "value", "none": ""} {
			if got, err := s.Get(bucket, []byte("one")); string(got) != want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", bucket, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Whatever a page says, a look-up ends, with ErrDamaged or what looks right, and
// reads nothing outside the file.
func TestALookUpBelievesNoPage(t *testing.T) {
	db := newDB(t)
	all := tall(t, db)
	err := db.View(t.Context(), func(s store.Snapshot) error {
		snap := s.(*view).s
		root := snap.rootOf("people")
		mem := snap.mem
		mem.pages = bytes.Clone(mem.pages)
		r := rand.New(rand.NewPCG(5, 6))
		damaged := 0
		for range 3000 {
			at := r.IntN(len(mem.pages))
			if r.IntN(2) == 0 { // headers and elements are few
				at = r.IntN(len(mem.pages)/int(mem.pageSize))*int(mem.pageSize) + r.IntN(64)
			}
			old := mem.pages[at]
			mem.pages[at] ^= 1 << r.IntN(8)
			for key := range all {
				if _, err := mem.lookup(root, []byte(key)); err != nil {
					if !errors.Is(err, store.ErrDamaged) {
						t.Fatalf("got %v, want ErrDamaged", err)
					}
					damaged++
					break
				}
				if r.IntN(20) == 0 {
					break
				}
			}
			if r.IntN(3) == 0 { // most stay, and add up
				mem.pages[at] = old
			}
		}
		if damaged == 0 {
			t.Error("nothing was noticed")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
