package log

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// People's rows lie all over the disk: in a large vault each entry changes a page
// of its own, which would cost more than all else that is done about a read. So
// the rows are not written with each run. What is due to them waits in memory, by
// shares of the people, and the rows of one share are written together, when much
// waits. How far that went stands beside the checkpoint, in the same update:
//
//	people = 0x01 { entries followed(8) }×64        by the first six bits of the ID
//
// After a crash what was due is found in the log again.
const (
	shares = 64
	maxDue = 128 << 10 // entries that wait at most
	atRest = 4         // shares that are written in a look that found nothing new

	peopleFormat = 1
)

var peopleKey = []byte("people")

func shareOf(s [16]byte) int { return int(s[0] >> 2) }

// due is an entry of which the row of its person does not know yet.
type due struct {
	row
	leaf tlog.Hash
}

// share is what is due to the rows of some of the people.
type share struct {
	to   uint64 // their rows know of the entries before it
	due  []due
	last map[privacy.SubjectID]uint64 // the latest entry about each of those who wait
}

// wait adds an entry.
func (f *Follower) wait(d due) {
	s := &f.shares[shareOf([16]byte(d.of()))]
	s.due = append(s.due, d)
	if s.last == nil {
		s.last = map[privacy.SubjectID]uint64{}
	}
	s.last[privacy.SubjectID(d.of())] = d.index()
	f.waiting++
}

// rowsTo returns how far all rows are written, of a log that is followed to size.
func (f *Follower) rowsTo(size uint64) uint64 {
	for i := range f.shares {
		if s := &f.shares[i]; len(s.due) > 0 {
			size = min(size, s.to)
		}
	}
	return size
}

// choose says of which shares the next update writes the rows: of all that is
// asked for, or as many as it takes for no more to wait than may, in turn, and a
// few when there is nothing else to do.
func (f *Follower) choose(all, resting bool) (chosen []int) {
	left := f.waiting
	for n := range shares {
		i := (f.next + n) % shares
		if len(f.shares[i].due) == 0 {
			continue
		}
		if !all && left <= f.cfg.maxDue && (!resting || len(chosen) >= f.cfg.atRest) {
			break
		}
		chosen = append(chosen, i)
		left -= len(f.shares[i].due)
	}
	return chosen
}

// rows makes the rows of the chosen shares. They are read in one snapshot, and
// keys are asked for outside of it: whoever gives them may need one of their own.
func (f *Follower) rows(ctx context.Context, chosen []int) error {
	r := &f.run
	r.people, r.persons, r.kept = r.people[:0], r.persons[:0], r.kept[:0]
	for _, i := range chosen {
		all := f.shares[i].due
		slices.SortFunc(all, func(a, b due) int { return bytes.Compare(a.row[:rowKeySize], b.row[:rowKeySize]) })
		for len(all) > 0 {
			n := 1
			for n < len(all) && bytes.Equal(all[n].of(), all[0].of()) {
				n++
			}
			r.people = append(r.people, person{due: all[:n], from: f.shares[i].to})
			all = all[n:]
		}
	}
	slices.SortFunc(r.people, func(a, b person) int { return bytes.Compare(a.due[0].of(), b.due[0].of()) })
	err := f.cfg.Store.View(ctx, func(s store.Snapshot) error {
		r.kept = r.kept[:0]
		for i := range r.people {
			value, err := s.Get(personBucket, r.people[i].due[0].of())
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
		value, err := f.advance(ctx, &r.people[i])
		if err != nil {
			return err
		}
		if value != nil {
			r.persons = append(r.persons, put{r.people[i].due[0].of(), value})
		}
	}
	return nil
}

// people is what the store says of the shares once the rows of the chosen ones know
// of all entries before one.
func (f *Follower) people(chosen []int, before uint64) []byte {
	b := append(make([]byte, 0, 1+8*shares), peopleFormat)
	for i := range f.shares {
		to := f.shares[i].to
		if len(f.shares[i].due) == 0 || slices.Contains(chosen, i) {
			to = before
		}
		b = binary.BigEndian.AppendUint64(b, to)
	}
	return b
}

// wrote forgets what is no longer due, and takes in what is since.
func (f *Follower) wrote(chosen []int, before uint64, since []due) {
	for _, i := range chosen {
		s := &f.shares[i]
		f.waiting -= len(s.due)
		s.due, s.last = s.due[:0], nil
		if f.next == i {
			f.next = (i + 1) % shares
		}
	}
	for i := range f.shares {
		if s := &f.shares[i]; len(s.due) == 0 {
			s.to = before
		}
	}
	for i := range since {
		f.wait(since[i])
	}
}

// readPeople returns how far the rows of each share are written, of a log of which
// a checkpoint was kept.
func readPeople(r store.Reader, size uint64) (to [shares]uint64, err error) {
	b, err := r.Get(stateBucket, peopleKey)
	if err != nil {
		return to, err
	}
	if len(b) != 1+8*shares || b[0] != peopleFormat {
		return to, fmt.Errorf("how far people's rows are written: %w", store.ErrDamaged)
	}
	for i := range to {
		if to[i] = binary.BigEndian.Uint64(b[1+8*i:]); to[i] > size {
			return to, fmt.Errorf("people's rows are written further than the log was followed: %w", store.ErrDamaged)
		}
	}
	return to, nil
}

// recall finds in the log what is due to rows that are written to different
// entries.
func (f *Follower) recall(ctx context.Context, to [shares]uint64, size uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shares, f.waiting = [shares]share{}, 0
	from := size
	for i := range to {
		f.shares[i].to = to[i]
		from = min(from, to[i])
	}
	if from == size {
		return nil
	}
	return f.cfg.Store.Entries(ctx, from, size, func(index uint64, b []byte) error {
		e, err := ParseEntry(b)
		if err != nil {
			return bad(index, "cannot be read", err)
		}
		if index >= to[shareOf(e.Subject)] {
			f.wait(due{makeRow(e.Subject, index, e.Kind), leafHash(&e.Commitment)})
		}
		return nil
	})
}

// latestOf returns the index of the latest entry about a person, or none, as far
// as the log is followed.
func (f *Follower) latestOf(ctx context.Context, s privacy.SubjectID) (uint64, error) {
	f.mu.Lock()
	last, waits := f.shares[shareOf(s)].last[s]
	f.mu.Unlock()
	if waits {
		return last, nil
	}
	// What no longer waits is in every snapshot from now on.
	last = none
	err := f.cfg.Store.View(ctx, func(r store.Snapshot) (err error) {
		last, err = latest(r, s)
		return err
	})
	return last, err
}
