package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sayso-vault/sayso/vault/store"
)

// tail is where a run of frames ends, and what lies behind its end.
type tail struct {
	next  uint64 // index of the next entry
	state uint64 // largest state sequence
	off   int64  // where the next frame goes
	marks []mark
	// dirtyFrom and dirtyTo enclose what is not zero behind the end: the
	// remains of a group that was never acknowledged. Equal if there are none.
	dirtyFrom, dirtyTo int64
}

// scanFrames reads frames from off up to where they end, the first of which must
// have index next.
func scanFrames(r io.ReaderAt, off, end int64, next, state uint64) (tail, error) {
	t := tail{next: next, state: state, off: off}
	frames := newFrames(r, off, end)
	for {
		at := frames.off
		f, err := frames.next()
		if errors.Is(err, errEnd) || errors.Is(err, errBad) || err == nil && f.index != t.next {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		t.off = frames.off
		if f.kind == kindSeal {
			continue
		}
		if len(t.marks) == 0 || at-t.marks[len(t.marks)-1].off >= markEvery {
			t.marks = append(t.marks, mark{f.index, at})
		}
		t.next, t.state = f.index+1, f.state
	}
}

// findTail finds where frames end, and looks at what lies behind. Reading
// changes nothing. It returns store.ErrDamaged, naming the entry, if something
// there counts an entry as durable that cannot be read.
func findTail(r io.ReaderAt, off, end int64, next uint64) (tail, error) {
	t, err := scanFrames(r, off, end, next, 0)
	if err != nil {
		return t, err
	}
	durable, from, to, err := searchBehind(r, t.off, end)
	if err != nil {
		return t, err
	}
	if durable > t.next {
		return t, damagedEntry(t.next, "it cannot be read, but entries after it count it as durable")
	}
	t.dirtyFrom, t.dirtyTo = from, to
	return t, nil
}

func damagedEntry(index uint64, why string) error {
	return fmt.Errorf("%w: entry %d: %s", store.ErrDamaged, index, why)
}

// searchBehind looks through what lies between off and end for frames, wherever
// one may begin, and returns the largest durable count among them and the range
// that is not zero.
func searchBehind(r io.ReaderAt, off, end int64) (durable uint64, from, to int64, err error) {
	const step = 1 << 20
	buf := make([]byte, step+frameSize(store.MaxEntry))
	for at := off; at < end; at += step {
		b := buf[:min(int64(len(buf)), end-at)]
		if n, err := r.ReadAt(b, at); n < len(b) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, 0, 0, err
		}
		for i := 0; i < min(step, len(b)); i += frameAlign {
			if i+frameAlign > len(b) {
				for j := i; j < len(b); j++ {
					if b[j] != 0 {
						from, to = grow(from, to, at+int64(i), at+int64(len(b)))
					}
				}
				break
			}
			if binary.LittleEndian.Uint64(b[i:]) == 0 {
				continue
			}
			from, to = grow(from, to, at+int64(i), at+int64(i)+frameAlign)
			if binary.LittleEndian.Uint32(b[i:]) == frameMagic {
				if f, _, err := parseFrame(b[i:]); err == nil {
					durable = max(durable, f.durable)
				}
			}
		}
	}
	return durable, from, to, nil
}

func grow(from, to, a, b int64) (int64, int64) {
	if from == to {
		return a, b
	}
	return min(from, a), max(to, b)
}

// clear writes zeros over the dirty range and syncs them.
func (t *tail) clear(f file) error {
	if t.dirtyFrom == t.dirtyTo {
		return nil
	}
	zeros := make([]byte, 1<<20)
	for at := t.dirtyFrom; at < t.dirtyTo; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), t.dirtyTo-at)], at); err != nil {
			return fmt.Errorf("clearing a torn end: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("clearing a torn end: %w", err)
	}
	t.dirtyFrom, t.dirtyTo = 0, 0
	return nil
}

// recovered is what a log's folder was found to hold.
type recovered struct {
	segments []*segment // those with entries, and the one to write to
	spare    []*segment // prepared ones behind it
	tails    []tail     // of the last segment, and of the spare ones
}

// recoverLog finds the end of the log and changes nothing. A segment is synced
// before the next one is written to, so that only the last one with entries,
// and what lies behind it, can be torn.
func recoverLog(folder string, id logID) (*recovered, error) {
	segs, err := listSegments(folder, id)
	if err != nil {
		return nil, err
	}
	last := 0
	good := make([]bool, len(segs))
	for i, s := range segs {
		f, err := s.firstFrame()
		switch {
		case err == nil && f.kind != kindSeal:
			s.first, good[i], last = f.index, true, i
		case err != nil && !errors.Is(err, errEnd) && !errors.Is(err, errBad):
			return nil, err
		}
	}
	if good[0] && segs[0].first != 0 {
		return nil, damagedEntry(0, "the log does not begin with it")
	}
	for i := 1; i <= last; i++ {
		if !good[i-1] || !good[i] || segs[i].first <= segs[i-1].first {
			return nil, fmt.Errorf("%w: log segment %s does not begin with an entry that can be read",
				store.ErrDamaged, filepath.Base(segs[i-1].path))
		}
	}
	r := &recovered{segments: segs[:last+1], spare: segs[last+1:]}
	t, err := segs[last].findTail(segs[last].first)
	if err != nil {
		return nil, err
	}
	segs[last].marks = t.marks
	r.tails = append(r.tails, t)
	for _, s := range r.spare {
		st, err := s.findTail(t.next)
		if err != nil {
			return nil, err
		}
		if st.off != segmentHeader {
			return nil, damagedEntry(t.next, "it does not lie where it belongs")
		}
		r.tails = append(r.tails, st)
	}
	return r, nil
}

func (s *segment) findTail(next uint64) (tail, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return tail{}, err
	}
	defer f.Close()
	return findTail(f, segmentHeader, s.size, next)
}

// findMarks looks where to begin reading in a segment that others follow. What
// cannot be read there is found by who reads it.
func (s *segment) findMarks(first uint64) ([]mark, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := scanFrames(f, segmentHeader, s.size, first, 0)
	return t.marks, err
}
