package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

// importing is one file on its way into the vault.
type importing struct {
	vault    *client.Client
	id       string
	mapping  *mapping
	file     *os.File
	was      os.FileInfo
	survey   survey
	before   *wire.Import // how far it was when this run began; nil: nothing is in
	rejects  *rejectsFile
	report   *importReport
	bar      *bar
	verb     string
	patience time.Duration
	atOnce   int
	kept     keptRejects // what was rejected in earlier runs
}

// sending is a piece on its way.
type sending struct {
	*piece
	done    chan struct{} // what follows is there
	rejects []wire.Reject
	err     error
}

// ahead is how many pieces are on their way at once: while the vault commits one
// it makes the next ready.
const ahead = 2

// run brings what is not in yet, and lists what is rejected of all. Pieces are
// settled in the order of the file.
func (i *importing) run(ctx context.Context, in rows, t *tally, identifiers []bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var way []*sending
	settle := func() error {
		s := way[0]
		way = way[1:]
		<-s.done
		if s.err != nil {
			return s.err
		}
		if err := i.settle(s.piece, s.rejects); err != nil {
			return err
		}
		return i.stillAllowed(ctx, s.rejects)
	}
	done := uint64(0)
	if i.before != nil {
		done = i.before.Next
	}
	err := i.mapping.pieces(ctx, in, t, identifiers, i.atOnce, done, func(p *piece) error {
		if p.to() <= done {
			var rejects []wire.Reject
			err := i.patiently(ctx, nil, func() error {
				more, err := i.kept.upTo(ctx, i.vault, i.id, p.to())
				rejects = append(rejects, more...)
				return err
			})
			if err != nil {
				return err
			}
			return i.settle(p, rejects)
		}
		if len(way) == ahead {
			if err := settle(); err != nil {
				return err
			}
		}
		if err := i.unchanged(); err != nil {
			return err
		}
		s := &sending{piece: p, done: make(chan struct{})}
		var before *sending
		if len(way) > 0 {
			before = way[len(way)-1]
		}
		way = append(way, s)
		go i.send(ctx, s, before)
		return nil
	})
	for len(way) > 0 {
		if err != nil {
			stop()
			<-way[0].done
			way = way[1:]
			continue
		}
		err = settle()
	}
	return err
}

// send brings one piece, however often that takes. What the vault says of how far
// the import is counts, not what was sent: an answer may have been lost.
func (i *importing) send(ctx context.Context, s, before *sending) {
	defer close(s.done)
	answer, err := i.vault.ImportRows(ctx, i.id, s.from, uint64(i.survey.rows), s.body)
	if err == nil {
		s.rejects = answer.Rejects
		return
	}
	if before != nil { // it cannot be in before those before it are
		<-before.done
		if before.err != nil {
			s.err = before.err
			return
		}
	}
	s.err = i.patiently(ctx, err, func() error { return i.sendRest(ctx, s) })
}

// patiently does what failed with err, or nil, until it does not or there is no
// use in trying.
func (i *importing) patiently(ctx context.Context, err error, do func() error) error {
	began := time.Now()
	if err == nil {
		err = do()
	}
	for pause := 100 * time.Millisecond; err != nil; pause = min(2*pause, 2*time.Second) {
		wait, again := mayTry(err)
		if !again || time.Since(began) > i.patience {
			return err
		}
		select {
		case <-time.After(max(wait, pause)):
		case <-ctx.Done():
			return ctx.Err()
		}
		err = do()
	}
	return nil
}

// known asks how far an import is.
func (i *importing) known(ctx context.Context, id string) (now *wire.Import, err error) {
	err = i.patiently(ctx, nil, func() (err error) {
		now, err = i.vault.Import(ctx, id)
		return err
	})
	return now, err
}

// errBack: the vault has fewer rows than it said it had.
var errBack = errors.New("the vault has fewer rows of this import than it had: was it restored? Run the same command again to go on from there")

// sendRest brings what is not in of a piece.
func (i *importing) sendRest(ctx context.Context, s *sending) error {
	now, err := i.vault.Import(ctx, i.id)
	if notBegun(err) {
		now, err = &wire.Import{}, nil
	}
	switch {
	case err != nil:
		return err
	case now.Next < s.from:
		return errBack
	case now.Next < s.to():
		if _, err := i.vault.ImportRows(ctx, i.id, now.Next, uint64(i.survey.rows), s.rest(now.Next)); err != nil {
			return err
		}
	}
	of := keptRejects{after: s.from}
	s.rejects, err = of.upTo(ctx, i.vault, i.id, s.to())
	return err
}

