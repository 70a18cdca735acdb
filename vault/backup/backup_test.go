package backup

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// northgate is a vault's keyring, as far as manifests go.
func northgate(label string, parts ...[]byte) [32]byte { return macOf("northgate", label, parts) }

func southgate(label string, parts ...[]byte) [32]byte { return macOf("southgate", label, parts) }

func macOf(key, label string, parts [][]byte) (sum [32]byte) {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

func ours(_ context.Context, m *Manifest) error { return m.Check(northgate) }

// sent is a copy on its way: files, then the manifest. It breaks off before the
// part of a number, if that is not zero.
type sent struct {
	m     *Manifest
	files [][]byte
	breaks,
	next int
}

var errCable = errors.New("somebody pulled the cable")

func (s *sent) NextPart() (string, io.Reader, error) {
	n := s.next
	s.next++
	if s.breaks != 0 && s.next > s.breaks {
		return "", nil, errCable
	}
	if n < len(s.files) {
		return s.m.Files[n].Name, bytes.NewReader(s.files[n]), nil
	}
	b, err := s.m.Marshal()
	return ManifestFile, bytes.NewReader(b), err
}

var made = time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)

// aCopy is a copy that was made so many days after the first.
func aCopy(t *testing.T, kind Kind, days int, mac MAC) *sent {
	t.Helper()
	at := made.AddDate(0, 0, days)
	s := &sent{m: &Manifest{Kind: kind, ID: NewID(at), Vault: "vlt_1", At: at}}
	names := []string{"vault.db", "log"}
	if kind == Keys {
		names, s.m.Until = []string{"keys.db", "keyring"}, at.AddDate(0, 0, 7)
	}
	for i, name := range names {
		body := bytes.Repeat([]byte(name), 1+(2-i)*1_000_000)
		h := NewHasher(name)
		_, _ = h.Write(body[:5])
		_, _ = h.Write(body[5:])
		s.m.Files = append(s.m.Files, h.File())
		s.files = append(s.files, body)
	}
	if err := s.m.Seal(mac); err != nil {
		t.Fatal(err)
	}
	return s
}

func keep(t *testing.T, p Place, s *sent) Copy {
	t.Helper()
	if _, err := Receive(t.Context(), p, s.m.Kind, s.m.ID, s, nil); err != nil {
		t.Fatal(err)
	}
	return Copy{p, s.m.Kind, s.m.ID}
}

