package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault/store"
)

// lossy is a file whose writes reach the disk when it is synced. Before that, a
// power cut leaves any of their sectors.
type lossy struct {
	file
	path    string
	pending []pendingWrite
	before  func(path string, pending []pendingWrite)
}

type pendingWrite struct {
	data []byte
	off  int64
}

func (l *lossy) WriteAt(b []byte, off int64) (int, error) {
	l.pending = append(l.pending, pendingWrite{bytes.Clone(b), off})
	return len(b), nil
}

func (l *lossy) Sync() error {
	l.before(l.path, l.pending)
	for _, w := range l.pending {
		if _, err := l.file.WriteAt(w.data, w.off); err != nil {
			return err
		}
	}
	l.pending = nil
	return nil
}

const sector = 512

// tear writes some sectors of the pending writes into the file at path.
func tear(path string, pending []pendingWrite, r *rand.Rand) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	keep := r.IntN(3) // a few, half or most of them
	for _, w := range pending {
		for len(w.data) > 0 {
			n := min(int64(len(w.data)), sector-w.off%sector)
			if r.IntN(4) <= keep {
				if _, err := f.WriteAt(w.data[:n], w.off); err != nil {
					return err
				}
			}
			w.data, w.off = w.data[n:], w.off+n
		}
	}
	return nil
}

// Power is cut in the middle of writes to the log, sectors of which reach the
// disk in any order or not at all. Whatever was answered is there; what was not
// is there or gone; and the log goes on, through another cut.
func TestTornWritesLoseNothingThatWasAnswered(t *testing.T) {
	type image struct {
		d        *disk
		answered map[uint64]string
	}
	var mu sync.Mutex
	run := func(d *disk, seed uint64, answered map[uint64]string) []image {
		var images []image
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := d.config()
		cfg.Create = !d.opened
		cfg.openFile = func(path string) (file, error) {
			f, err := openForWriting(path)
			return &lossy{file: f, path: path, before: func(path string, pending []pendingWrite) {
				mu.Lock()
				defer mu.Unlock()
				if len(images) == 12 || r.IntN(6) > 0 {
					return
				}
				im := image{answered: map[uint64]string{}}
				for i, e := range answered {
					im.answered[i] = e
				}
				var err error
				if im.d, err = d.cut(); err == nil {
					rel, _ := filepath.Rel(d.live, path)
					err = tear(filepath.Join(im.d.live, rel), pending, r)
				}
				if err != nil {
					t.Error(err)
				}
				images = append(images, im)
			}}, err
		}
		db, err := Open(cfg)
		if err != nil {
			t.Fatalf("opening: %v", err)
		}
		d.opened = true
		if err := d.settle(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(g)+10))
				for i := range 30 {
					key := fmt.Sprintf("%d %d %d", seed, g, i)
					entry := fmt.Sprintf("%s %s", key, strings.Repeat("x", r.IntN(12_000)))
					var index uint64
					var err error
					if i%5 == 0 {
						var at []uint64
						at, err = db.Update(context.Background(), func(tx store.Tx) error {
							return errors.Join(tx.Put("b", []byte(key), nil), tx.Record([]byte(entry)))
						})
						if err == nil {
							index = at[0]
						}
					} else {
						index, err = db.Append(context.Background(), []byte(entry))
					}
					if err != nil {
						t.Errorf("writing: %v", err)
						return
					}
					mu.Lock()
					answered[index] = entry
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		return images
	}
	verify := func(im image) {
		t.Helper()
		db, err := Open(im.d.config())
		if err != nil {
			t.Fatalf("opening after a power cut: %v", err)
		}
		defer db.Close()
		log := logOf(t, db)
		for i, e := range im.answered {
			if i >= uint64(len(log)) || log[i] != e {
				t.Errorf("entry %d was answered and is lost", i)
			}
		}
	}
	first := run(newDisk(t, true), 1, map[uint64]string{})
	for n, im := range first {
		verify(im)
		if n%4 > 0 {
			continue
		}
		for _, again := range run(im.d, uint64(n)+2, im.answered) {
			verify(again)
		}
		verify(image{im.d, im.answered})
	}
}

// A group of three was torn: its first entry is bad, the others reached the
// disk. None was answered, so none comes back – not even when the next entry
// has the length of the bad one, and ends where the second begins.
func TestATornGroupNeverComesBack(t *testing.T) {
	d := newDisk(t, true)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 0, 2)
	off := db.log.off
	crashed, err := d.cut()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var torn []byte
	for i := range uint64(3) {
		torn = appendFrame(torn, frame{kind: kindAppended, index: 4 + i, durable: 4, state: 2, payload: []byte("never")})
	}
	torn[frameHeader] ^= 1
	edit(t, segmentPath(crashed, 1), func(b []byte) []byte { copy(b[off:], torn); return b })
	for _, entry := range []string{"again", "other"} {
		if db, err = crashed.open(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Append(t.Context(), []byte(entry)); err != nil {
			t.Fatal(err)
		}
		next, err := crashed.cut()
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		crashed = next
	}
	if db, err = crashed.open(); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := strings.Join(logOf(t, db), "|"); got != "state 0|append 0|state 1|append 1|again|other" {
		t.Errorf("got %s", got)
	}
}
