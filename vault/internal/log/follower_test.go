package log

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

func TestACheckpointCoversOnlyWhatIsDurable(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	f := h.follow()
	h.happen(7)
	h.mem().mu.Lock()
	for i := 7; i < 10; i++ { // written, but not yet synced
		h.mem().log = append(h.mem().log, h.make(i).Marshal())
	}
	h.mem().mu.Unlock()

	if head := h.catchUp(f); head.Size != 7 {
		t.Errorf("checkpoint: got size %d, want the 7 that are durable", head.Size)
	}
	if err := f.CatchUp(h.ctx, 8); !errors.Is(err, ErrNotFound) {
		t.Errorf("catching up with what is not durable: got %v, want ErrNotFound", err)
	}
}

func TestACheckpointIsKeptBeforeItIsShown(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	f := h.follow()
	h.happen(5)
	h.catchUp(f)
	h.mem().mu.Lock()
	h.mem().early = func() {
		kept, err := OpenCheckpoint(h.mem().rows[stateBucket][0].value, h.vkey)
		if shown := f.Head(); err != nil || shown != kept {
			t.Errorf("while %v is kept, %v is shown: %v", kept, shown, err)
		}
	}
	h.mem().mu.Unlock()

	broken := errors.New("disk says no")
	for name, fail := range map[string]*error{"before the commit": &h.mem().before, "after the commit": &h.mem().after} {
		shown := f.Head()
		h.mem().mu.Lock()
		*fail = broken
		h.mem().mu.Unlock()
		h.happen(3)
		// The failing update is repeated: nothing is lost, nothing is doubled.
		head := h.catchUp(f)
		if head.Size != shown.Size+3 {
			t.Fatalf("%s: got size %d, want %d", name, head.Size, shown.Size+3)
		}
		h.sound()
	}
}

func TestAFollowerThatCannotKeepSaysSo(t *testing.T) {
	h := newHouse(t, newMemory(), 1)
	f := h.follow()
	h.happen(2)
	head := h.catchUp(f)
	h.mem().mu.Lock()
	h.mem().log = append(h.mem().log, []byte("not an entry"))
	h.mem().durable++
	h.mem().mu.Unlock()
	if err := f.CatchUp(h.ctx, 3); !errors.Is(err, ErrEntry) {
		t.Errorf("catching up over what is no entry: got %v, want ErrEntry", err)
	}
	if f.Head() != head {
		t.Errorf("checkpoint: got %v, want %v as before", f.Head(), head)
	}
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	h := newHouse(t, newMemory(), 3)
	var before Checkpoint
	for _, n := range []int{0, 3, 250, 3, 0, 40} {
		h.happen(n)
		f, err := Follow(h.ctx, h.config(h.ring.LogSigner()))
		if err != nil {
			t.Fatal(err)
		}
		if head := f.Head(); head.Size < before.Size || before.Origin != "" && head.Size == before.Size && head != before {
			t.Fatalf("first checkpoint after a restart: got %v, want %v or later", head, before)
		}
		before = h.catchUp(f)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.CatchUp(h.ctx, before.Size); err != nil {
			t.Errorf("what was followed before the end: %v", err)
		}
	}
	if r := h.sound(); r.Hashed != 296 {
		t.Errorf("hashed: got %d, want 296", r.Hashed)
	}
}

func TestAFollowerRefusesALogThatIsNotTheOneItSigned(t *testing.T) {
	whole := newHouse(t, newMemory(), 2)
	whole.happen(300)
	whole.settle()
	for name, c := range map[string]struct {
		damage func(*memory)
		want   error
	}{
		"cut log":           {func(m *memory) { m.durable = 299 }, store.ErrDamaged},
		"edited tile":       {func(m *memory) { m.rows[tileBucket][1].value[40] ^= 1 }, ErrCheckpoint},
		"edited upper tile": {func(m *memory) { m.rows[tileBucket][2].value[0] ^= 1 }, ErrCheckpoint},
		"short tile":        {func(m *memory) { m.rows[tileBucket][1].value = m.rows[tileBucket][1].value[:32] }, store.ErrDamaged},
		"edited checkpoint": {func(m *memory) { m.rows[stateBucket][0].value[len(origin)+1]++ }, ErrCheckpoint},
	} {
		h := whole.clone(t)
		c.damage(h.mem())
		if _, err := Follow(h.ctx, h.config(h.ring.LogSigner())); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	foreign, err := keys.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Follow(whole.ctx, whole.config(foreign.LogSigner())); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("a foreign key: got %v, want ErrCheckpoint", err)
	}
}

func TestTwoFollowersOfOneStoreDoNotMix(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	one, two := h.follow(), h.follow()
	for range 20 {
		h.happen(10)
		if err := errors.Join(one.CatchUp(h.ctx, h.store.Size()), two.CatchUp(h.ctx, h.store.Size())); err != nil && !errors.Is(err, errMoved) {
			t.Fatal(err)
		}
	}
	h.catchUp(one)
	h.sound()
}

