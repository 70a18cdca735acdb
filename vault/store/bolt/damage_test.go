package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// aStore makes a store with some state and some log, and closes it.
func aStore(t *testing.T) *disk {
	t.Helper()
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 0, 40)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

func fill(t *testing.T, db *DB, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		_, err := db.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(tx.Put("people", fmt.Appendf(nil, "%04d", i), bytes.Repeat([]byte{byte(i)}, 100)), tx.Record(fmt.Appendf(nil, "state %d", i)))
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Append(t.Context(), fmt.Appendf(nil, "append %d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// refused opens a store that must be refused, without a file being changed.
func refused(t *testing.T, cfg Config, want error) error {
	t.Helper()
	before := contents(t, filepath.Dir(cfg.Path))
	db, err := Open(cfg)
	if err == nil {
		db.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("opening: got %v, want %v", err, want)
	}
	if after := contents(t, filepath.Dir(cfg.Path)); after != before {
		t.Error("opening changed a file")
	}
	return err
}

func contents(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s %d %s\n", path, len(b), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestATruncatedFileIsRefused(t *testing.T) {
	d := aStore(t)
	path := d.config().Path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var used int64
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
	db.Close()
	for _, n := range []int64{1, 16, 79, 100, 4095, 4096, 4176, 8191, 8192, 12288, used - 4096, used - 1} {
		edit(t, path, func([]byte) []byte { return whole[:n] })
		_, err := Open(d.config())
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat) {
			t.Errorf("cut to %d of %d bytes: got %v, want ErrDamaged", n, used, err)
		}
	}
	edit(t, path, func([]byte) []byte { return nil })
	refused(t, d.config(), store.ErrDamaged)
	edit(t, path, func([]byte) []byte { return whole[:used] })
	again, err := Open(d.config())
	if err != nil {
		t.Fatalf("with all that is in use: %v", err)
	}
	again.Close()
}

// bbolt falls back from a bad meta page to the state before; we do not.
func TestADamagedMetaPageIsRefused(t *testing.T) {
	whole := aStore(t)
	for page := range 2 {
		for _, at := range []int{16, 20, 24, 32, 56, 60, 64, 79} {
			d := whole.clone(t)
			edit(t, d.config().Path, func(b []byte) []byte { b[page*4096+at] ^= 4; return b })
			if err := refused(t, d.config(), store.ErrDamaged); err == nil {
				t.Errorf("byte %d of meta page %d", at, page)
			}
		}
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	for what, make := range map[string]func(path string) error{
		"text": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("Dear diary\n"), 5000), 0o600)
		},
		"another's bbolt file": func(path string) error {
			db, err := bbolt.Open(path, 0o600, nil)
			return errors.Join(err, db.Close())
		},
		"a later version": func(path string) error {
			db, err := bbolt.Open(path, 0o600, nil)
			return errors.Join(err, db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket(bucketEngine)
				return errors.Join(err, b.Put(keyFormat, []byte{0, 0, 0, formatVersion + 1}))
			}), db.Close())
		},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.db")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			refused(t, Config{Path: path}, store.ErrFormat)
		})
	}
	d := aStore(t)
	cfg := d.config()
	cfg.Log = ""
	refused(t, cfg, store.ErrFormat)
}

// No flipped byte of the file kills the process or hangs it. bbolt has no page
// checksums, so what is read may be wrong: that is for the envelopes to tell.
func TestADamagedPageKillsNobody(t *testing.T) {
	d := aStore(t)
	whole, err := os.ReadFile(d.config().Path)
	if err != nil {
		t.Fatal(err)
	}
	used := bytes.LastIndexFunc(whole, func(r rune) bool { return r != 0 }) + 1
	r := rand.New(rand.NewPCG(7, 7))
	flips, damaged := 120, 0
	if testing.Short() {
		flips = 40
	}
	for range flips {
		bit := 8192*8 + r.IntN((used-8192)*8)
		if r.IntN(2) == 0 {
			bit = bit&^(4096*8-1) + r.IntN(200*8) // where pages say what is in them
		}
		edit(t, d.config().Path, func([]byte) []byte {
			b := bytes.Clone(whole)
			b[bit/8] ^= 1 << (bit % 8)
			return b
		})
		db, err := Open(d.config())
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat) && !errors.Is(err, store.ErrOlder) {
				t.Errorf("bit %d flipped: opening: %v", bit, err)
			}
			damaged++
			continue
		}
		err = db.View(t.Context(), func(s store.Snapshot) error {
			sum := byte(0)
			err := s.Scan("people", nil, nil, func(k, v []byte) error {
				for _, c := range v {
					sum += c
				}
				_, err := s.Get("people", k)
				return err
			})
			return err
		})
		if err != nil {
			damaged++
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("bit %d flipped: reading: %v", bit, err)
			}
		}
		_ = db.Close()
	}
	t.Logf("%d of %d flips were noticed", damaged, flips)
}

// A page that points past the end of the file is a fault of memory, which must
// not end the process; a value that says it reaches there must not be given out.
func TestAPageThatPointsNowhereIsDamaged(t *testing.T) {
	d := aStore(t)
	path := d.config().Path
	var root uint64
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = db.View(func(tx *bbolt.Tx) error { root = uint64(tx.Bucket([]byte("people")).Root()); return nil })
	db.Close()
	le := binary.LittleEndian
	value := le.AppendUint32(le.AppendUint32(nil, 4), 100) // of a key of 4 bytes, 100 long
	for what, change := range map[string]func([]byte) []byte{
		"the root of a bucket": func(b []byte) []byte {
			name := []byte("people")
			return bytes.ReplaceAll(b, le.AppendUint64(name, root), le.AppendUint64(name, 1<<20))
		},
		"the length of values": func(b []byte) []byte {
			return bytes.ReplaceAll(b, value, le.AppendUint32(le.AppendUint32(nil, 4), 1<<30))
		},
		"the place of values": func(b []byte) []byte {
			for at := 0; ; at += len(value) {
				next := bytes.Index(b[at:], value)
				if next < 0 {
					return b
				}
				at += next
				le.PutUint32(b[at-4:], 1<<30)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := d.clone(t)
			edit(t, d.config().Path, change)
			db, err := Open(d.config())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			look := func(r store.Reader) error {
				if _, err := r.Get("people", []byte("0005")); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("get: got %v, want ErrDamaged", err)
				}
				sum := byte(0)
				err := r.Scan("people", nil, nil, func(k, v []byte) error {
					for _, b := range [][]byte{k, v} {
						for _, c := range b {
							sum += c
						}
					}
					return nil
				})
				if !errors.Is(err, store.ErrDamaged) {
					t.Errorf("scan: got %v, want ErrDamaged", err)
				}
				return errors.New("enough seen")
			}
			_ = db.View(t.Context(), func(s store.Snapshot) error { return look(s) })
			_, _ = db.Update(t.Context(), func(tx store.Tx) error { return look(tx) })
			// Writing there fails, and ends the engine without ending the process.
			_, err = db.Update(t.Context(), func(tx store.Tx) error { return tx.Put("people", []byte("0005"), nil) })
			if !errors.Is(err, store.ErrDamaged) || !errors.Is(err, store.ErrClosed) {
				t.Errorf("writing: got %v, want ErrClosed because it is damaged", err)
			}
		})
	}
}
