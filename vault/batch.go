package vault

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// CaptureOutcome is what became of one capture of a batch: a result, or the
// *Error it was refused with.
type CaptureOutcome struct {
	Result *CaptureResult
	Err    error
}

// CaptureBatch captures many people in one transaction: what is accepted is
// durable together, what is refused is told by itself and leaves nothing. Later
// captures of a batch see the earlier ones, so that a person who comes twice in
// a file is one. An error means that nothing of the batch was kept.
func (v *Vault) CaptureBatch(ctx context.Context, by Caller, reqs []CaptureRequest) ([]CaptureOutcome, error) {
	for attempt := range attempts {
		b, err := v.prepareBatch(ctx, by, reqs, attempt)
		if err == nil {
			err = b.commit(ctx, func(tx store.Tx) error { return by.Once.keep(tx, b.outcomes, b.about...) })
		}
		again, err := v.waited(ctx, err)
		if again || errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, v.refusal(err)
		}
		return b.outcomes, nil
	}
	return nil, unavailable("what is in force kept changing; try again")
}

// batch is many captures on their way into one transaction.
type batch struct {
	v        *Vault
	by       Caller
	regime   *regime
	channel  *register.Channel
	now      time.Time
	believed bool

	captures []*capture // nil where one was refused before anybody was looked up
	outcomes []CaptureOutcome
	about    []privacy.SubjectID // whom the outcomes tell of
	used     map[privacy.SubjectID]bool
}

// prepareBatch does all of a batch that needs no writer: it checks every
// capture, rehearses those that are not refused, makes keys for all who are new
// in one commit, and notes what narrows in the ledger. Its batch must be
// committed.
func (v *Vault) prepareBatch(ctx context.Context, by Caller, reqs []CaptureRequest, attempt int) (*batch, error) {
	b := &batch{v: v, by: by, captures: make([]*capture, len(reqs)), outcomes: make([]CaptureOutcome, len(reqs)), used: map[privacy.SubjectID]bool{}}
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	err := v.side(ctx, len(reqs), func(s store.Snapshot, i int) error { return b.check(s, i, reqs[i]) })
	if err != nil {
		return nil, err
	}
	groups := b.groups(attempt > 0)
	err = v.side(ctx, len(groups), func(s store.Snapshot, i int) error { return b.rehearse(ctx, s, groups[i]) })
	if err == nil {
		err = b.makeKeys(ctx)
	}
	if err == nil {
		err = b.promise(ctx)
	}
	if err != nil {
		b.drop(ctx)
		return nil, err
	}
	return b, nil
}

// begin takes the time and what is in force.
func (b *batch) begin(ctx context.Context) error {
	b.now, b.believed, _ = b.v.clock.now()
	return b.v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		var err error
		if b.regime, err = b.v.regime(ctx, s); err != nil {
			return err
		}
		b.channel, err = b.regime.channelOf(b.by)
		return err
	})
}

// sideBySide is how many of something one goroutine does on one snapshot: few
// enough that no snapshot is held for long.
const sideBySide = 64