func copies(t *testing.T, p Place, kind Kind) []string {
	t.Helper()
	ids, err := p.Copies(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// A copy that breaks off anywhere is none, and the next one clears it away.
func TestACopyThatBreaksOffIsNone(t *testing.T) {
	place := Folder(t.TempDir())
	for breaks := 1; breaks <= 2; breaks++ {
		s := aCopy(t, Data, 0, northgate)
		s.breaks = breaks
		if _, err := Receive(t.Context(), place, Data, s.m.ID, s, nil); !errors.Is(err, errCable) {
			t.Fatalf("broken off before part %d: got %v", breaks, err)
		}
		if ids := copies(t, place, Data); len(ids) > 0 {
			t.Errorf("broken off before part %d, yet it looks whole: %v", breaks, ids)
		}
	}
	// As a kill would leave it: nobody cleared anything away.
	d, err := place.Begin(t.Context(), Data, NewID(made))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), "vault.db", strings.NewReader("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := place.Begin(t.Context(), Data, NewID(made)); err == nil {
		t.Error("two backups at once in one place")
	}
	if err := d.(*folderDraft).lock.Close(); err != nil { // as the kernel does
		t.Fatal(err)
	}
	keep(t, place, aCopy(t, Data, 0, northgate))
	left, err := os.ReadDir(filepath.Join(string(place), "data"))
	if err != nil || len(left) != 2 { // the copy and the lock
		t.Errorf("in the place lie %v (%v)", left, err)
	}
	// What came is not what was sent.
	s := aCopy(t, Data, 0, northgate)
	s.files[1] = s.files[1][1:]
	if _, err := Receive(t.Context(), place, Data, s.m.ID, s, nil); !errors.Is(err, ErrBad) {
		t.Errorf("a file that lost a byte on its way: got %v", err)
	}
}

// Whatever is changed in a copy is found without restoring it, and it is said in
// which file and where.
func TestAChangedCopyIsNamed(t *testing.T) {
	edit := func(name string, change func([]byte) []byte) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, change(b), 0o600)
		}
	}
	for story, c := range map[string]struct {
		harm func(dir string) error
		want error
		says string
	}{
		"whole":            {func(string) error { return nil }, nil, ""},
		"one bit":          {edit("vault.db", func(b []byte) []byte { b[5_000_000] ^= 1; return b }), ErrBad, "vault.db: its bytes from 4194304 to 8388607 were changed"},
		"its last byte":    {edit("log", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), ErrBad, "log: its bytes from 0 to"},
		"cut off":          {edit("vault.db", func(b []byte) []byte { return b[:7_000_000] }), ErrBad, "vault.db: it was cut off: 7000000 bytes of 16000008 are there"},
		"emptied":          {edit("log", func([]byte) []byte { return nil }), ErrBad, "log: it was cut off: 0 bytes"},
		"longer":           {edit("log", func(b []byte) []byte { return append(b, 0) }), ErrBad, "log: it has more than its"},
		"a file gone":      {func(dir string) error { return os.Remove(filepath.Join(dir, "log")) }, ErrBad, "log is missing"},
		"manifest gone":    {func(dir string) error { return os.Remove(filepath.Join(dir, ManifestFile)) }, ErrNone, ManifestFile},
		"manifest edited":  {edit(ManifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte("2026-03-01"), []byte("2026-03-02"), 1) }), ErrForeign, ""},
		"manifest cut off": {edit(ManifestFile, func(b []byte) []byte { return b[:len(b)/2] }), ErrBad, ManifestFile + " cannot be read"},
		"unknown member":   {edit(ManifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"vault"`), []byte(`"veult"`), 1) }), ErrBad, ManifestFile},
	} {
		t.Run(story, func(t *testing.T) {
			kept := keep(t, Folder(t.TempDir()), aCopy(t, Data, 0, northgate))
			if err := c.harm(filepath.Join(string(kept.Place.(Folder)), "data", kept.ID)); err != nil {
				t.Fatal(err)
			}
			_, err := Verify(t.Context(), kept, ours, nil)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v that says %q", err, c.want, c.says)
			}
		})
	}
	kept := keep(t, Folder(t.TempDir()), aCopy(t, Data, 0, southgate))
	if _, err := Verify(t.Context(), kept, ours, nil); !errors.Is(err, ErrForeign) {
		t.Errorf("another vault's: got %v, want ErrForeign", err)
	}
}

// Copies of keys go when they end, those of data when they are too old, never the
// newest of these, and never another vault's.
func TestWhatIsKeptAndForHowLong(t *testing.T) {
	place := Folder(t.TempDir())
	for day := range 4 {
		keep(t, place, aCopy(t, Data, day*10, northgate))
		keep(t, place, aCopy(t, Keys, day*10, northgate))
	}
	keep(t, place, aCopy(t, Keys, 0, southgate))
	left := func(now int, data time.Duration) (int, int) {
		_, err := Prune(t.Context(), place, ours, Retention{Now: made.AddDate(0, 0, now), Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return len(copies(t, place, Data)), len(copies(t, place, Keys))
	}
	for _, c := range []struct {
		day        int
		data       time.Duration
		want, keys int
	}{
		{6, 0, 4, 5},
		{7, 0, 4, 4}, // the first copy of keys ended
		{33, 0, 4, 2},
		{33, 15 * 24 * time.Hour, 2, 2},
		{1000, 24 * time.Hour, 1, 1},
	} {
		if data, keys := left(c.day, c.data); data != c.want || keys != c.keys {
			t.Errorf("day %d, data for %v: got %d copies of data and %d of keys, want %d and %d", c.day, c.data, data, keys, c.want, c.keys)
		}
	}
}

// However a copy is named, it is found: by its place, by a file in it, and where
// somebody moved it.
func TestACopyIsFoundByName(t *testing.T) {
	place := Folder(t.TempDir())
	keep(t, place, aCopy(t, Data, 0, northgate))
	newest := keep(t, place, aCopy(t, Data, 1, northgate))
	keep(t, place, aCopy(t, Keys, 1, northgate))
	at := filepath.Join(string(place), "data", newest.ID)
	moved := filepath.Join(t.TempDir(), "from the attic")
	if err := os.CopyFS(moved, os.DirFS(at)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{string(place), filepath.Join(string(place), "data"), at, filepath.Join(at, "vault.db"), filepath.Join(at, ManifestFile), moved, filepath.Join(moved, "log")} {
		c, err := Locate(t.Context(), path, Data)
		if err != nil || c.ID != newest.ID {
			t.Errorf("%s: got %v, %v", path, c, err)
			continue
		}
		if _, err := Verify(t.Context(), c, ours, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	alone := filepath.Join(t.TempDir(), "vault.db")
	if err := os.WriteFile(alone, []byte("an older one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{alone, filepath.Dir(alone), filepath.Join(string(place), "keys", copies(t, place, Keys)[0])} {
		if _, err := Locate(t.Context(), path, Data); !errors.Is(err, ErrNone) {
			t.Errorf("%s: got %v, want ErrNone", path, err)
		}
	}
}

// A manifest reads as it was written, or not at all.
func FuzzManifest(f *testing.F) {
	s := &sent{m: &Manifest{Kind: Keys, ID: "20260301T023000Z-abcdef", Vault: "vlt_1", At: made, Until: made.AddDate(0, 0, 7), KEKs: []uint32{1, 2}, Files: []File{}}}
	if err := s.m.Seal(northgate); err != nil {
		f.Fatal(err)
	}
	b, err := s.m.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":"sayso-backup/1","kind":"data"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		again, err := m.Marshal()
		if err != nil || !slices.Equal(again, b) {
			t.Errorf("got %s (%v), want %s", again, err, b)
		}
		if m.Check(northgate) == nil && !bytes.Equal(b, written(t, s.m)) {
			t.Errorf("authenticated, and never sealed: %s", b)
		}
	})
}

func written(t *testing.T, m *Manifest) []byte {
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
