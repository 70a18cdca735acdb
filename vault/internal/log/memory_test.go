package log

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/sayso-vault/sayso/vault/store"
)

// memory is an engine in memory whose log can be told what is durable, whose
// updates can fail on either side of the commit, and which can be damaged.
type memory struct {
	mu      sync.Mutex
	rows    map[store.Bucket][]put // sorted
	log     [][]byte
	durable uint64
	before  error  // the next update fails with it, having kept nothing
	after   error  // the next update fails with it, having kept everything
	early   func() // called in an update, when nothing of it is kept yet
}

func newMemory() *memory { return &memory{rows: map[store.Bucket][]put{}} }

func (m *memory) find(b store.Bucket, key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.rows[b], key, func(p put, k []byte) int { return bytes.Compare(p.key, k) })
}

func (m *memory) View(_ context.Context, fn func(store.Snapshot) error) error {
	m.mu.Lock()
	snapshot := memoryTx{&memory{rows: m.rows}} // an update replaces the map
	m.mu.Unlock()
	return fn(snapshot)
}

func (m *memory) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.before; err != nil {
		m.before = nil
		return nil, err
	}
	kept := map[store.Bucket][]put{}
	for b, rows := range m.rows {
		kept[b] = slices.Clone(rows)
	}
	if err := fn(memoryTx{&memory{rows: kept}}); err != nil {
		return nil, err
	}
	if m.early != nil {
		m.early()
	}
	m.rows = kept
	err := m.after
	m.after = nil
	return nil, err
}

// Scrub has nothing to clear.
func (m *memory) Scrub(context.Context, func(done, of uint64)) error { return nil }

func (m *memory) Close() error { return nil }

// Append keeps an entry that is durable at once.
func (m *memory) Append(_ context.Context, entry []byte, _ ...store.Condition) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, slices.Clone(entry))
	m.durable = uint64(len(m.log))
	return m.durable - 1, nil
}

func (m *memory) Size() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.durable
}

func (m *memory) Entries(_ context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	m.mu.Lock()
	if to > m.durable {
		m.mu.Unlock()
		return store.ErrDamaged
	}
	entries := slices.Clone(m.log[from:to])
	m.mu.Unlock()
	for i, e := range entries {
		if err := fn(from+uint64(i), e); err != nil {
			return err
		}
	}
	return nil
}

type memoryTx struct{ *memory }

func (t memoryTx) Get(b store.Bucket, key []byte) ([]byte, error) {
	if i, ok := t.find(b, key); ok {
		return t.rows[b][i].value, nil
	}
	return nil, nil
}

func (t memoryTx) Scan(b store.Bucket, from, to []byte, fn func(key, value []byte) error) error {
	i, _ := t.find(b, from)
	for ; i < len(t.rows[b]); i++ {
		p := t.rows[b][i]
		if to != nil && bytes.Compare(p.key, to) >= 0 {
			break
		}
		if err := fn(p.key, p.value); err == store.ErrStop {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (t memoryTx) Put(b store.Bucket, key, value []byte) error {
	p := put{slices.Clone(key), append([]byte{}, value...)}
	if i, ok := t.find(b, key); ok {
		t.rows[b][i] = p
	} else {
		t.rows[b] = slices.Insert(t.rows[b], i, p)
	}
	return nil
}

func (t memoryTx) Delete(b store.Bucket, key []byte) error {
	if i, ok := t.find(b, key); ok {
		t.rows[b] = slices.Delete(t.rows[b], i, i+1)
	}
	return nil
}

func (t memoryTx) Record([]byte) error { return nil }

func (t memoryTx) Unchanged(store.Bucket, []byte) store.Condition { return store.Condition{} }

func (t memoryTx) State() uint64 { panic("not needed") }
