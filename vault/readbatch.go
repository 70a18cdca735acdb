package vault

import (
	"context"
	"sync"
)

// ReadOutcome is what became of one read of many: what [Vault.Read] would have
// returned.
type ReadOutcome struct {
	Result *ReadResult
	Err    error
}

// ReadBatch is the door for many at once: each request is decided by itself, in
// order, on a snapshot of its own, and has its own record, durable before
// ReadBatch returns. Their records share fsyncs. What is refused or denied
// takes no other with it.
//
// It is for a few hundred at most: the first is decided before the last, and
// none is answered before all are. Whoever reads more, or answers somebody
// slow, asks in windows and decides again what could not be given away at once.
func (v *Vault) ReadBatch(ctx context.Context, by Caller, reqs []ReadRequest) []ReadOutcome {
	type decided struct {
		*answer
		err error
	}
	answers, outcomes := make([]decided, len(reqs)), make([]ReadOutcome, len(reqs))
	for i, req := range reqs {
		a, err := v.decide(ctx, by, req, values)
		answers[i] = decided{a, err}
	}
	var recording sync.WaitGroup
	var broke breakage
	for i, req := range reqs {
		recording.Go(func() {
			defer broke.note()
			answers[i].watch.resume()
			outcomes[i].Result, outcomes[i].Err = v.settle(ctx, by, req, answers[i].answer, answers[i].err)
		})
	}
	recording.Wait()
	broke.tell()
	return outcomes
}

// breakage carries the first panic of several goroutines to the one that waits for
// them, where somebody may be prepared for it.
type breakage struct {
	sync.Mutex // guards what
	what       any
}

func (p *breakage) note() {
	if what := recover(); what != nil {
		p.Lock()
		defer p.Unlock()
		p.what = what
	}
}

func (p *breakage) tell() {
	if p.what != nil {
		panic(p.what)
	}
}
