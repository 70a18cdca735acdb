package log

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// run is what one update adds: hashed, sorted and sealed before the update
// begins, so that it holds other writers up for no longer than its puts. Its
// memory is used again by the next run.
type run struct {
	edge     *edge  // the tree's, nil after a failure: load it again
	block    []byte // the cells of the tile being filled, as of the last run
	leaves   []tlog.Hash
	ids      []row
	subjects []row
	people   []person
	kept     []byte // their rows before this run
	cells    []byte
	tiles    []put
	blocks   []put
	persons  []put
	due      []due // the entries of this run
}

// step follows the entries up to size: it hashes them, and keeps tiles, index, the
// rows of some people and the signed checkpoint in one update. Only then the
// checkpoint is shown. all has it write the rows of everybody; resting, of a few
// although nothing is new.
func (f *Follower) step(ctx context.Context, size uint64, all, resting bool) (err error) {
	r := &f.run
	defer func() {
		if err != nil {
			// The update may have taken effect, or still hold what it was given.
			*r = run{}
		}
	}()
	from := r.edge.size
	if err := r.collect(ctx, f.cfg.Store, from, size); err != nil {
		return err
	}
	r.tiles = r.edge.partial(from, r.edge.add(r.leaves, r.tiles[:0]))
	slices.SortFunc(r.tiles, func(a, b put) int { return bytes.Compare(a.key, b.key) })
	slices.SortFunc(r.ids, compareRows)
	slices.SortFunc(r.subjects, compareRows)
	if err := f.link(ctx, from); err != nil {
		return err
	}
	rest := r.cutBlocks(from)
	chosen := f.choose(all, resting)
	if err := f.rows(ctx, chosen); err != nil {
		return err
	}
	people := f.people(chosen, from) // those of this run wait

	root, err := r.edge.root()
	if err != nil {
		return fmt.Errorf("hashing the tree: %w", err)
	}
	h := head{Checkpoint: Checkpoint{Origin: f.cfg.Origin, Size: size, Root: root}}
	if h.signed, err = f.signer.checkpoint(h.Checkpoint); err != nil {
		return err
	}
	before := f.head.signed // only this goroutine writes it
	_, err = f.cfg.Store.Update(ctx, func(tx store.Tx) error {
		kept, err := tx.Get(stateBucket, checkpointKey)
		if err != nil {
			return err
		}
		if !bytes.Equal(kept, before) {
			return errMoved
		}
		return r.write(tx, h.signed, people)
	})
	if err != nil {
		return fmt.Errorf("keeping %d entries: %w", size-from, err)
	}
	r.block = append(r.block[:0:0], rest...)
	f.show(h, chosen, from)
	return nil
}

// compareRows compares keys. Mostly their first eight bytes tell.
func compareRows(a, b row) int {
	if c := cmp.Compare(binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(b[:])); c != 0 {
		return c
	}
	return bytes.Compare(a[:rowKeySize], b[:rowKeySize])
}

// collect reads what the tree and the index need of the entries.
func (r *run) collect(ctx context.Context, s store.LogEngine, from, to uint64) error {
	r.leaves, r.ids, r.subjects = r.leaves[:0], r.ids[:0], r.subjects[:0]
	if from == to {
		return nil
	}
	next := from
	err := s.Entries(ctx, from, to, func(index uint64, b []byte) error {
		if index != next {
			return fmt.Errorf("entry %d came instead: %w", index, store.ErrDamaged)
		}
		e, err := ParseEntry(b)
		if err != nil {
			return err
		}
		next++
		r.leaves = append(r.leaves, leafHash(&e.Commitment))
		r.ids = append(r.ids, makeRow(e.ID, index, e.Kind))
		r.subjects = append(r.subjects, makeRow(e.Subject, index, e.Kind))
		return nil
	})
	if err == nil && next != to {
		err = errors.New("is missing")
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return bad(next, "cannot be read", err)
	}
	return nil
}

// write puts everything, bucket by bucket in order of keys.
func (r *run) write(tx store.Tx, signed, people []byte) error {
	for i := range r.tiles {
		if err := tx.Put(tileBucket, r.tiles[i].key, r.tiles[i].value); err != nil {
			return err
		}
	}
	for i := range r.ids {
		if err := tx.Put(idBucket, r.ids[i].key(), r.ids[i].value()); err != nil {
			return err
		}
	}
	for i := range r.blocks {
		if err := tx.Put(cellBucket, r.blocks[i].key, r.blocks[i].value); err != nil {
			return err
		}
	}
	for i := range r.persons {
		if err := tx.Put(personBucket, r.persons[i].key, r.persons[i].value); err != nil {
			return err
		}
	}
	if err := tx.Put(stateBucket, peopleKey, people); err != nil {
		return err
	}
	return tx.Put(stateBucket, checkpointKey, signed)
}