// side does n things on snapshots, as many beside each other as there are
// processors. It returns the first error and begins nothing after it.
func (v *Vault) side(ctx context.Context, n int, do func(s store.Snapshot, i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var broke breakage
	var working sync.WaitGroup
	work := func() {
		defer broke.note()
		for failed.Load() == nil {
			from := int(next.Add(sideBySide)) - sideBySide
			if from >= n {
				return
			}
			err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
				for i := from; i < min(n, from+sideBySide); i++ {
					if err := do(s, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		}
	}
	for range min(runtime.GOMAXPROCS(0), (n+sideBySide-1)/sideBySide) - 1 {
		working.Go(work)
	}
	work()
	working.Wait()
	broke.tell()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// check checks one capture of the batch.
func (b *batch) check(s store.Snapshot, i int, req CaptureRequest) error {
	c := &capture{v: b.v, by: b.by, regime: b.regime, channel: b.channel, now: b.now, observed: b.now,
		recorded: b.now.Add(time.Duration(i+1-len(b.captures)) * time.Microsecond)}
	err := c.check(s, req, b.believed)
	if refused := refusedAlone(err); refused != nil {
		b.outcomes[i].Err = refused
		return nil //nolint:nilerr // it is this capture's alone
	}
	b.captures[i] = c
	return err
}

// refusedAlone returns the refusal that is of one capture and no other, or nil.
func refusedAlone(err error) *Error {
	var refused *Error
	if errors.As(err, &refused) && refused.Code != CodeUnavailable {
		return refused
	}
	return nil
}

// groups puts captures together that want the same identifier or name the same
// subject: they are rehearsed one after the other, groups beside each other. Two
// of different groups can still be about one person, by identifiers that the file
// does not put side by side; then the later one no longer fits when its turn
// comes. Where doing it again then takes what was not made ready, a second
// attempt is one group.
func (b *batch) groups(one bool) [][]int {
	if one {
		var all []int
		for i, c := range b.captures {
			if c != nil {
				all = append(all, i)
			}
		}
		return [][]int{all}
	}
	type said struct {
		field  privacy.FieldName
		lookup string
		id     privacy.SubjectID
	}
	first := map[said]int{}
	with := make([]int, len(b.captures)) // an earlier capture of the same group, or itself
	for i, c := range b.captures {
		with[i] = i
		join := func(s said) {
			other, there := first[s]
			if !there {
				first[s] = i
				return
			}
			for with[other] != other {
				other = with[other]
			}
			mine := i
			for with[mine] != mine {
				mine = with[mine]
			}
			with[max(mine, other)] = min(mine, other)
		}
		if c == nil {
			continue
		}
		if c.given != privacy.Nobody {
			join(said{id: c.given})
		}
		for _, k := range c.values {
			if k.value.Lookup != "" {
				join(said{field: k.field.Name, lookup: k.value.Lookup})
			}
		}
	}
	var groups [][]int
	at := map[int]int{}
	for i, c := range b.captures {
		if c == nil {
			continue
		}
		root := i
		for with[root] != root {
			root = with[root]
		}
		if root == i {
			at[i] = len(groups)
			groups = append(groups, []int{i})
			continue
		}
		groups[at[root]] = append(groups[at[root]], i)
	}
	return groups
}

// rehearse rehearses the captures of a group in their order.
func (b *batch) rehearse(ctx context.Context, s store.Snapshot, group []int) error {
	r := &rehearsal{below: s}
	for n, i := range group {
		c := b.captures[i]
		if err := c.rehearse(ctx, r); err != nil {
			return err
		}
		if n < len(group)-1 {
			r.keep()
		}
	}
	return nil
}

// makeKeys makes the keys durable of everybody who looks new.
func (b *batch) makeKeys(ctx context.Context) error {
	anew := func(yield func(*capture) bool) {
		for _, c := range b.captures {
			if c != nil && c.keyRow != nil && !yield(c) {
				return
			}
		}
	}
	for range anew {
		_, err := b.v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
			for c := range anew {
				if err := b.v.putKeys(tx, c.fresh, c.keyRow); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	}
	return nil
}

// promise notes in the ledger what narrows.
func (b *batch) promise(ctx context.Context) error {
	var entries []ledgerEntry
	for _, c := range b.captures {
		if c == nil || c.rehearsed.refused != nil {
			continue
		}
		for _, a := range c.acts {
			if a.req.Status.Narrows() {
				e := b.v.ledger.entryOf(a, c.rehearsed.about)
				e.Sealed = b.v.noteIdentifiers(ctx, e.ID, c.rehearsed.about, c.ownKeys(), c.values)
				entries = append(entries, e)
			}
		}
		for whom, a := range c.reached {
			entries = append(entries, b.v.ledger.entryOf(a, whom.subject))
		}
		for i, id := range c.ends {
			entries = append(entries, b.v.ledger.entry(ledgerGroundEnded, id, c.rehearsed.about, c.terms[i].Purpose, c.terms[i].Until))
		}
	}
	return b.v.ledger.append(ctx, entries...)
}

// ownKeys returns the keys of whom the capture is about if it makes them.
func (c *capture) ownKeys() *person {
	if c.fresh != nil && c.fresh.id == c.rehearsed.about {
		return c.fresh
	}
	return nil
}

// narrows reports whether anything in the batch does.
func (b *batch) narrows() bool {
	for _, c := range b.captures {
		if c != nil && c.narrows() {
			return true
		}
	}
	return false
}

// narrows reports whether the capture did, as it was rehearsed.
func (c *capture) narrows() bool { return narrows(c.acts) || len(c.ends) > 0 }

// commit plays what was rehearsed, or does again what no longer fits, and keeps
// what also keeps in the same transaction.
func (b *batch) commit(ctx context.Context, also func(store.Tx) error) error {
	defer b.drop(ctx)
	err := b.v.update(ctx, func(tx store.Tx) error {
		clear(b.used)
		b.about = b.about[:0]
		if err := b.regime.stillInForce(tx); err != nil {
			return err
		}
		for i, c := range b.captures {
			if c == nil {
				continue
			}
			done, err := c.perform(ctx, tx)
			if err != nil {
				return err
			}
			if done.refused != nil {
				b.outcomes[i] = CaptureOutcome{Err: done.refused}
				continue
			}
			b.outcomes[i] = CaptureOutcome{Result: done.result}
			b.about = append(b.about, done.about)
			b.used[done.about] = true
		}
		return also(tx)
	})
	if b.narrows() {
		err = b.v.ledger.done(ctx, err)
	}
	return err
}

// drop removes the keys of those who turned out to be known or refused.
func (b *batch) drop(ctx context.Context) {
	var unused []privacy.SubjectID
	for _, c := range b.captures {
		if c != nil && c.keyRow != nil && !b.used[c.fresh.id] {
			unused = append(unused, c.fresh.id)
		}
	}
	b.v.dropKeys(ctx, unused...)
}

// rehearse does the capture on a rehearsal. Whoever is new gets keys, which must
// be durable before it is played.
func (c *capture) rehearse(ctx context.Context, r *rehearsal) error {
	c.rehearsing, c.notes = true, r.begin()
	defer func() { c.rehearsing = false }()
	p, err := c.known(ctx, r)
	known := p
	if p == nil && err == nil {
		if c.given != privacy.Nobody {
			c.fresh, err = c.v.keysOf(ctx, c.given)
		} else {
			if c.fresh, c.keyRow, err = c.v.newSubject(); err == nil {
				c.notes.anew = c.fresh.at.key
			}
		}
		if p = c.begin(); p != nil {
			r.make(p)
		}
	}
	c.rehearsed, err = c.attempt(ctx, r, p, err)
	switch {
	case c.rehearsed.refused != nil:
		c.notes.writes, c.notes.records, c.notes.events = nil, nil, nil
	case err == nil && known != nil && c.given != privacy.Nobody && c.rehearsed.result.Created:
		err = c.v.touchKeys(ctx, known.id) // the answer says that they are new, whose keys are made
	}
	return err
}

// perform plays the capture if it still is as it was rehearsed; else it does it
// again.
func (c *capture) perform(ctx context.Context, tx store.Tx) (captureOutcome, error) {
	same, err := c.notes.holds(tx)
	if err != nil {
		return captureOutcome{}, err
	}
	if same {
		return c.rehearsed, c.notes.play(tx)
	}
	p, err := c.known(ctx, tx)
	if p == nil && err == nil {
		if c.fresh == nil { // who was known is not any more
			return captureOutcome{}, errAgain
		}
		p = c.begin()
	}
	done, err := c.attempt(ctx, tx, p, err)
	if err == nil && done.refused == nil && c.narrows() && done.about != c.rehearsed.about {
		err = errAgain // somebody else than was promised in the ledger
	}
	return done, err
}

// attempt does the capture to whoever was found, unless finding them failed.
// Whatever refuses it does so before anything of it is written.
func (c *capture) attempt(ctx context.Context, tx store.Tx, p *person, err error) (captureOutcome, error) {
	var res *CaptureResult
	if err == nil {
		res, err = c.keep(ctx, tx, p)
	}
	if refused := refusedAlone(err); refused != nil {
		return captureOutcome{refused: refused}, nil //nolint:nilerr // it is this capture's alone
	}
	if err != nil {
		return captureOutcome{}, err
	}
	return captureOutcome{result: res, about: p.id}, nil
}
