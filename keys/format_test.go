package keys

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"
)

// A body that is sealed right but says something no keyring says is refused
// whole; nothing runs with half a keyring.
func TestAKeyringMustBeWhole(t *testing.T) {
	fresh, err := New(time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	at := func(all []key, r role) int { return slices.IndexFunc(all, func(e key) bool { return e.role == r }) }
	for _, c := range []struct {
		name   string
		change func(all []key) []key
		ok     bool
	}{
		{"as made", func(all []key) []key { return all }, true},
		{"two KEKs", func(all []key) []key { return slices.Insert(all, 1, key{role: roleKEK, epoch: 2}) }, true},
		{"a later KEK only", func(all []key) []key { all[0].epoch = 9; return all }, true},
		{"a retired evidence key", func(all []key) []key {
			i := at(all, roleEvidence)
			all[i].until = 5
			return slices.Insert(all, i+1, key{role: roleEvidence, epoch: 2})
		}, true},
		{"no KEK", func(all []key) []key { return all[1:] }, false},
		{"no client key", func(all []key) []key { return slices.Delete(all, len(all)-2, len(all)-1) }, false},
		{"no key of places", func(all []key) []key { return all[:len(all)-1] }, false},
		{"no log key", func(all []key) []key { return slices.Delete(all, 2, 3) }, false},
		{"epoch 0", func(all []key) []key { all[0].epoch = 0; return all }, false},
		{"a key twice", func(all []key) []key { return slices.Insert(all, 1, all[0]) }, false},
		{"epochs in disorder", func(all []key) []key { return slices.Insert(all, 0, key{role: roleKEK, epoch: 2}) }, false},
		{"roles in disorder", func(all []key) []key { all[0], all[1] = all[1], all[0]; return all }, false},
		{"an unknown role", func(all []key) []key { return append(all, key{role: lastRole + 1, epoch: 1}) }, false},
		{"role 0", func(all []key) []key { return slices.Insert(all, 0, key{epoch: 1}) }, false},
		{"a retired KEK", func(all []key) []key {
			all[0].until = 5
			return slices.Insert(all, 1, key{role: roleKEK, epoch: 2})
		}, false},
		{"no evidence key in use", func(all []key) []key { all[at(all, roleEvidence)].until = 5; return all }, false},
		{"two log keys in use", func(all []key) []key {
			return slices.Insert(all, at(all, roleLog)+1, key{role: roleLog, epoch: 2})
		}, false},
	} {
		vault, all, err := parseBody(marshalBody(fresh.vault, c.change(slices.Clone(fresh.keys))))
		if err == nil {
			_, err = assemble(vault, all)
		}
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestALaterEpochIsUsedAtOnce(t *testing.T) {
	k, err := New(time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	later, err := assemble(k.vault, slices.Insert(slices.Clone(k.keys), 1, key{role: roleKEK, epoch: 2, material: [keyLen]byte{1}}))
	if err != nil {
		t.Fatal(err)
	}
	d, err := k.NewDEK()
	if err != nil {
		t.Fatal(err)
	}
	for want, ring := range map[uint32]*Keyring{1: k, 2: later} {
		w, err := ring.Wrap([16]byte{}, d, d)
		if err != nil {
			t.Fatal(err)
		}
		if epoch, err := parseWrapped(w); err != nil || epoch != want {
			t.Errorf("wrapped under epoch %d, %v, want %d", epoch, err, want)
		}
		if _, err := later.Unwrap(w, [16]byte{}, Values); err != nil {
			t.Errorf("wrapped under epoch %d: %v", want, err)
		}
	}
}

// What is accepted as the start of a keyring file is written back byte for byte.
func FuzzKeyringHeader(f *testing.F) {
	f.Add(header{root: rootKeyFile}.marshal())
	f.Add(header{root: rootPassphrase, p: Argon2{Time: 3, Memory: 64 << 10, Threads: 4}}.marshal())
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		switch {
		case err == nil && !bytes.Equal(h.marshal(), b[:headerLen]):
			t.Errorf("got %x, want %x", h.marshal(), b[:headerLen])
		case err == nil && h.root == rootPassphrase && !h.p.bounded():
			t.Errorf("accepted %+v", h.p)
		case err != nil && !errors.Is(err, ErrFormat):
			t.Errorf("got %v, want ErrFormat", err)
		}
	})
}

// What is accepted as the keys of a keyring is written back byte for byte.
func FuzzKeyringBody(f *testing.F) {
	k, err := New(time.Unix(1_800_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(marshalBody(k.vault, k.keys))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		vault, all, err := parseBody(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("got %v, want ErrFormat", err)
			}
			return
		}
		if got := marshalBody(vault, all); !bytes.Equal(got, b) {
			t.Errorf("got %x, want %x", got, b)
		}
		if _, err := assemble(vault, all); err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("got %v, want ErrFormat", err)
		}
	})
}

// What is accepted as a wrapped key's header is written back byte for byte.
func FuzzWrappedHeader(f *testing.F) {
	f.Add(append(wrapHeader(1), make([]byte, wrappedLen-wrappedHeader)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		epoch, err := parseWrapped(b)
		if err == nil && !bytes.Equal(wrapHeader(epoch), b[:wrappedHeader]) {
			t.Errorf("got %x, want %x", wrapHeader(epoch), b[:wrappedHeader])
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("got %v, want ErrFormat", err)
		}
	})
}
