package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// read calls fn for the durable entries in [from, to).
func (l *log) read(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	to = min(to, l.durable.Load())
	for from < to {
		path, size, off, index, err := l.find(from)
		if err != nil {
			return err
		}
		if from, err = readSegment(ctx, path, size, off, index, from, to, fn); err != nil {
			return err
		}
	}
	return nil
}

// find says where to begin reading for entry from: the segment, and the offset
// and index of a frame in it not after from.
func (l *log) find(from uint64) (path string, size, off int64, index uint64, err error) {
	l.segMu.RLock()
	i := len(l.segs) - 1
	for i > 0 && (l.segs[i].first > from || l.segs[i].first == 0) { // 0: nothing written yet
		i--
	}
	s := l.segs[i]
	first, marks := s.first, s.marks
	l.segMu.RUnlock()
	if marks == nil {
		if marks, err = s.findMarks(first); err != nil {
			return "", 0, 0, 0, err
		}
		l.segMu.Lock()
		s.marks = marks
		l.segMu.Unlock()
	}
	off, index = segmentHeader, first
	n, exact := slices.BinarySearchFunc(marks, from, func(m mark, from uint64) int { return cmp.Compare(m.index, from) })
	if exact {
		n++
	}
	if n > 0 {
		off, index = marks[n-1].off, marks[n-1].index
	}
	return s.path, s.size, off, index, nil
}

// readSegment reads on from a known frame, and returns the index of the entry
// it did not get to, because the segment ends before it.
func readSegment(ctx context.Context, path string, size, off int64, index, from, to uint64, fn func(uint64, []byte) error) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return from, err
	}
	defer f.Close()
	return readFrames(ctx, f, path, size, off, index, from, to, fn)
}

func readFrames(ctx context.Context, r io.ReaderAt, path string, size, off int64, index, from, to uint64, fn func(uint64, []byte) error) (uint64, error) {
	frames := newFrames(r, off, size)
	for index < to {
		if index%64 == 0 && ctx.Err() != nil {
			return from, ctx.Err()
		}
		f, err := frames.next()
		if errors.Is(err, errEnd) && index > from {
			return index, nil // goes on in the next segment
		}
		if errors.Is(err, errEnd) || errors.Is(err, errBad) || err == nil && f.index != index {
			return from, damagedEntry(index, "it cannot be read in "+filepath.Base(path))
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return from, damagedEntry(index, filepath.Base(path)+" has been cut off")
		}
		if err != nil {
			return from, fmt.Errorf("reading entry %d: %w", index, err)
		}
		if f.kind == kindSeal {
			continue
		}
		if index >= from {
			if err := fn(index, f.payload); err != nil {
				return from, err
			}
		}
		index++
	}
	return index, nil
}
