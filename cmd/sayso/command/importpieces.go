package command

import (
	"context"
	"errors"
	"io"
)

// How much is sent at once: each piece is one transaction of the vault, for which
// others wait and which it holds in memory. More at once is not faster.
const (
	pieceRows  = 2500
	mostRows   = 10_000 // that a vault takes
	pieceBytes = 8 << 20
)

// piece is some rows of a file, in their order.
type piece struct {
	from    uint64      // rows of the file before them
	lines   []int       // of the file, one for each row
	rejects []rowReject // of rows that are no captures
	body    []byte      // a capture a line, an empty line for a row that is none
	starts  []int       // where in body each row begins
}

// rowReject is a reject and the row it is of.
type rowReject struct {
	row uint64 // from 1
	reject
}

func (p *piece) to() uint64 { return p.from + uint64(len(p.lines)) }

// rest is what is to be sent of the rows after one.
func (p *piece) rest(from uint64) []byte {
	if from == p.from {
		return p.body
	}
	return p.body[p.starts[from-p.from]:]
}

// tally counts what a file tells.
type tally struct {
	leftOut, rejected, nameless int
	filled                      []int
	begun                       []int
	said                        []map[string]int // for each of the mapping's consents, by status
}

func newTally(m *mapping) *tally {
	t := &tally{filled: make([]int, len(m.fields)), begun: make([]int, len(m.grounds)), said: make([]map[string]int, len(m.consents))}
	for i := range t.said {
		t.said[i] = map[string]int{}
	}
	return t
}

func (t *tally) add(c *capture, identifiers []bool) {
	named := false
	for i, filled := range c.filled {
		if filled {
			t.filled[i]++
			named = named || identifiers[i]
		}
	}
	if !named {
		t.nameless++
	}
	for i, begun := range c.begun {
		if begun {
			t.begun[i]++
		}
	}
	for i, status := range c.statuses {
		if status != "" {
			t.said[i][status]++
		}
	}
}

// pieces cuts a file into pieces of so many rows, one of which ends at the row
// given, and gives them to fn in order.
func (m *mapping) pieces(ctx context.Context, in rows, t *tally, identifiers []bool, atOnce int, cutAt uint64, fn func(*piece) error) error {
	f := newFilling(m)
	p := &piece{}
	flush := func() error {
		if len(p.lines) == 0 {
			return nil
		}
		done := p
		p = &piece{from: done.to(), body: make([]byte, 0, len(done.body)+len(done.body)/8)}
		return fn(done)
	}
	for {
		r, wrong, err := in.next()
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return err
		}
		if len(p.lines) == atOnce || p.to() == cutAt {
			if err := flush(); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var line []byte
		var all []reject
		var at int
		if wrong != nil {
			all, at = []reject{*wrong}, wrong.line
		} else {
			c := f.capture(r)
			line, all, at = c.line, c.rejects, r.line
			switch {
			case len(all) > 0:
			case len(line) == 0:
				t.leftOut++
			default:
				t.add(c, identifiers)
			}
		}
		if len(all) > 0 {
			t.rejected++
		}
		if len(p.body)+len(line) > pieceBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		for _, one := range all {
			p.rejects = append(p.rejects, rowReject{p.to() + 1, one})
		}
		p.starts = append(p.starts, len(p.body))
		p.lines = append(p.lines, at)
		p.body = append(append(p.body, line...), '\n')
	}
}
