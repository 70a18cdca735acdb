package vault

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// peopleWalk goes through entries of the log person by person, so that nobody has
// to be remembered to be counted once: over the log to find the entries of as many
// people as memory holds, then to these people, then on to the next. It stands
// back while somebody reads.
type peopleWalk struct {
	v       *Vault
	by      Caller // ends with their office
	span    ExportRequest
	kinds   []log.Kind
	workers int

	// nobody is given the entries about nobody, one after the other, before any
	// person's.
	nobody func(context.Context, entry) error
	// person is given a worker's next person: where their entries stand, in order.
	// Several run at once, one a worker. It calls rest after each piece of work.
	person func(ctx context.Context, worker int, of []ref, rest func() error) error
	// progress, which may be nil, is told how many entries of how many were done.
	progress func(done, of uint64)

	end  uint64        // how far to go; default: what is durable when it begins
	most int           // entries held at once
	seen atomic.Uint64 // entries done
	of   atomic.Uint64 // of how many, as far as that is known

	mu   sync.Mutex // guards told
	told time.Time
}

// walkRefs bounds how many entries a walk holds in memory at once, at 24 bytes
// each.
const walkRefs = 2 << 20

// ref is where an entry about somebody stands in the log.
type ref struct {
	subject privacy.SubjectID
	index   uint64
}

func (w *peopleWalk) run(ctx context.Context) error {
	if w.progress == nil {
		w.progress = func(uint64, uint64) {}
	}
	if w.most = w.v.walkRefs; w.end == 0 {
		w.end = w.v.cfg.Store.Size()
	}
	from := privacy.SubjectID{}
	for first := true; ; first = false {
		refs, next, err := w.find(ctx, from, first)
		if err != nil {
			return err
		}
		slices.SortFunc(refs, func(a, b ref) int {
			if c := slices.Compare(a.subject[:], b.subject[:]); c != 0 {
				return c
			}
			return int(min(max(int64(a.index)-int64(b.index), -1), 1))
		})
		w.of.Store(w.seen.Load() + uint64(len(refs)))
		if err := w.people(ctx, refs); err != nil {
			return err
		}
		if next == nil {
			w.progress(w.seen.Load(), w.of.Load())
			return nil
		}
		from = *next
	}
}

// find scans the log for the entries about people from one on. If there are too
// many it keeps those of the first of them, and says who is next.
func (w *peopleWalk) find(ctx context.Context, from privacy.SubjectID, first bool) (refs []ref, next *privacy.SubjectID, err error) {
	pace := w.v.newPace(0)
	for at := uint64(0); at < w.end; {
		began := time.Now()
		page, after, err := w.v.exportPage(ctx, w.span, at, w.end, w.kinds)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page {
			switch {
			case e.Subject == privacy.Nobody:
				if first {
					if err := w.nobody(ctx, e); err != nil {
						return nil, nil, err
					}
					w.looked(1)
				}
			case slices.Compare(e.Subject[:], from[:]) >= 0 && (next == nil || slices.Compare(e.Subject[:], next[:]) < 0):
				refs = append(refs, ref{e.Subject, e.index})
			}
		}
		w.looked(0)
		if len(refs) > w.most {
			refs, next = halve(refs, next)
		}
		at = after
		if err := pace.rest(ctx, time.Since(began)); err != nil {
			return nil, nil, err
		}
	}
	return refs, next, nil
}

// halve keeps the entries of the first half of the people, and says who is the
// first of the others. One person alone is kept whole.
func halve(refs []ref, next *privacy.SubjectID) ([]ref, *privacy.SubjectID) {
	slices.SortFunc(refs, func(a, b ref) int { return slices.Compare(a.subject[:], b.subject[:]) })
	middle := refs[len(refs)/2].subject
	cut := slices.IndexFunc(refs, func(x ref) bool { return x.subject == middle })
	if cut == 0 { // the first person has half of all
		if cut = slices.IndexFunc(refs, func(x ref) bool { return x.subject != middle }); cut < 0 {
			return refs, next
		}
	}
	other := refs[cut].subject
	return refs[:cut:cut], &other
}

// people goes to people, several at a time.
func (w *peopleWalk) people(ctx context.Context, refs []ref) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, failed := make(chan []ref), make([]error, w.workers)
	var wait sync.WaitGroup
	for i := range w.workers {
		wait.Go(func() {
			pace := w.v.newPace(i)
			for of := range work {
				if failed[i] == nil {
					if failed[i] = w.visit(ctx, i, of, pace); failed[i] != nil {
						stop()
					}
				}
			}
		})
	}
	for len(refs) > 0 {
		n := slices.IndexFunc(refs, func(x ref) bool { return x.subject != refs[0].subject })
		if n < 0 {
			n = len(refs)
		}
		work <- refs[:n]
		refs = refs[n:]
	}
	close(work)
	wait.Wait()
	for _, err := range failed { // the first to fail stopped the others
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(failed...)
}

func (w *peopleWalk) visit(ctx context.Context, worker int, of []ref, pace *pace) error {
	if err := w.v.stillOfficer(w.by); err != nil {
		return err
	}
	began, done := time.Now(), 0
	rest := func() error {
		done++
		w.looked(1)
		worked := time.Since(began)
		err := pace.rest(ctx, worked)
		began = time.Now()
		return err
	}
	if err := w.person(ctx, worker, of, rest); err != nil {
		return err
	}
	w.looked(len(of) - min(done, len(of)))
	return pace.rest(ctx, time.Since(began))
}

// looked tells how far the walk is, a few times a second.
func (w *peopleWalk) looked(n int) {
	seen := w.seen.Add(uint64(n))
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.told) > 100*time.Millisecond {
		w.told = time.Now()
		w.progress(seen, max(seen, w.of.Load()))
	}
}
