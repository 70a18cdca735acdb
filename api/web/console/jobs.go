package console

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sayso-vault/sayso/vault"
)

// What may take longer than anybody waits for a page – a replay, a report – is a
// job: it goes on when the request that began it is over, tells how far it is, and
// can be stopped. Jobs live in this process; a restart ends them.
type jobs struct {
	now func() time.Time
	ctx context.Context //nolint:containedctx // of all jobs, which outlive requests
	end context.CancelFunc
	run sync.WaitGroup

	mu  sync.Mutex // guards all
	all []*job     // the oldest first
}

// job is one of them.
type job struct {
	ID      string
	Kind    string // of the message that names it
	Officer string
	Began   time.Time
	about   any // what its page needs to know
	key     string

	stop     context.CancelFunc
	finished chan struct{} // closed when the rest is there
	result   any
	err      error
	ended    time.Time

	done, of atomic.Uint64
}

const (
	maxRunning = 4         // jobs of one officer at once
	maxJobs    = 64        // that are remembered
	keptFor    = time.Hour // what came of a job
	fresh      = time.Minute
)

func newJobs(now func() time.Time) *jobs {
	ctx, end := context.WithCancel(context.Background())
	return &jobs{now: now, ctx: ctx, end: end}
}

// close ends all jobs, and returns when they have.
func (j *jobs) close() {
	j.end()
	j.run.Wait()
}

// errBusy: an officer has begun too much at once.
var errBusy = errors.New("too many jobs of this officer run")

// begin begins a job. With a key, one of the same officer and key that runs, or
// ended well a moment ago, is returned instead.
func (j *jobs) begin(officer, kind, key string, about any, do func(ctx context.Context, progress func(done, of uint64)) (any, error)) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget()
	running := 0
	for _, other := range j.all {
		if other.Officer != officer {
			continue
		}
		over := other.over()
		if key != "" && other.key == key && (!over || other.err == nil && j.now().Sub(other.ended) < fresh) {
			return other, nil
		}
		if !over {
			running++
		}
	}
	if running >= maxRunning || len(j.all) >= maxJobs {
		return nil, errBusy
	}
	ctx, stop := context.WithCancel(j.ctx)
	b := &job{ID: newJobID(), Kind: kind, Officer: officer, Began: j.now(), about: about, key: key, stop: stop, finished: make(chan struct{})}
	j.all = append(j.all, b)
	j.run.Go(func() {
		defer stop()
		b.result, b.err = do(ctx, func(done, of uint64) {
			b.done.Store(done)
			b.of.Store(of)
		})
		b.ended = j.now()
		close(b.finished)
	})
	return b, nil
}

// forget drops what ended long ago, and of too many the oldest that ended.
func (j *jobs) forget() {
	j.all = slices.DeleteFunc(j.all, func(b *job) bool { return b.over() && j.now().Sub(b.ended) > keptFor })
	for len(j.all) >= maxJobs {
		i := slices.IndexFunc(j.all, (*job).over)
		if i < 0 {
			return
		}
		j.all = slices.Delete(j.all, i, i+1)
	}
}

// find returns a job, nil if there is none of this ID any more.
func (j *jobs) find(id string) *job {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget()
	if i := slices.IndexFunc(j.all, func(b *job) bool { return b.ID == id }); i >= 0 {
		return j.all[i]
	}
	return nil
}

func newJobID() string {
	var random [10]byte
	_, _ = rand.Read(random[:])
	return "job_" + base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(random[:])
}

// over reports whether a job has ended.
func (b *job) over() bool {
	select {
	case <-b.finished:
		return true
	default:
		return false
	}
}

// wait gives a job a moment, so that what is quick needs no second look.
func (b *job) wait(ctx context.Context) {
	timer := time.NewTimer(patienceWithJobs)
	defer timer.Stop()
	select {
	case <-b.finished:
	case <-timer.C:
	case <-ctx.Done():
	}
}

const patienceWithJobs = 700 * time.Millisecond

// progress is how far a job is, as a page shows it.
type progress struct {
	Job      *job
	Done, Of uint64
	Mine     bool
}

func (v *visit) progress(b *job) *progress {
	return &progress{Job: b, Done: b.done.Load(), Of: b.of.Load(), Mine: b.Officer == v.by.Client.Officer}
}

// Percent is how far it is of a hundred.
func (p *progress) Percent() int {
	if p.Of == 0 {
		return 0
	}
	return int(min(p.Done*100/p.Of, 100))
}

// stopped reports whether a job ended because somebody stopped it.
func (b *job) stopped() bool { return errors.Is(b.err, context.Canceled) }

// job returns the job that the path names.
func (v *visit) job() (*job, error) {
	if b := v.jobs.find(v.r.PathValue("job")); b != nil {
		return b, nil
	}
	return nil, errNotFound
}

// mine refuses to stop what somebody else began.
func (v *visit) mine(b *job) error {
	if b.Officer != v.by.Client.Officer {
		return &vault.Error{Code: vault.CodeForbidden, Detail: "another officer began this"}
	}
	return nil
}

// polled answers a page that asks how far a job is: when it is over, the page is
// loaded anew.
func (v *visit) polled(b *job) bool {
	if v.r.Header.Get("HX-Request") == "true" && b.over() {
		v.w.Header().Set("HX-Refresh", "true")
		v.w.WriteHeader(204)
		return true
	}
	return false
}