func TestEntriesAreFoundByIdentifierAndPerson(t *testing.T) {
	h := newHouse(t, newMemory(), 3)
	f := h.follow()
	entries := h.happen(500)
	for _, i := range []int{0, 77, 255, 256, 499} {
		got, err := f.Find(h.ctx, entries[i].ID)
		if err != nil || got != uint64(i) {
			t.Errorf("finding entry %d by its identifier: got %d, %v", i, got, err)
		}
		e, err := f.Entry(h.ctx, got)
		if err != nil || e.Commitment != entries[i].Commitment {
			t.Errorf("entry %d: got another, %v", i, err)
		}
	}
	if _, err := f.Find(h.ctx, privacy.NewID(noon)); !errors.Is(err, ErrNotFound) {
		t.Errorf("an identifier of no entry: got %v, want ErrNotFound", err)
	}
	var seen []Found
	for before := uint64(Newest); ; {
		page, err := f.BySubject(h.ctx, h.people[2], before, 20)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		seen = append(seen, page...)
		before = page[len(page)-1].Index
	}
	if len(seen) != 125 {
		t.Fatalf("entries about the person: got %d, want 125", len(seen))
	}
	for n, found := range seen {
		want := uint64(498 - 4*n)
		if found.Index != want || found.Entry.Commitment != entries[want].Commitment {
			t.Fatalf("entry %d about the person: got index %d, want %d", n, found.Index, want)
		}
	}
	if _, err := f.BySubject(h.ctx, h.people[2], 499, 20); !errors.Is(err, ErrNotFound) {
		t.Errorf("a page that begins at another person's entry: got %v, want ErrNotFound", err)
	}
	if page, err := f.BySubject(h.ctx, privacy.NewSubjectID(), Newest, 20); err != nil || len(page) != 0 {
		t.Errorf("of a person unknown: got %d entries, %v", len(page), err)
	}
}

func TestATrailCountsThePersonsAccessRecords(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	f := h.follow()
	want := Trail{}
	for i, e := range h.happen(100) {
		if e.Subject == h.people[1] && e.Kind == Access {
			leaf := tlog.RecordHash(e.Commitment[:])
			want.next(uint64(i), &leaf)
		}
	}
	h.catchUp(f)
	got, err := f.Trail(h.ctx, h.people[1])
	if err != nil || got != want {
		t.Errorf("trail: got %d %x, %v; want %d %x", got.Count, got.Head, err, want.Count, want.Head)
	}
	if want.Count == 0 || want.Count == 33 {
		t.Errorf("the story is no test: %d of 33 entries are reads", want.Count)
	}
}

func TestErasureStopsATrailAndNothingElse(t *testing.T) {
	h := newHouse(t, newMemory(), 3)
	f := h.follow()
	h.happen(50)
	h.catchUp(f)
	gone := h.people[2]
	count := h.sound().Trails
	h.erase(gone)
	// What was sealed for her and not yet followed goes in as a leaf.
	h.mu.Lock()
	h.people = append(h.people[:2:2], h.people[3])
	h.mu.Unlock()
	h.happen(10)
	h.catchUp(f)
	if _, err := f.Trail(h.ctx, gone); !errors.Is(err, ErrErased) {
		t.Errorf("trail of the erased: got %v, want ErrErased", err)
	}
	r := h.sound()
	if r.Erased == 0 || r.Opened+r.Erased != r.Entries || r.Trails != count-1 {
		t.Errorf("after an erasure: got %+v", r)
	}
	// The vault removes the row too: nothing leads to her entries any more.
	if _, err := h.store.Update(h.ctx, func(tx store.Tx) error { return Forget(tx, gone) }); err != nil {
		t.Fatal(err)
	}
	h.sound()
	if page, err := f.BySubject(h.ctx, gone, Newest, 100); err != nil || len(page) != 0 {
		t.Errorf("entries about the erased: got %d, %v, want none", len(page), err)
	}
}

func TestManyAskWhileMuchHappens(t *testing.T) {
	h := newHouse(t, newMemory(), 5)
	f := h.follow()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var before Checkpoint
			for before.Size < 400 {
				size := h.store.Size()
				if err := f.CatchUp(h.ctx, size); err != nil {
					t.Error(err)
					return
				}
				signed, err := f.Checkpoint(h.ctx)
				if err != nil {
					t.Error(err)
					return
				}
				c, err := OpenCheckpoint(signed, h.vkey)
				if err != nil || c.Size < size || c.Size < before.Size {
					t.Errorf("checkpoint: got %d, %v after %d of %d", c.Size, err, before.Size, size)
					return
				}
				before = c
			}
		})
	}
	for range 400 {
		h.happen(1)
	}
	wg.Wait()
	h.catchUp(f)
	h.sound()
}

func TestCloseFreesWhoWaits(t *testing.T) {
	h := newHouse(t, newMemory(), 1)
	stuck := make(chan struct{})
	cfg := h.config(h.ring.LogSigner())
	cfg.HistoryKey = func(ctx context.Context, _ privacy.SubjectID) (*keys.DEK, error) {
		close(stuck)
		<-ctx.Done()
		return nil, io.ErrUnexpectedEOF
	}
	f, err := Follow(h.ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.happen(1)
	waits := make(chan error)
	go func() { waits <- f.CatchUp(h.ctx, 1) }()
	<-stuck
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !errors.Is(err, store.ErrClosed) {
		t.Errorf("waiting while the follower closes: got %v, want ErrClosed", err)
	}
}
