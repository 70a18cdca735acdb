package log

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// stranger knows the log's verifier key and what anyone can fetch, and uses
// nothing of this package's: only the standard functions.
type stranger struct {
	t     *testing.T
	vkey  string
	fetch func(path string) ([]byte, error)
}

// visit lets a stranger fetch what "anyone" can, by C2SP's paths.
func (h *house) visit(t *testing.T, f *Follower) stranger {
	return stranger{t, f.VerifierKey(), func(path string) ([]byte, error) {
		if path == "checkpoint" {
			return f.Checkpoint(h.ctx)
		}
		// tile/<L>/<N> and tile/entries/<N> are what Go's paths are without the
		// height and with another word for the entries.
		goPath := strings.Replace(strings.Replace(path, "tile/", "tile/8/", 1), "/entries/", "/data/", 1)
		tile, err := tlog.ParseTilePath(goPath)
		if err != nil {
			return nil, err
		}
		if tile.L == -1 {
			return f.EntryBundle(h.ctx, uint64(tile.N), tile.W)
		}
		return f.Tile(h.ctx, tile.L, uint64(tile.N), tile.W)
	}}
}

func (s stranger) checkpoint() tlog.Tree {
	s.t.Helper()
	signed, err := s.fetch("checkpoint")
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := note.NewVerifier(s.vkey)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		s.t.Fatal(err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		s.t.Fatalf("checkpoint: got %q", n.Text)
	}
	size, err1 := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	if err := errors.Join(err1, err2); err != nil {
		s.t.Fatal(err)
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}
}

// The stranger's own tile reader.
func (s stranger) Height() int                     { return 8 }
func (s stranger) SaveTiles([]tlog.Tile, [][]byte) {}
func (s stranger) ReadTiles(tiles []tlog.Tile) (out [][]byte, err error) {
	for _, t := range tiles {
		b, err := s.fetch(strings.Replace(t.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Path(), err)
		}
		out = append(out, b)
	}
	return out, nil
}

func TestAStrangerChecksAProofOffline(t *testing.T) {
	h := newHouse(t, newMemory(), 3)
	f := h.follow()
	var before tlog.Tree
	for _, n := range []int{1, 1, 254, 1, 3, 700} { // over the edges of a tile
		entries := h.happen(n)
		head := h.catchUp(f)
		anyone := h.visit(t, f)
		tree := anyone.checkpoint()
		if uint64(tree.N) != h.store.Size() {
			t.Fatalf("checkpoint after catching up: got size %d, want %d", tree.N, h.store.Size())
		}

		// The person holds the opening of a decision about her, its index and a
		// proof, and is offline.
		e, index := entries[len(entries)-1], tree.N-1
		proof, err := f.Proof(h.ctx, uint64(index), head.Size)
		if err != nil {
			t.Fatal(err)
		}
		o, err := e.Open(h.deks[e.Subject], h.ring.VaultID())
		if err != nil {
			t.Fatal(err)
		}
		leaf := tlog.RecordHash(byHand(e, o.Salt, o.Record))
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
			t.Errorf("proof of entry %d in %d: %v", index, tree.N, err)
		}
		other := tlog.RecordHash(byHand(e, o.Salt, append(o.Record, ' ')))
		if tlog.CheckRecord(proof, tree.N, tree.Hash, index, other) == nil {
			t.Error("the proof holds for another record too")
		}

		// Anyone else: every tile is what the checkpoint says, the older
		// checkpoint is a beginning of the newer.
		hashes := tlog.TileHashReader(tree, anyone)
		for i := int64(0); i < tree.N; i += 1 + tree.N/50 {
			proof, err := tlog.ProveRecord(tree.N, i, hashes)
			if err != nil {
				t.Fatal(err)
			}
			bundle := anyone.leaf(tree.N, i)
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, tlog.RecordHash(bundle)); err != nil {
				t.Errorf("entry %d of %d from tiles: %v", i, tree.N, err)
			}
		}
		if before.N > 0 {
			proof, err := tlog.ProveTree(tree.N, before.N, hashes)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash); err != nil {
				t.Errorf("from %d to %d: %v", before.N, tree.N, err)
			}
			// A proof that was promised for an older checkpoint is still given.
			old, err := f.Proof(h.ctx, 0, uint64(before.N))
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(old, before.N, before.Hash, 0, tlog.RecordHash(anyone.leaf(tree.N, 0))); err != nil {
				t.Errorf("proof under the older checkpoint: %v", err)
			}
		}
		before = tree
	}
}

// byHand is the commitment as docs tell a reader to compute it.
func byHand(e Entry, salt [32]byte, record []byte) []byte {
	s := sha256.New()
	s.Write([]byte("sayso log commitment v1\x00"))
	s.Write(salt[:])
	s.Write([]byte{byte(e.Kind)})
	s.Write(e.Subject[:])
	s.Write(e.ID[:])
	s.Write(record)
	return s.Sum(nil)
}

// leaf fetches entry i of a tree of n, as C2SP bundles it.
func (s stranger) leaf(n, i int64) []byte {
	s.t.Helper()
	path := tlog.Tile{H: 8, L: -1, N: i / 256, W: int(min(256, n-i/256*256))}.Path()
	b, err := s.fetch(strings.Replace(path, "tile/8/data/", "tile/entries/", 1))
	if err != nil {
		s.t.Fatal(err)
	}
	for k := int64(0); ; k++ {
		size := binary.BigEndian.Uint16(b)
		if k == i%256 {
			return b[2 : 2+size]
		}
		b = b[2+size:]
	}
}

