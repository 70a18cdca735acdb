package log

import (
	"bytes"
	"context"
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
	edge     *edge // the tree's, nil after a failure: load it again
	leaves   []tlog.Hash
	ids      []row
	subjects []row
	people   []people
	kept     []byte // their trails before this run
	tiles    []put
	trails   []put
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
	if err := f.advanceTrails(ctx, from); err != nil {
		return err
	}

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
	f.show(h)
	return nil
}

func compareRows(a, b row) int { return bytes.Compare(a[:rowKeySize], b[:rowKeySize]) }

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
	for i := range r.subjects {
		if err := tx.Put(subjectBucket, r.subjects[i].key(), r.subjects[i].value()); err != nil {
			return err
		}
	}
	for i := range r.trails {
		if err := tx.Put(TrailBucket, r.trails[i].key, r.trails[i].value); err != nil {
			return err
		}
	}
	return tx.Put(stateBucket, checkpointKey, signed)
}

// people are the rows of the run about one person, and the trail so far.
type people struct {
	rows []row
	kept []byte
}

// advanceTrails adds the run's access records, which are sorted by person, to
// the trails. Keys are asked for outside the snapshot: whoever gives them may
// need one of their own.
func (f *Follower) advanceTrails(ctx context.Context, from uint64) error {
	r := &f.run
	r.people, r.trails = r.people[:0], r.trails[:0]
	for i := 0; i < len(r.subjects); {
		first := i
		trailed := false
		for ; i < len(r.subjects) && bytes.Equal(r.subjects[i].of(), r.subjects[first].of()); i++ {
			trailed = trailed || r.subjects[i].kind().Trailed()
		}
		if trailed {
			r.people = append(r.people, people{rows: r.subjects[first:i]})
		}
	}
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r.kept = r.kept[:0]
		for i := range r.people {
			value, err := s.Get(TrailBucket, r.people[i].rows[0].of())
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
		return fmt.Errorf("reading trails: %w", err)
	}
	for i := range r.people {
		value, err := f.advance(ctx, &r.people[i], from)
		if err != nil {
			return fmt.Errorf("extending a trail: %w", err)
		}
		if value != nil {
			r.trails = append(r.trails, put{r.people[i].rows[0].of(), value})
		}
	}
	return nil
}

// advance returns a person's trail with the access records added, or nil if it
// stays as it is: of the erased there is none, and a damaged one is left for
// Verify to name.
func (f *Follower) advance(ctx context.Context, p *people, from uint64) ([]byte, error) {
	s := privacy.SubjectID(p.rows[0].of())
	dek, err := f.cfg.HistoryKey(ctx, s)
	if errors.Is(err, ErrErased) {
		return nil, nil
	}
	var t Trail
	if err == nil {
		t, err = openTrail(p.kept, dek, f.cfg.Vault, s)
	}
	if err != nil && damaged(err) {
		f.cfg.Logger.Error("trail is left as it is", "subject", s, "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i := range p.rows {
		if p.rows[i].kind().Trailed() {
			t.next(p.rows[i].index(), &f.run.leaves[p.rows[i].index()-from])
		}
	}
	return t.seal(dek, f.cfg.Vault, s)
}
