package log

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/store"
)

// Checkpoint returns the last signed checkpoint. It is at most a second behind
// the durable log: if the follower has not looked for so long, it waits until
// it has.
func (f *Follower) Checkpoint(ctx context.Context) ([]byte, error) {
	size := f.cfg.Store.Size()
	f.mu.Lock()
	late := f.head.Size < size && time.Since(f.looked) > maxBehind
	f.mu.Unlock()
	if late {
		if err := f.CatchUpTree(ctx, size); err != nil {
			return nil, err
		}
	}
	return f.shown().signed, nil
}

// Head returns what the last signed checkpoint says.
func (f *Follower) Head() Checkpoint { return f.shown().Checkpoint }

// Progress returns the same, and when everything that was durable at that time
// was under it; the zero time if that was never so yet.
func (f *Follower) Progress() (Checkpoint, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head.Checkpoint, f.looked
}

func (f *Follower) shown() head {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// Tile returns the first width hashes of tile n of a level, as C2SP tlog-tiles
// serve them, or ErrNotFound if the tree of the last checkpoint has them not.
func (f *Follower) Tile(ctx context.Context, level int, n uint64, width int) ([]byte, error) {
	if !within(f.Head().Size, level, n, width) {
		return nil, ErrNotFound
	}
	var tile []byte
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		row, err := readTile(s, level, n, width)
		tile = append(tile[:0], row...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tile, nil
}

// EntryBundle returns the leaves under the first width hashes of tile n of
// level 0, as C2SP tlog-tiles serve them: each a commitment of 32 bytes after
// its length in two. It returns ErrNotFound as Tile does.
func (f *Follower) EntryBundle(ctx context.Context, n uint64, width int) ([]byte, error) {
	if !within(f.Head().Size, 0, n, width) {
		return nil, ErrNotFound
	}
	b := make([]byte, 0, width*(2+32))
	from := n << tileHeight
	err := f.cfg.Store.Entries(ctx, from, from+uint64(width), func(_ uint64, entry []byte) error {
		e, err := ParseEntry(entry)
		if err != nil {
			return err
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(e.Commitment)))
		b = append(b, e.Commitment[:]...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading entries of bundle %d: %w", n, err)
	}
	return b, nil
}

// within reports whether a tree of the given size has the tile at that width.
func within(size uint64, level int, n uint64, width int) bool {
	if level < 0 || level > maxLevel || width < 1 || width > tileWidth {
		return false
	}
	have := size >> (tileHeight * level)
	return n <= have>>tileHeight && n<<tileHeight+uint64(width) <= have
}

// Proof returns the proof that entry index is in the tree of the given size,
// for tlog.CheckRecord. Every hash in it was checked against the last signed
// checkpoint; a tree larger than that, or an entry beyond the tree, is
// ErrNotFound.
func (f *Follower) Proof(ctx context.Context, index, size uint64) (tlog.RecordProof, error) {
	signed := f.Head()
	if size > signed.Size || index >= size {
		return nil, ErrNotFound
	}
	var proof tlog.RecordProof
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		tree := tlog.Tree{N: int64(signed.Size), Hash: signed.Root}
		proof, err = tlog.ProveRecord(int64(size), int64(index), tlog.TileHashReader(tree, tiles{s}))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("proving log entry %d: %w", index, err)
	}
	return proof, nil
}

// RootAt returns the root of the tree as it was at an earlier size, every hash
// checked against the last signed checkpoint. A larger size is ErrNotFound.
func (f *Follower) RootAt(ctx context.Context, size uint64) (tlog.Hash, error) {
	return RootAt(ctx, f.cfg.Store, f.Head(), size)
}

// RootAt returns the root that the tree under a checkpoint had at an earlier
// size, every hash checked against that checkpoint. A larger size is
// ErrNotFound.
func RootAt(ctx context.Context, st Viewer, under Checkpoint, size uint64) (root tlog.Hash, err error) {
	if size > under.Size {
		return root, ErrNotFound
	}
	err = st.View(ctx, func(s store.Snapshot) (err error) {
		tree := tlog.Tree{N: int64(under.Size), Hash: under.Root}
		root, err = tlog.TreeHash(int64(size), tlog.TileHashReader(tree, tiles{s}))
		return err
	})
	if err != nil {
		return root, fmt.Errorf("computing the root at size %d: %w", size, err)
	}
	return root, nil
}
