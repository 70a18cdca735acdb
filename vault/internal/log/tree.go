package log

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/store"
)

// The tree is kept as C2SP tlog-tiles do: a tile of level L, number N lists up
// to 256 hashes, each the root of 256^L leaves. The rightmost tile of a level
// may be partial; it is kept at its present width, and its narrower versions
// are its beginnings.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	tileBytes  = tileWidth * tlog.HashSize
	// maxLevel keeps size >> (8 × level) within 64 bits.
	maxLevel = 7
)

// tileBucket: level (1) ‖ number (8, big endian) → hashes.
const tileBucket store.Bucket = "log/tile"

func tileKey(level int, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), byte(level)), n)
}

// edge is the right edge of the tree: of each level the tile being filled. From
// it the root follows, and the next leaves can be added without reading.
type edge struct {
	size  uint64
	tiles [][]byte
}

// put is a tile to be written.
type put struct{ key, value []byte }

// add adds leaf hashes, and appends to full the tiles that they complete.
func (e *edge) add(leaves []tlog.Hash, full []put) []put {
	for i := range leaves {
		full = e.addAt(0, e.size, &leaves[i], full)
		e.size++
	}
	return full
}

// addAt adds h as number at of its level.
func (e *edge) addAt(level int, at uint64, h *tlog.Hash, full []put) []put {
	if level == len(e.tiles) {
		e.tiles = append(e.tiles, nil)
	}
	if e.tiles[level] == nil {
		e.tiles[level] = make([]byte, 0, tileBytes)
	}
	tile := append(e.tiles[level], h[:]...)
	e.tiles[level] = tile
	if len(tile) < tileBytes {
		return full
	}
	e.tiles[level] = nil
	full = append(full, put{tileKey(level, at>>tileHeight), tile})
	root := tileRoot(tile)
	return e.addAt(level+1, at>>tileHeight, &root, full)
}

// partial appends the tiles being filled that changed since the tree had from
// leaves.
func (e *edge) partial(from uint64, puts []put) []put {
	for level, tile := range e.tiles {
		now := e.size >> (tileHeight * level)
		if len(tile) > 0 && now != from>>(tileHeight*level) {
			puts = append(puts, put{tileKey(level, now>>tileHeight), tile})
		}
	}
	return puts
}

// root returns the hash of the whole tree: the partial tiles, smallest subtrees
// last, folded from the right.
func (e *edge) root() (tlog.Hash, error) {
	return tlog.TreeHash(int64(e.size), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			t := tlog.TileForIndex(tileHeight, x)
			if t.L >= len(e.tiles) {
				return nil, fmt.Errorf("no tile of level %d on the edge", t.L)
			}
			h, err := tlog.HashFromTile(t, e.tiles[t.L], x)
			if err != nil {
				return nil, err
			}
			out[i] = h
		}
		return out, nil
	}))
}

// loadEdge reads the right edge of the tree of the given size.
func loadEdge(r store.Reader, size uint64) (*edge, error) {
	e := &edge{size: size}
	for level := 0; level <= maxLevel && size>>(tileHeight*level) > 0; level++ {
		n := size >> (tileHeight * level)
		var tile []byte
		if width := int(n % tileWidth); width > 0 {
			row, err := r.Get(tileBucket, tileKey(level, n>>tileHeight))
			if err != nil {
				return nil, fmt.Errorf("reading a tile: %w", err)
			}
			if len(row) != width*tlog.HashSize {
				return nil, fmt.Errorf("tile %d of level %d holds %d bytes, not %d hashes: %w", n>>tileHeight, level, len(row), width, store.ErrDamaged)
			}
			tile = append(make([]byte, 0, tileBytes), row...)
		}
		e.tiles = append(e.tiles, tile)
	}
	return e, nil
}

// tileRoot returns the root of the subtree whose leaves are a full tile's
// hashes.
func tileRoot(tile []byte) tlog.Hash {
	var level [tileWidth / 2]tlog.Hash
	for i := range level {
		at := tile[2*i*tlog.HashSize:]
		level[i] = tlog.NodeHash(tlog.Hash(at), tlog.Hash(at[tlog.HashSize:]))
	}
	for n := len(level) / 2; n > 0; n /= 2 {
		for i := range n {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
	}
	return level[0]
}

// leafHash returns the hash of the leaf that holds a commitment.
func leafHash(commitment *[32]byte) tlog.Hash { return tlog.RecordHash(commitment[:]) }

// tiles gives tiles of a snapshot to the standard proof functions, which check
// them against the tree's signed root before they use them.
type tiles struct{ store.Reader }

func (t tiles) Height() int                     { return tileHeight }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(want))
	for i, tile := range want {
		row, err := readTile(t, tile.L, uint64(tile.N), tile.W)
		if err != nil {
			return nil, err
		}
		out[i] = row
	}
	return out, nil
}

// readTile returns the first width hashes of a tile that must be there.
func readTile(r store.Reader, level int, n uint64, width int) ([]byte, error) {
	row, err := r.Get(tileBucket, tileKey(level, n))
	if err != nil {
		return nil, fmt.Errorf("reading a tile: %w", err)
	}
	if len(row) < width*tlog.HashSize {
		return nil, fmt.Errorf("tile %d of level %d lacks hashes: %w", n, level, store.ErrDamaged)
	}
	return row[:width*tlog.HashSize], nil
}
