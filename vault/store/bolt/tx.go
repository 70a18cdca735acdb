package bolt

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// ref names one entry of one bucket.
type ref struct {
	bucket store.Bucket
	key    string
}

type write struct {
	value   []byte
	deleted bool
}

// tx is one caller's share of a transaction: the state that the updates before
// it left, under an overlay of its own writes. Nothing reaches bbolt before its
// function has returned without an error.
type tx struct {
	base   *bbolt.Tx
	mem    mapping
	hasLog bool
	writes map[ref]write
	sorted map[store.Bucket]*sortedKeys // only of buckets that were scanned
	bytes  int
	record [][]byte
	over   bool
}

var (
	errNoLog     = errors.New("this store has no log")
	errBadKey    = errors.New("key is empty or longer than 32,768 bytes")
	errBadBucket = errors.New("name of a bucket is empty or begins with a zero byte")
	errBadEntry  = fmt.Errorf("entry is empty or longer than %d bytes", store.MaxEntry)
)

// validBucket keeps others out of the engine's own buckets.
func validBucket(b store.Bucket) bool {
	return len(b) > 0 && b[0] != 0 && len(b) <= bbolt.MaxKeySize
}

func checkKey(b store.Bucket, key []byte) error {
	if !validBucket(b) {
		return errBadBucket
	}
	if len(key) == 0 || len(key) > bbolt.MaxKeySize {
		return errBadKey
	}
	return nil
}

func checkEntry(entry []byte) error {
	if len(entry) == 0 || len(entry) > store.MaxEntry {
		return errBadEntry
	}
	return nil
}

// Get implements store.Reader.
func (t *tx) Get(b store.Bucket, key []byte) (value []byte, err error) {
	if t.over {
		return nil, errOver
	}
	if w, ok := t.writes[ref{b, string(key)}]; ok {
		if w.deleted {
			return nil, nil
		}
		return full(w.value), nil
	}
	defer damage(&err)()
	return t.mem.get(t.bucket(b), key), nil
}

func (t *tx) bucket(b store.Bucket) *bbolt.Bucket {
	if !validBucket(b) {
		return nil
	}
	return t.base.Bucket([]byte(b))
}

// Put implements store.Tx.
func (t *tx) Put(b store.Bucket, key, value []byte) error {
	return t.set(b, key, write{value: full(value)})
}

// Delete implements store.Tx.
func (t *tx) Delete(b store.Bucket, key []byte) error {
	return t.set(b, key, write{deleted: true})
}

func (t *tx) set(b store.Bucket, key []byte, w write) error {
	if t.over {
		return errOver
	}
	if err := checkKey(b, key); err != nil {
		return err
	}
	r := ref{b, string(key)}
	if s := t.sorted[b]; s != nil {
		if _, ok := t.writes[r]; !ok {
			s.add(r.key)
		}
	}
	if t.writes == nil {
		t.writes = make(map[ref]write)
	}
	t.writes[r] = w
	t.bytes += len(key) + len(w.value)
	return nil
}

// Record implements store.Tx.
func (t *tx) Record(entry []byte) error {
	switch {
	case t.over:
		return errOver
	case !t.hasLog:
		return errNoLog
	}
	if err := checkEntry(entry); err != nil {
		return err
	}
	t.record = append(t.record, entry)
	t.bytes += len(entry)
	return nil
}

// Scan implements store.Reader: it merges the state below with the overlay.
func (t *tx) Scan(b store.Bucket, from, to []byte, fn func(key, value []byte) error) error {
	if t.over {
		return errOver
	}
	own := t.keys(b, from, to)
	c, k, v, err := t.mem.seek(t.bucket, b, from)
	for err == nil {
		below := k != nil && (to == nil || bytes.Compare(k, to) < 0)
		if !below && len(own) == 0 {
			return nil
		}
		order := -1 // of the key below to the next own one
		if !below {
			order = 1
		} else if len(own) > 0 {
			order = cmp.Compare(string(k), own[0])
		}
		var fnErr error
		if order < 0 {
			fnErr = fn(k, v)
		} else {
			if w := t.writes[ref{b, own[0]}]; !w.deleted {
				fnErr = fn([]byte(own[0]), full(w.value))
			}
			own = own[1:]
		}
		if errors.Is(fnErr, store.ErrStop) {
			return nil
		} else if fnErr != nil {
			return fnErr
		}
		if order <= 0 {
			k, v, err = t.mem.step(c)
		}
	}
	return err
}

// keys returns the overlay's keys in [from, to), sorted.
func (t *tx) keys(b store.Bucket, from, to []byte) []string {
	if len(t.writes) == 0 {
		return nil
	}
	s := t.sorted[b]
	if s == nil {
		s = &sortedKeys{}
		for r := range t.writes {
			if r.bucket == b {
				s.fresh = append(s.fresh, r.key)
			}
		}
		if t.sorted == nil {
			t.sorted = make(map[store.Bucket]*sortedKeys)
		}
		t.sorted[b] = s
	}
	return s.within(from, to)
}

// apply puts the overlay into the transaction below, in order of keys, which
// is several times faster than any other order.
func (t *tx) apply() (err error) {
	defer damage(&err)()
	type put struct {
		ref
		write
	}
	puts := make([]put, 0, len(t.writes))
	for r, w := range t.writes {
		puts = append(puts, put{r, w})
	}
	slices.SortFunc(puts, func(a, b put) int {
		if a.bucket != b.bucket {
			return cmp.Compare(a.bucket, b.bucket)
		}
		return cmp.Compare(a.key, b.key)
	})
	var bucket *bbolt.Bucket
	for i, p := range puts {
		if i == 0 || puts[i-1].bucket != p.bucket {
			if bucket, err = t.base.CreateBucketIfNotExists([]byte(p.bucket)); err != nil {
				return fmt.Errorf("making bucket %q: %w", p.bucket, err)
			}
			// Keys after the last one will be followed by more of their kind:
			// leave no room between them.
			if last, _ := bucket.Cursor().Last(); last != nil && string(last) < p.key {
				bucket.FillPercent = fillAscending
			}
		}
		if p.deleted {
			err = bucket.Delete([]byte(p.key))
		} else {
			err = bucket.Put([]byte(p.key), p.value)
		}
		if err != nil {
			return fmt.Errorf("writing to bucket %q: %w", p.bucket, err)
		}
	}
	return nil
}

const fillAscending = 0.9

// sortedKeys is a set of keys that is sorted when it is read: most are only
// added to.
type sortedKeys struct {
	sorted, fresh []string
}

func (s *sortedKeys) add(key string) { s.fresh = append(s.fresh, key) }

// A few fresh keys are looked through at each scan; many are merged in.
const fewFresh = 64

func (s *sortedKeys) within(from, to []byte) []string {
	if len(s.fresh) > fewFresh {
		slices.Sort(s.fresh)
		s.sorted = merge(s.sorted, s.fresh)
		s.fresh = nil
	}
	lo, _ := slices.BinarySearch(s.sorted, string(from))
	hi := len(s.sorted)
	if to != nil {
		hi, _ = slices.BinarySearch(s.sorted, string(to))
	}
	var found []string
	if lo < hi {
		found = s.sorted[lo:hi:hi]
	}
	if len(s.fresh) == 0 {
		return found
	}
	for _, k := range s.fresh {
		if k >= string(from) && (to == nil || k < string(to)) {
			found = append(found, k)
		}
	}
	slices.Sort(found)
	return found
}

func merge(a, b []string) []string {
	all := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}
