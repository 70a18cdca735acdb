package vault

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/store"
)

// oldKey is after how long a key that can be turned should have been.
const oldKey = 366 * 24 * time.Hour

// keyAge says how old the keys are that turn.
func (e *examiner) keyAge(context.Context) error {
	newest := map[string]keys.KeyAge{}
	for _, a := range e.v.keyring().Ages() { // by epoch
		newest[a.Use] = a
	}
	now := e.v.cfg.Now()
	for _, use := range []string{"KEK", "blind index"} {
		a := newest[use]
		f := Finding{Check: "key-age", Level: Fine, What: fmt.Sprintf("the %s is of epoch %d, made on %s", use, a.Epoch, a.Since.Format(time.DateOnly))}
		if now.Sub(a.Since) > oldKey {
			f.Level = Warning
			f.Means = "The longer a key is in use, the more old copies of keyring and keys.db there are that it opens."
			f.Do = "Turn it with `sayso keys rotate`, and destroy the copies of the keyring from before."
		}
		e.Add(f)
	}
	return nil
}

// keyTurn finds a turn of epochs that was begun and not finished, and keys that
// are wrapped under a KEK that the keyring does not have.
func (e *examiner) keyTurn(ctx context.Context) error {
	// A turn may end while we look: what the keyring had before counts too.
	has, in := e.v.keyring().KEKEpochs(), e.v.keyring().IndexEpochs()
	var indexed *epochs
	err := e.v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		indexed, err = e.v.epochs(s)
		return err
	})
	if err != nil {
		return err
	}
	under, err := e.wrappedUnder(ctx)
	if err != nil {
		return err
	}
	ring := e.v.keyring()
	for _, epoch := range slices.Sorted(maps.Keys(under)) {
		if !slices.Contains(has, epoch) && !slices.Contains(ring.KEKEpochs(), epoch) {
			e.Add(Finding{Check: "key-turn", Level: Problem, What: fmt.Sprintf("the keys of %d people are wrapped under KEK epoch %d, which the keyring does not have", under[epoch], epoch),
				Means: "These people cannot be read or changed. The keyring is an older or a newer copy than keys.db, or keys.db is.",
				Do:    "Put keyring and keys.db of the same time back."})
			return nil
		}
	}
	if !slices.Contains(in, indexed.asked) && !slices.Contains(ring.IndexEpochs(), indexed.asked) {
		e.Add(Finding{Check: "key-turn", Level: Problem, What: fmt.Sprintf("the blind index is of epoch %d, which the keyring does not have", indexed.asked),
			Means: "Nobody is found by an identifier. The keyring is an older or a newer copy than vault.db.", Do: "Put keyring and vault.db of the same time back."})
		return nil
	}
	has, in = ring.KEKEpochs(), ring.IndexEpochs()
	begun := false
	if e.has&needOwn != 0 {
		r, err := e.v.unfinished(ctx)
		if err != nil {
			return err
		}
		begun = r != nil
	}
	if len(has) > 1 || len(in) > 1 || begun {
		e.Add(Finding{Check: "key-turn", Level: Warning, What: fmt.Sprintf("a turn of keys is not finished: KEK epochs %v, blind index epochs %v", has, in),
			Means: "Everything works, but keys from before the turn still open what they opened.", Do: "If none is running, finish it with `sayso keys rotate`."})
		return nil
	}
	e.Add(Finding{Check: "key-turn", Level: Fine, What: "no turn of keys is under way"})
	return nil
}

// wrappedUnder counts the rows of keys.db by the KEK epoch they name.
func (e *examiner) wrappedUnder(ctx context.Context) (map[uint32]uint64, error) {
	under := map[uint32]uint64{}
	n := uint64(0)
	err := pages(ctx, e.v.cfg.Keys, bucketDEKs.all(), func(rows []row) error {
		for _, r := range rows {
			d, err := unpackDEKs(r.value)
			if err != nil {
				return err
			}
			epoch, err := keys.WrappedUnder(d.wrapped)
			if err != nil {
				return err
			}
			under[epoch]++
		}
		n += uint64(len(rows))
		e.o.Progress("keys", n, n)
		return nil
	})
	return under, err
}

// row is a row of a page, copied out of its snapshot.
type row struct{ key, value []byte }

// A page of a long look ends after so many rows, or when it took so long: an old
// snapshot keeps old pages of the file alive.
const (
	pageRows = 1000
	pageTime = 50 * time.Millisecond
)

// pages calls fn with all rows of a bucket, page by page, outside of snapshots.
func pages(ctx context.Context, engine store.Engine, bucket store.Bucket, fn func([]row) error) error {
	return pagesBehind(ctx, engine, bucket, nil, fn)
}