func TestWhatAnyoneCanFetchNamesNobody(t *testing.T) {
	h := newHouse(t, newMemory(), 3)
	f := h.follow()
	entries := h.happen(20)
	h.catchUp(f)
	anyone := h.visit(t, f)
	var all []byte
	for _, path := range []string{"checkpoint", "tile/0/000.p/20", "tile/entries/000.p/20"} {
		b, err := anyone.fetch(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for _, e := range entries {
		if found := contains(all, string(e.Subject[:]), string(e.ID[:]), "order-fulfilment", privacy.DecisionID(e.ID).String()); e.Subject != privacy.Nobody && found != nil {
			t.Fatalf("anyone can see %q", found)
		}
	}
	if want := 20 * (2 + 32); len(all) < want {
		t.Fatalf("fetched %d bytes, want at least %d", len(all), want)
	}
}

func TestNobodyIsGivenWhatIsNotUnderTheCheckpoint(t *testing.T) {
	h := newHouse(t, newMemory(), 1)
	h.happen(300)
	f := h.follow()
	h.catchUp(f)
	for _, c := range []struct {
		level int
		n     uint64
		width int
		there bool
	}{
		{0, 0, 256, true}, {0, 0, 1, true}, {0, 1, 44, true}, {0, 1, 45, false}, {0, 2, 1, false},
		{1, 0, 1, true}, {1, 0, 2, false}, {2, 0, 1, false}, {0, 0, 0, false}, {0, 0, 257, false},
		{-1, 0, 1, false}, {8, 0, 1, false}, {64, 0, 1, false}, {0, 1 << 63, 1, false},
	} {
		b, err := f.Tile(h.ctx, c.level, c.n, c.width)
		if c.there && (err != nil || len(b) != 32*c.width) || !c.there && !errors.Is(err, ErrNotFound) {
			t.Errorf("tile %d/%d.p/%d: got %d bytes, %v; there: %v", c.level, c.n, c.width, len(b), err, c.there)
		}
	}
	if _, err := f.EntryBundle(h.ctx, 1, 45); !errors.Is(err, ErrNotFound) {
		t.Errorf("bundle beyond the checkpoint: got %v, want ErrNotFound", err)
	}
	for _, p := range [][2]uint64{{300, 301}, {300, 300}, {0, 301}, {0, 0}} {
		if _, err := f.Proof(h.ctx, p[0], p[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("proof of %d in %d: got %v, want ErrNotFound", p[0], p[1], err)
		}
	}
}

func TestAProofFromAnEditedTileIsNotGiven(t *testing.T) {
	h := newHouse(t, newMemory(), 1)
	h.happen(600)
	f := h.follow()
	h.catchUp(f)
	i, _ := h.mem().find(tileBucket, tileKey(0, 0))
	h.mem().rows[tileBucket][i].value[5*32] ^= 1
	if proof, err := f.Proof(h.ctx, 4, 600); err == nil {
		t.Errorf("got a proof of %d hashes from a tile that is not what was signed", len(proof))
	}
	if _, err := f.Proof(h.ctx, 300, 600); err != nil {
		t.Errorf("another tile: %v", err)
	}
}

func TestTheTreeIsTheOneOfRFC6962(t *testing.T) {
	// Against the standard library's own, hash by hash, at sizes around the
	// edges of tiles and with runs cut anywhere.
	h := newHouse(t, newMemory(), 1)
	var stored []tlog.Hash
	naive := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, _ error) {
		for _, x := range indexes {
			out = append(out, stored[x])
		}
		return out, nil
	})
	e := &edge{}
	var front frontier
	for size := int64(0); size <= 66_000; {
		want, err := tlog.TreeHash(size, naive)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.root(); err != nil || got != want {
			t.Fatalf("root of %d from the edge: got %v, %v, want %v", size, got, err, want)
		}
		if got := front.root(); got != want {
			t.Fatalf("root of %d as verified: got %v, want %v", size, got, want)
		}
		batch := make([]tlog.Hash, 1)
		if size > 600 {
			batch = make([]tlog.Hash, 1+size*7%513)
		}
		for i := range batch {
			batch[i] = tlog.RecordHash(fmt.Appendf(nil, "%d", size))
			hashes, err := tlog.StoredHashesForRecordHash(size, batch[i], naive)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, hashes...)
			_ = front.add(batch[i], func(int, uint64, tlog.Hash) error { return nil })
			size++
		}
		full := e.add(batch, nil)
		for _, p := range full {
			if len(p.value) != 8192 {
				t.Fatalf("a full tile has %d bytes", len(p.value))
			}
		}
		loaded := &memory{rows: h.mem().rows}
		for _, p := range append(full, e.partial(uint64(size)-uint64(len(batch)), nil)...) {
			_ = memoryTx{loaded}.Put(tileBucket, p.key, p.value)
		}
		if size%13 == 0 { // as after a restart
			if e, err = loadEdge(memoryTx{loaded}, uint64(size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(e.tiles[2], e.tiles[2][:32]) {
		t.Errorf("level 2 of %d entries: got %d hashes, want 1", e.size, len(e.tiles[2])/32)
	}
}