// cutBlocks makes the blocks of the run's cells, which come after those in
// r.block, and returns the last, which may not be full.
func (r *run) cutBlocks(from uint64) (rest []byte) {
	r.blocks = r.blocks[:0]
	rest = append(append(make([]byte, 0, len(r.block)+len(r.cells)), r.block...), r.cells...)
	for at := from &^ (tileWidth - 1); len(rest) > 0; at += tileWidth {
		n := min(len(rest), tileWidth*cellSize)
		r.blocks = append(r.blocks, put{cellKey(at), rest[:n:n]})
		if n < tileWidth*cellSize {
			return rest
		}
		rest = rest[n:]
	}
	return rest
}

// person is what is due to one person's row, and the row so far, which knows of
// the entries before from.
type person struct {
	due  []due
	from uint64
	kept []byte
}

// link writes the cells of the run's entries, which are sorted by person: each
// leads to the one before about the same person. Once they are kept they are due to
// the person's row.
func (f *Follower) link(ctx context.Context, from uint64) error {
	r := &f.run
	r.cells = slices.Grow(r.cells[:0], len(r.subjects)*cellSize)[:len(r.subjects)*cellSize]
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		last := uint64(none)
		for i := range r.subjects {
			e := &r.subjects[i]
			if i == 0 || !bytes.Equal(e.of(), r.subjects[i-1].of()) {
				var err error
				if last, err = f.lastBefore(s, privacy.SubjectID(e.of()), from); err != nil {
					return err
				}
			}
			putCell(r.cells[(e.index()-from)*cellSize:], last, e.kind())
			last = e.index()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading rows of people: %w", err)
	}
	r.due = r.due[:0]
	for i := range r.subjects {
		r.due = append(r.due, due{r.subjects[i], r.leaves[r.subjects[i].index()-from]})
	}
	return nil
}

// lastBefore returns the latest entry about a person before a run. A damaged row
// leads nowhere; it is left as it is, for Verify to name.
func (f *Follower) lastBefore(r store.Reader, s privacy.SubjectID, from uint64) (uint64, error) {
	if last, waits := f.shares[shareOf(s)].last[s]; waits {
		return last, nil
	}
	row, err := r.Get(personBucket, s[:])
	if err != nil || row == nil {
		return none, err
	}
	last, _, err := parsePerson(row)
	if err != nil || last >= from {
		return none, nil //nolint:nilerr // it is told when the row is to be written
	}
	return last, nil
}

// advance returns the new row of a person. A damaged row is left as it is, for
// Verify to name, and so is a damaged trail.
func (f *Follower) advance(ctx context.Context, p *person) (row []byte, err error) {
	s := privacy.SubjectID(p.due[0].of())
	var trail []byte
	if len(p.kept) > 0 {
		var last uint64
		last, trail, err = parsePerson(p.kept)
		if err == nil && last >= p.from {
			err = fmt.Errorf("row of a person points behind: %w", store.ErrDamaged)
		}
		if err != nil {
			f.cfg.Logger.Error("row of a person is left as it is", "subject", s, "err", err)
			return nil, nil // told
		}
	}
	if slices.ContainsFunc(p.due, func(d due) bool { return d.kind().Trailed() }) {
		if trail, err = f.extend(ctx, s, trail, p.due); err != nil {
			return nil, fmt.Errorf("extending a trail: %w", err)
		}
	}
	return makePerson(p.due[len(p.due)-1].index(), trail), nil
}

// extend returns a sealed trail with the access records among the entries added. Of the
// erased there is none.
func (f *Follower) extend(ctx context.Context, s privacy.SubjectID, sealed []byte, all []due) ([]byte, error) {
	dek, err := f.cfg.HistoryKey(ctx, s)
	if errors.Is(err, ErrErased) {
		return nil, nil
	}
	var t Trail
	if err == nil {
		t, err = openTrail(sealed, dek, f.cfg.Vault, s)
	}
	if err != nil && damaged(err) {
		f.cfg.Logger.Error("trail is left as it is", "subject", s, "err", err)
		return sealed, nil
	}
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].kind().Trailed() {
			t.next(all[i].index(), &all[i].leaf)
		}
	}
	return t.seal(dek, f.cfg.Vault, s)
}