// pagesBehind is pages for the rows behind a key.
func pagesBehind(ctx context.Context, engine store.Engine, bucket store.Bucket, last []byte, fn func([]row) error) error {
	for {
		var rows []row
		began := time.Now()
		err := engine.View(ctx, func(s store.Snapshot) error {
			return s.Scan(bucket, last, nil, func(key, value []byte) error {
				if last != nil && bytes.Equal(key, last) {
					return nil
				}
				rows = append(rows, row{bytes.Clone(key), bytes.Clone(value)})
				if len(rows) == pageRows || time.Since(began) > pageTime {
					return store.ErrStop
				}
				return nil
			})
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := fn(rows); err != nil {
			return err
		}
		last = rows[len(rows)-1].key
	}
}

// shownPeople is how many people a finding names.
const shownPeople = 5

// missingKeys finds people whose keys are gone while their records are there.
func (e *examiner) missingKeys(ctx context.Context) error {
	n, lost, err := e.without(ctx, e.v.cfg.Store, bucketStanding, e.v.cfg.Keys, bucketDEKs)
	if err == nil {
		err = e.notErased(ctx, lost)
	}
	if err != nil {
		return err
	}
	if lost.n > 0 {
		e.Add(Finding{Check: "missing-keys", Level: Problem, What: fmt.Sprintf("%d of %d people have records and no keys", lost.n, n), About: e.some(lost),
			Means: "What is known of them can never be opened again, unless keys.db is an older copy than vault.db.",
			Do:    "Put the keys.db of the same time, or a later one, back."})
		return nil
	}
	e.Add(Finding{Check: "missing-keys", Level: Fine, What: fmt.Sprintf("everybody has their keys; people: %d", max(n, 1)-1)}) // and Nobody
	return nil
}

// notErased takes off those who are being erased: their keys go first.
func (e *examiner) notErased(ctx context.Context, lost *strays) error {
	if e.has&needKeyring == 0 {
		return nil
	}
	var others []place
	for _, at := range lost.at {
		id, err := e.v.personAt(at.key)
		if err != nil {
			return err
		}
		once, err := e.v.wasErased(ctx, id)
		if err != nil {
			return err
		}
		if once {
			lost.n--
			continue
		}
		others = append(others, at)
	}
	lost.at = others
	return nil
}

// orphanKeys finds keys of nobody: a crash between the keys of a new person and
// their records leaves some.
func (e *examiner) orphanKeys(ctx context.Context) error {
	_, orphans, err := e.without(ctx, e.v.cfg.Keys, bucketDEKs, e.v.cfg.Store, bucketStanding)
	if err == nil && e.open && orphans.n > 0 {
		err = e.unborn(ctx, orphans)
	}
	if err != nil {
		return err
	}
	if orphans.n > 0 {
		e.Add(Finding{Check: "orphan-keys", Level: Warning, What: fmt.Sprintf("%d people have keys and no records", orphans.n), About: e.some(orphans),
			Means: "A few are what crashes leave behind, and harmless. Many mean that vault.db is an older copy than keys.db.",
			Do:    "If there are many, put the vault.db of the same time back; else nothing."})
		return nil
	}
	e.Add(Finding{Check: "orphan-keys", Level: Fine, What: "no keys are left of people who did not come to be"})
	return nil
}

// gestation is how long the keys of a new person are there before they are.
const gestation = 2 * time.Second

// unborn looks again for those who were about to come to be, and takes them off.
func (e *examiner) unborn(ctx context.Context, orphans *strays) error {
	select {
	case <-time.After(gestation):
	case <-ctx.Done():
		return ctx.Err()
	}
	seen := orphans.at
	orphans.at, orphans.n = nil, orphans.n-uint64(len(seen))
	for _, at := range seen {
		var born, kept []byte
		err := e.v.cfg.Keys.View(ctx, func(s store.Snapshot) (err error) { kept, err = bucketDEKs.get(s, at); return err })
		if err == nil {
			err = e.v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) { born, err = bucketStanding.get(s, at); return err })
		}
		if err != nil {
			return err
		}
		if kept != nil && born == nil {
			orphans.add(at)
		}
	}
	return nil
}

// strays are people with a row in one bucket and none in another.
type strays struct {
	n  uint64
	at []place // of the first of them
}

func (s *strays) add(at place) {
	const most = 10_000
	if s.n++; len(s.at) < most {
		s.at = append(s.at, at)
	}
}

// some names the first of them: by their places where there is no keyring.
func (e *examiner) some(s *strays) (some []string) {
	for _, at := range s.at[:min(shownPeople, len(s.at))] {
		name := fmt.Sprintf("%x", at.key)
		if e.has&needKeyring != 0 {
			if id, err := e.v.personAt(at.key); err == nil {
				name = id.String()
			}
		}
		some = append(some, name)
	}
	return some
}

// without finds the rows of one bucket, by subject, that have none in another.
func (e *examiner) without(ctx context.Context, in store.Engine, bucket personal, other store.Engine, lacking personal) (n uint64, lost *strays, err error) {
	lost = new(strays)
	err = pages(ctx, in, bucket.all(), func(rows []row) error {
		n += uint64(len(rows))
		e.o.Progress("people", n, n)
		return other.View(ctx, func(s store.Snapshot) error {
			for _, r := range rows {
				found, err := lacking.get(s, place{r.key})
				if err != nil {
					return err
				}
				if found == nil {
					lost.add(place{r.key})
				}
			}
			return nil
		})
	})
	return n, lost, err
}

// ownKeys opens the vault's own keys and standing, which seal what is nobody's.
func (e *examiner) ownKeys(ctx context.Context) error {
	if !e.open {
		if err := e.v.loadNobody(ctx); err != nil {
			return err
		}
	}
	e.has |= needOwn
	e.Add(Finding{Check: "own-keys", Level: Fine, What: "the vault's own keys open"})
	return nil
}
