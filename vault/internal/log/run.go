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
}

// step follows the entries up to size: it hashes them, and keeps tiles, index,
// trails and the signed checkpoint in one update. Only then the checkpoint is
// shown.
func (f *Follower) step(ctx context.Context, size uint64) (err error) {
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
	if err := f.advancePeople(ctx, from); err != nil {
		return err
	}
	rest := r.cutBlocks(from)

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
		return r.write(tx, h.signed)
	})
	if err != nil {
		return fmt.Errorf("keeping %d entries: %w", size-from, err)
	}
	r.block = append(r.block[:0:0], rest...)
	f.show(h)
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
func (r *run) write(tx store.Tx, signed []byte) error {
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

// person is what the run says of one: the rows, and the row in the index so far.
type person struct {
	rows []row
	kept []byte
}

// advancePeople links the run's entries, which are sorted by person, to those
// before them, and extends the trails. Keys are asked for outside the snapshot:
// whoever gives them may need one of their own.
func (f *Follower) advancePeople(ctx context.Context, from uint64) error {
	r := &f.run
	r.people, r.persons = r.people[:0], r.persons[:0]
	r.cells = slices.Grow(r.cells[:0], len(r.subjects)*cellSize)[:len(r.subjects)*cellSize]
	for i := 0; i < len(r.subjects); {
		first := i
		for i < len(r.subjects) && bytes.Equal(r.subjects[i].of(), r.subjects[first].of()) {
			i++
		}
		r.people = append(r.people, person{rows: r.subjects[first:i]})
	}
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r.kept = r.kept[:0]
		for i := range r.people {
			value, err := s.Get(personBucket, r.people[i].rows[0].of())
			if err != nil {
				return err
			}
			at := len(r.kept)
			r.kept = append(r.kept, value...)
			r.people[i].kept = r.kept[at:len(r.kept):len(r.kept)]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading rows of people: %w", err)
	}
	for i := range r.people {
		value, err := f.advance(ctx, &r.people[i], from)
		if err != nil {
			return err
		}
		if value != nil {
			r.persons = append(r.persons, put{r.people[i].rows[0].of(), value})
		}
	}
	return nil
}

// advance links one person's entries and returns the new row. A damaged row is
// left as it is, for Verify to name, and so is a damaged trail.
func (f *Follower) advance(ctx context.Context, p *person, from uint64) (row []byte, err error) {
	s := privacy.SubjectID(p.rows[0].of())
	last, trail := uint64(none), []byte(nil)
	if len(p.kept) > 0 {
		last, trail, err = parsePerson(p.kept)
		if err == nil && last >= from {
			err = fmt.Errorf("row of a person points behind: %w", store.ErrDamaged)
		}
		if err != nil {
			f.cfg.Logger.Error("row of a person is left as it is", "subject", s, "err", err)
			last = none
		}
	}
	trailed := false
	for i := range p.rows {
		index, kind := p.rows[i].index(), p.rows[i].kind()
		putCell(f.run.cells[(index-from)*cellSize:], last, kind)
		last = index
		trailed = trailed || kind.Trailed()
	}
	if err != nil {
		return nil, nil //nolint:nilerr // told above; the row stays
	}
	if trailed {
		if trail, err = f.extend(ctx, s, trail, p.rows, from); err != nil {
			return nil, fmt.Errorf("extending a trail: %w", err)
		}
	}
	return makePerson(last, trail), nil
}

// extend returns a sealed trail with the rows' access records added. Of the
// erased there is none.
func (f *Follower) extend(ctx context.Context, s privacy.SubjectID, sealed []byte, rows []row, from uint64) ([]byte, error) {
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
	for i := range rows {
		if rows[i].kind().Trailed() {
			t.next(rows[i].index(), &f.run.leaves[rows[i].index()-from])
		}
	}
	return t.seal(dek, f.cfg.Vault, s)
}
