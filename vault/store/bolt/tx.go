package bolt

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// ref names one entry of one bucket.
type ref struct {
	bucket store.Bucket
	key    string
}

// tx is one caller's share of a transaction: the state that the updates before
// it left, under an overlay of its own writes. Nothing reaches bbolt before its
// function has returned without an error.
type tx struct {
	base   *bbolt.Tx
	mem    mapping
	hasLog bool
	writes map[store.Bucket]*overlay
	bytes  int
	record [][]byte
	over   bool
}

// overlay is what a transaction writes to one bucket. Its keys are those it was
// given, not copies.
type overlay struct {
	at        map[string]int32 // key → which of rows
	rows      []write          // as they were first written
	ascending bool             // and that is the order of their keys
	sorted    *sortedKeys      // only of a bucket that was scanned
}

type write struct {
	key     string
	value   []byte
	deleted bool
}

// changed is how many entries it writes.
func (t *tx) changed() (n int) {
	for _, o := range t.writes {
		n += len(o.rows)
	}
	return n
}

// own returns what it writes to an entry, if anything.
func (t *tx) own(b store.Bucket, key []byte) (w write, ok bool) {
	if o := t.writes[b]; o != nil {
		var at int32
		if at, ok = o.at[string(key)]; ok {
			w = o.rows[at]
		}
	}
	return w, ok
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
	if w, ok := t.own(b, key); ok {
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
	o := t.writes[b]
	if o == nil {
		if t.writes == nil {
			t.writes = map[store.Bucket]*overlay{}
		}
		o = &overlay{at: map[string]int32{}, ascending: true}
		t.writes[b] = o
	}
	w.key = unsafe.String(unsafe.SliceData(key), len(key)) //nolint:gosec // the caller leaves the key unchanged
	t.bytes += len(w.key) + len(w.value)
	if at, there := o.at[w.key]; there {
		o.rows[at].value, o.rows[at].deleted = w.value, w.deleted
		return nil
	}
	if n := len(o.rows); n > 0 && w.key <= o.rows[n-1].key {
		o.ascending = false
	}
	o.at[w.key] = int32(len(o.rows))
	o.rows = append(o.rows, w)
	if o.sorted != nil {
		o.sorted.add(w.key)
	}
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
			if w, _ := t.own(b, []byte(own[0])); !w.deleted {
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
	o := t.writes[b]
	if o == nil {
		return nil
	}
	if o.sorted == nil {
		o.sorted = &sortedKeys{}
		for i := range o.rows {
			o.sorted.fresh = append(o.sorted.fresh, o.rows[i].key)
		}
	}
	return o.sorted.within(from, to)
}

// apply puts the overlay into the transaction below, in order of keys, which
// is several times faster than any other order.
func (t *tx) apply() (err error) {
	defer damage(&err)()
	for _, name := range slices.Sorted(maps.Keys(t.writes)) {
		o := t.writes[name]
		if !o.ascending {
			slices.SortFunc(o.rows, func(a, b write) int { return strings.Compare(a.key, b.key) })
		}
		bucket, err := t.base.CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return fmt.Errorf("making bucket %q: %w", name, err)
		}
		// Keys after the last one will be followed by more of their kind: leave
		// little room between them. What others wrote meanwhile may lie among the
		// first of them. Not by Cursor.Last: bbolt 1.5 looks for it without end where
		// this transaction deleted all of a bucket of more than one page.
		if behind, _ := bucket.Cursor().Seek([]byte(o.rows[len(o.rows)/2].key)); behind == nil {
			bucket.FillPercent = fillAscending
		}
		for _, w := range o.rows {
			key := unsafe.Slice(unsafe.StringData(w.key), len(w.key)) //nolint:gosec // bbolt changes no key
			if w.deleted {
				err = bucket.Delete(key)
			} else {
				err = bucket.Put(key, w.value)
			}
			if err != nil {
				return fmt.Errorf("writing to bucket %q: %w", name, err)
			}
		}
	}
	return nil
}

const fillAscending = 0.95

// sortedKeys is a set of keys that is sorted when it is read: most are only
// added to.
type sortedKeys struct {
	sorted, fresh []string
}

func (s *sortedKeys) add(key string) { s.fresh = append(s.fresh, key) }

// A few fresh keys are looked through at each scan; many are merged in.
const fewFresh = 64

func (s *sortedKeys) within(from, to []byte) []string {
	if len(s.fresh) > max(fewFresh, len(s.sorted)/fewFresh) {
		slices.Sort(s.fresh)
		s.merge()
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

// merge moves the fresh keys, which are sorted, to their places.
func (s *sortedKeys) merge() {
	a, b := len(s.sorted)-1, len(s.fresh)-1
	s.sorted = append(s.sorted, s.fresh...)
	for at := len(s.sorted) - 1; b >= 0; at-- {
		if a >= 0 && s.sorted[a] > s.fresh[b] {
			s.sorted[at] = s.sorted[a]
			a--
		} else {
			s.sorted[at] = s.fresh[b]
			b--
		}
	}
	clear(s.fresh)
	s.fresh = s.fresh[:0]
}
