package keys_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// People who come one after the other have their rows side by side, and nobody
// who is shown their IDs can tell who came first.
func TestPlacesFollowTimeAndIDsDoNot(t *testing.T) {
	k := newKeyring(t)
	const people = 4000
	var ids [people]privacy.SubjectID
	var before []byte
	ascending := 0
	for i := range ids {
		at := now.Add(time.Duration(i) * time.Millisecond)
		var err error
		if ids[i], err = k.NewSubject(at); err != nil {
			t.Fatal(err)
		}
		place := k.Place(ids[i])
		if len(place) != 14 || bytes.Compare(place, before) <= 0 {
			t.Fatalf("place %d: got %x after %x", i, place, before)
		}
		if ms := binary.BigEndian.Uint64(place) >> 16; int64(ms) != at.UnixMilli() {
			t.Fatalf("place %d: got time %d, want %d", i, ms, at.UnixMilli())
		}
		before = place
		if i > 0 && bytes.Compare(ids[i-1][:], ids[i][:]) < 0 {
			ascending++
		}
	}
	if ascending < people*4/10 || ascending > people*6/10 { // half of them, give or take thirteen times what chance does
		t.Errorf("%d of %d IDs come after the one before", ascending, people)
	}
	// Nor is anything of the time to be seen in a bit of them.
	for bit := range 128 {
		set := 0
		for _, id := range ids {
			set += int(id[bit/8] >> (bit % 8) & 1)
		}
		if set < people*4/10 || set > people*6/10 {
			t.Errorf("bit %d is set in %d of %d IDs", bit, set, people)
		}
	}
}

// Every ID has a place, whoever made it, and the place leads back to it.
func TestEveryPersonHasAPlaceOfTheirOwn(t *testing.T) {
	k, elsewhere := newKeyring(t), newKeyring(t)
	made, err := elsewhere.NewSubject(now)
	if err != nil {
		t.Fatal(err)
	}
	old, err := k.NewSubject(time.UnixMilli(1))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name, id := range map[string]privacy.SubjectID{
		"the vault itself": privacy.Nobody, "one of another vault": made, "one that somebody made up": privacy.NewSubjectID(), "one of 1970": old,
	} {
		place := k.Place(id)
		if len(place) != 17 || place[0] != 0 {
			t.Errorf("%s: got place %x, want one apart", name, place)
		}
		if got, err := k.SubjectAt(place); err != nil || got != id {
			t.Errorf("%s: place %x is %s's, %v, want %s's", name, place, got, err, id)
		}
		if seen[string(place)] {
			t.Errorf("%s: %x is somebody else's place", name, place)
		}
		seen[string(place)] = true
	}
}

// What is accepted as a place is the place of whom it leads to.
func FuzzPlace(f *testing.F) {
	v := readVectors(f)
	k := v.open(f)
	for _, place := range v.Places {
		f.Add([]byte(place))
	}
	f.Add(append(append([]byte{0, 1}, make([]byte, 13)...), 0, 0)) // a short one written long
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, place []byte) {
		id, err := k.SubjectAt(place)
		if err != nil {
			if !errors.Is(err, keys.ErrFormat) {
				t.Errorf("got %v, want ErrFormat", err)
			}
			return
		}
		if got := k.Place(id); !bytes.Equal(got, place) {
			t.Errorf("got %x, want %x", got, place)
		}
	})
}