// mayTry reports whether the same may be tried again, and when the vault asked
// for that.
func mayTry(err error) (wait time.Duration, again bool) {
	var refused *client.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errBack):
		return 0, false
	case !errors.As(err, &refused):
		return 0, true // the vault was not reached, or went away
	}
	switch refused.Status {
	case http.StatusTooManyRequests, http.StatusConflict, http.StatusRequestTimeout, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return min(refused.RetryAfter, time.Minute), true
	}
	return 0, false
}

// notBegun reports whether the vault knows no row of an import.
func notBegun(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == "not_found"
}

// stillAllowed ends an import whose channel may not do any more what the mapping
// says: it would go on to reject row after row for what is no row's fault.
func (i *importing) stillAllowed(ctx context.Context, rejects []wire.Reject) error {
	if !slices.ContainsFunc(rejects, func(r wire.Reject) bool {
		return r.Code == "field_not_capturable" || r.Code == "purpose_not_granted" || r.Code == "consent_not_obtainable"
	}) {
		return nil
	}
	var who *wire.Whoami
	err := i.patiently(ctx, nil, func() (err error) {
		who, err = i.vault.Whoami(ctx)
		return err
	})
	if err == nil {
		err = i.mapping.allowed(who)
	}
	if err != nil {
		return fmt.Errorf("the register was changed while the file was imported: %w", err)
	}
	return nil
}

// keptRejects gives rejects that the vault keeps, in the order of their rows.
type keptRejects struct {
	after uint64 // rows that were asked about
	page  []wire.Reject
	end   bool
}

// upTo returns those of rows up to one; with an error some of them, and the next
// call the rest.
func (k *keptRejects) upTo(ctx context.Context, vault *client.Client, id string, to uint64) (all []wire.Reject, err error) {
	for {
		for len(k.page) > 0 && k.page[0].Row <= to {
			all, k.page = append(all, k.page[0]), k.page[1:]
		}
		if k.end || len(k.page) > 0 {
			return all, nil
		}
		next, err := vault.ImportRejects(ctx, id, k.after)
		if err != nil {
			return all, err
		}
		k.page, k.after, k.end = next.Rejects, next.Next, next.Next == 0
	}
}

// settle lists what was rejected of a piece, here or by the vault, by rows.
func (i *importing) settle(p *piece, rejects []wire.Reject) error {
	own := p.rejects
	for len(own) > 0 || len(rejects) > 0 {
		var one rowReject
		if len(rejects) == 0 || len(own) > 0 && own[0].row <= rejects[0].Row {
			one, own = own[0], own[1:]
		} else {
			r := rejects[0]
			one = rowReject{r.Row, reject{line: p.lines[r.Row-p.from-1], field: r.Field, code: r.Code, detail: r.Detail}}
			rejects = rejects[1:]
		}
		i.report.why(one.reject)
		if err := i.rejects.add(one.reject); err != nil {
			return err
		}
	}
	i.report.done = p.to()
	i.show(p.to())
	return nil
}

func (i *importing) show(done uint64) { i.bar.show(i.verb, done, uint64(i.survey.rows)) }

// unchanged reports whether the file is still the one that was surveyed.
func (i *importing) unchanged() error {
	now, err := i.file.Stat()
	if err == nil && (now.Size() != i.was.Size() || !now.ModTime().Equal(i.was.ModTime())) {
		err = errors.New("the file was changed while it was imported")
	}
	return err
}

// check asks the vault what it would reject, and sends nothing to be kept.
func (i *importing) check(ctx context.Context, in rows, t *tally, identifiers []bool) error {
	return i.mapping.pieces(ctx, in, t, identifiers, i.atOnce, 0, func(p *piece) error {
		var answer *wire.Rejects
		err := i.patiently(ctx, nil, func() (err error) {
			answer, err = i.vault.CheckRows(ctx, p.from, p.body)
			return err
		})
		if err != nil {
			return err
		}
		seen := uint64(0)
		for _, r := range answer.Rejects {
			if r.Row != seen {
				i.report.Rejected++
				seen = r.Row
			}
		}
		return i.settle(p, answer.Rejects)
	})
}

// soFar says what an import that ended early has done.
func (i *importing) soFar(ctx context.Context) string {
	now, err := i.vault.Import(context.WithoutCancel(ctx), i.id)
	switch {
	case notBegun(err):
		return "nothing was imported"
	case err != nil:
		return fmt.Sprintf("%d of %s were done with when the vault last answered; run the same command again to go on", i.report.done, count(i.survey.rows, "row"))
	}
	return fmt.Sprintf("%d of %s are done with; run the same command again to go on", now.Next, count(i.survey.rows, "row"))
}
