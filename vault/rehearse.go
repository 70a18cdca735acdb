package vault

import (
	"bytes"
	"errors"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// rehearsal runs acts on a snapshot as if it were a transaction, and notes what
// each reads, would write and would record. So the work of many acts is done by
// many, before the turn of the one writer, whom others wait for. In it an act is
// played if all that it read is still so, and else done again: what comes out is
// what doing them one after the other would have given.
//
// The acts of one rehearsal see what those before them would write. That is read
// like anything else: whether an act before was played as rehearsed shows in what
// it left.
type rehearsal struct {
	below  store.Reader
	before map[store.Bucket]*rowSet      // written by the acts before
	act    *rehearsed                    // the present one
	fresh  map[privacy.SubjectID]*person // whose keys are made and not durable yet
}

// rehearsed is one act: what it rests on, and what it does.
type rehearsed struct {
	anew    []byte // what the keys of somebody begin with whom the act makes: nobody else can have rows there
	gets    []noted
	scans   []span
	writes  []noted // nil values are to be deleted; each key once
	records [][]byte
	events  []raised
}

// noted is a row of a bucket; a nil value is none.
type noted struct {
	bucket     store.Bucket
	key, value []byte
}

// span is a range as an act saw it, as far as it looked.
type span struct {
	bucket   store.Bucket
	from, to []byte
	rows     []noted
}

// rowSet is rows of one bucket by key.
type rowSet struct {
	rows map[string][]byte
	keys []string // sorted
}

// begin begins the notes of the next act.
func (r *rehearsal) begin() *rehearsed {
	r.act = &rehearsed{}
	return r.act
}

// make notes somebody whom the present act makes.
func (r *rehearsal) make(p *person) {
	if r.fresh == nil {
		r.fresh = map[privacy.SubjectID]*person{}
	}
	r.fresh[p.id] = p
}

// made returns somebody whom one of the acts made, with their keys; else nil.
func (r *rehearsal) made(id privacy.SubjectID) *person {
	p := r.fresh[id]
	if p == nil {
		return nil
	}
	again := *p
	return &again
}

// keep lets the acts that come see what the present one would write.
func (r *rehearsal) keep() {
	if r.before == nil {
		r.before = map[store.Bucket]*rowSet{}
	}
	for _, w := range r.act.writes {
		s := r.before[w.bucket]
		if s == nil {
			s = &rowSet{rows: map[string][]byte{}}
			r.before[w.bucket] = s
		}
		key := string(w.key)
		if at, there := slices.BinarySearch(s.keys, key); !there {
			s.keys = slices.Insert(s.keys, at, key)
		}
		s.rows[key] = w.value
	}
}

// Get implements store.Reader.
func (r *rehearsal) Get(b store.Bucket, key []byte) ([]byte, error) {
	if at := indexOf(r.act.writes, b, key); at >= 0 {
		return r.act.writes[at].value, nil
	}
	if len(r.act.anew) > 0 && bytes.HasPrefix(key, r.act.anew) {
		return nil, nil
	}
	if at := indexOf(r.act.gets, b, key); at >= 0 {
		return r.act.gets[at].value, nil
	}
	value, there := []byte(nil), false
	if s := r.before[b]; s != nil {
		value, there = s.rows[string(key)]
	}
	if !there {
		var err error
		if value, err = r.below.Get(b, key); err != nil {
			return nil, err
		}
	}
	value = bytes.Clone(value)
	r.act.gets = append(r.act.gets, noted{b, bytes.Clone(key), value})
	return value, nil
}

func indexOf(rows []noted, b store.Bucket, key []byte) int {
	return slices.IndexFunc(rows, func(w noted) bool { return w.bucket == b && bytes.Equal(w.key, key) })
}

// Scan implements store.Reader.
func (r *rehearsal) Scan(b store.Bucket, from, to []byte, fn func(key, value []byte) error) error {
	if seen := r.seen(b, from, to); seen != nil {
		return seen.again(fn)
	}
	seen := span{bucket: b, from: bytes.Clone(from), to: bytes.Clone(to)}
	written := r.written(b, from, to)
	var ended error
	step := func(key, value []byte) error { // value: what lies below all that is written
		if s := r.before[b]; s != nil {
			if w, there := s.rows[string(key)]; there {
				value = w
			}
		}
		if value != nil {
			seen.rows = append(seen.rows, noted{b, bytes.Clone(key), bytes.Clone(value)})
		}
		if at := indexOf(r.act.writes, b, key); at >= 0 {
			value = r.act.writes[at].value
		}
		if value != nil {
			ended = fn(key, value)
		}
		if ended != nil { // what comes behind it was not looked at
			seen.to = append(bytes.Clone(key), 0)
		}
		return ended
	}
	err := r.below.Scan(b, from, to, func(key, value []byte) error {
		for len(written) > 0 && written[0] < string(key) {
			if err := step([]byte(written[0]), nil); err != nil {
				return err
			}
			written = written[1:]
		}
		if len(written) > 0 && written[0] == string(key) {
			written = written[1:]
		}
		return step(key, value)
	})
	for ; err == nil && ended == nil && len(written) > 0; written = written[1:] {
		err = step([]byte(written[0]), nil)
	}
	r.act.scans = append(r.act.scans, seen)
	if errors.Is(err, store.ErrStop) {
		return nil
	}
	return err
}

// seen returns the notes of a range that the act looked at before, unless it has
// written there since.
func (r *rehearsal) seen(b store.Bucket, from, to []byte) *span {
	for i := range r.act.scans {
		s := &r.act.scans[i]
		if s.bucket == b && bytes.Equal(s.from, from) && bytes.Equal(s.to, to) {
			if slices.ContainsFunc(r.act.writes, func(w noted) bool { return w.bucket == b && within(w.key, from, to) }) {
				return nil
			}
			return s
		}
	}
	return nil
}

func within(key, from, to []byte) bool {
	return bytes.Compare(key, from) >= 0 && (to == nil || bytes.Compare(key, to) < 0)
}

// again gives the rows of the range as they were seen.
func (s *span) again(fn func(key, value []byte) error) error {
	for _, row := range s.rows {
		if err := fn(row.key, row.value); errors.Is(err, store.ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// written returns the keys in a range that are written, by whichever act, in
// order.
func (r *rehearsal) written(b store.Bucket, from, to []byte) []string {
	var keys []string
	if s := r.before[b]; s != nil {
		lo, _ := slices.BinarySearch(s.keys, string(from))
		hi := len(s.keys)
		if to != nil {
			hi, _ = slices.BinarySearch(s.keys, string(to))
		}
		keys = slices.Clone(s.keys[min(lo, hi):hi])
	}
	before := len(keys)
	for _, w := range r.act.writes {
		if w.bucket == b && within(w.key, from, to) {
			keys = append(keys, string(w.key))
		}
	}
	if len(keys) > before {
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	return keys
}

// Put implements store.Tx.
func (r *rehearsal) Put(b store.Bucket, key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return r.write(noted{b, key, value})
}

// Delete implements store.Tx.
func (r *rehearsal) Delete(b store.Bucket, key []byte) error { return r.write(noted{b, key, nil}) }

func (r *rehearsal) write(w noted) error {
	if at := indexOf(r.act.writes, w.bucket, w.key); at >= 0 {
		r.act.writes[at] = w
	} else {
		r.act.writes = append(r.act.writes, w)
	}
	return nil
}

// Record implements store.Tx.
func (r *rehearsal) Record(entry []byte) error {
	r.act.records = append(r.act.records, entry)
	return nil
}

// raise implements raiser.
func (r *rehearsal) raise(e raised) { r.act.events = append(r.act.events, e) }

// errOtherwise ends a look at a range that is not as it was.
var errOtherwise = errors.New("not as it was rehearsed")

// holds reports whether all that the act read is still so.
func (a *rehearsed) holds(r store.Reader) (bool, error) {
	for _, g := range a.gets {
		value, err := r.Get(g.bucket, g.key)
		if err != nil {
			return false, err
		}
		if (value == nil) != (g.value == nil) || !bytes.Equal(value, g.value) {
			return false, nil
		}
	}
	for _, s := range a.scans {
		seen := 0
		err := r.Scan(s.bucket, s.from, s.to, func(key, value []byte) error {
			if seen == len(s.rows) || !bytes.Equal(key, s.rows[seen].key) || !bytes.Equal(value, s.rows[seen].value) {
				return errOtherwise
			}
			seen++
			return nil
		})
		if errors.Is(err, errOtherwise) || err == nil && seen < len(s.rows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// play does the act as it was rehearsed.
func (a *rehearsed) play(tx store.Tx) error {
	for _, w := range a.writes {
		var err error
		if w.value == nil {
			err = tx.Delete(w.bucket, w.key)
		} else {
			err = tx.Put(w.bucket, w.key, w.value)
		}
		if err != nil {
			return err
		}
	}
	for _, entry := range a.records {
		if err := tx.Record(entry); err != nil {
			return err
		}
	}
	for _, e := range a.events {
		tx.(raiser).raise(e)
	}
	return nil
}
