package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault/store"
)

// The engine's own buckets begin with a zero byte, which others' may not.
//
// "\x00engine" holds
//
//	"format"  format version, 4 bytes, big endian: 1
//	"log"     ID of the log that belongs to this file, 16 bytes; none without one
//	"state"   three numbers of 8 bytes, big endian: see state
//
// "\x00outbox" holds the entries recorded with state, by state sequence, until
// they are known to be durable in the log.
var (
	bucketEngine = []byte("\x00engine")
	bucketOutbox = []byte("\x00outbox")
	keyFormat    = []byte("format")
	keyLog       = []byte("log")
	keyState     = []byte("state")
)

const formatVersion = 1

// state is what vault.db says about its log.
type state struct {
	sequence uint64 // of the last entry recorded with state
	trimmed  uint64 // entries up to this sequence are durable in the log
	size     uint64 // the log had at least so many durable entries
}

func (s state) marshal() []byte {
	b := binary.BigEndian.AppendUint64(nil, s.sequence)
	b = binary.BigEndian.AppendUint64(b, s.trimmed)
	return binary.BigEndian.AppendUint64(b, s.size)
}

func parseState(b []byte) (state, error) {
	if len(b) != 24 {
		return state{}, fmt.Errorf("%w: state of the log in vault.db", store.ErrDamaged)
	}
	s := state{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
	if s.trimmed > s.sequence {
		return state{}, fmt.Errorf("%w: state of the log in vault.db", store.ErrDamaged)
	}
	return s, nil
}

func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// initialise writes the engine's buckets into a new file.
func initialise(db *bbolt.DB, id *logID) error {
	return db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucketEngine)
		if err != nil {
			return err
		}
		if err := b.Put(keyFormat, binary.BigEndian.AppendUint32(nil, formatVersion)); err != nil {
			return err
		}
		if id == nil {
			return nil
		}
		if err := b.Put(keyLog, id[:]); err != nil {
			return err
		}
		if err := b.Put(keyState, state{}.marshal()); err != nil {
			return err
		}
		_, err = tx.CreateBucket(bucketOutbox)
		return err
	})
}

// facts is what the engine's buckets say when it is opened.
type facts struct {
	id    *logID // nil without a log
	state state
}

func readFacts(tx *bbolt.Tx) (f facts, err error) {
	defer damage(&err)()
	b := tx.Bucket(bucketEngine)
	if b == nil {
		return f, fmt.Errorf("%w: no engine of sayso wrote it", store.ErrFormat)
	}
	format := b.Get(keyFormat)
	if len(format) != 4 || binary.BigEndian.Uint32(format) != formatVersion {
		return f, fmt.Errorf("%w: version %x", store.ErrFormat, format)
	}
	id := b.Get(keyLog)
	if id == nil {
		return f, nil
	}
	if len(id) != len(logID{}) || tx.Bucket(bucketOutbox) == nil {
		return f, fmt.Errorf("%w: ID of the log in vault.db", store.ErrDamaged)
	}
	f.id = new(logID(id))
	f.state, err = parseState(b.Get(keyState))
	return f, err
}

// pending calls fn for the outbox's entries after sequence, which must follow
// each other without a gap up to the last one recorded.
func pending(tx *bbolt.Tx, after uint64, s state, fn func(entry []byte) error) (err error) {
	defer damage(&err)()
	c := tx.Bucket(bucketOutbox).Cursor()
	k, v := c.Seek(sequenceKey(after + 1))
	for n := after + 1; n <= s.sequence; n++ {
		if len(k) != 8 || binary.BigEndian.Uint64(k) != n || checkEntry(v) != nil {
			return fmt.Errorf("%w: entry %d of the outbox is missing", store.ErrDamaged, n)
		}
		if err := fn(v); err != nil {
			return err
		}
		k, v = c.Next()
	}
	return nil
}

// trim drops the entries that are durable in the log, and returns the bucket,
// which may be another one.
func trim(tx *bbolt.Tx, b *bbolt.Bucket, durableState uint64) (*bbolt.Bucket, error) {
	c := b.Cursor()
	first, _ := c.First()
	last, _ := c.Last()
	switch durable := sequenceKey(durableState); {
	case first == nil || bytes.Compare(first, durable) > 0:
		return b, nil
	case bytes.Compare(last, durable) <= 0: // all of them, as mostly: page by page
		if err := tx.DeleteBucket(bucketOutbox); err != nil {
			return nil, err
		}
		return tx.CreateBucket(bucketOutbox)
	}
	var all [][]byte
	for k, _ := c.First(); k != nil && bytes.Compare(k, sequenceKey(durableState)) <= 0; k, _ = c.Next() {
		all = append(all, k)
	}
	for _, k := range all {
		if err := b.Delete(k); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// post adds entries to the outbox, drops those that are durable in the log by
// now, and writes what the file shall say about its log.
func post(tx *bbolt.Tx, s *state, entries [][]byte, durableState, size uint64) (err error) {
	defer damage(&err)()
	b := tx.Bucket(bucketOutbox)
	if b, err = trim(tx, b, durableState); err != nil {
		return err
	}
	b.FillPercent = fillAscending
	s.trimmed = max(s.trimmed, min(durableState, s.sequence))
	for _, e := range entries {
		s.sequence++
		if err := b.Put(sequenceKey(s.sequence), e); err != nil {
			return err
		}
	}
	s.size = size
	return tx.Bucket(bucketEngine).Put(keyState, s.marshal())
}
