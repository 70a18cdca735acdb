package bolt

import (
	"errors"
	"fmt"
	"sync"
)

// log keeps entries in segments. Its appender says what is durable; only the
// leader of a group, in write, touches what is written to.
type log struct {
	appender
	folder string
	id     logID
	open   func(path string) (file, error)
	synced func(path string)

	// The leader's.
	active file
	off    int64         // where the next frame goes in the active segment
	sealed bool          // a seal is the last frame
	ready  chan prepared // the next segment; nil until it is being prepared

	segMu sync.RWMutex
	segs  []*segment // the last one is the active one
	spare []*segment // prepared in an earlier run
	tails []tail     // what repair has yet to clear; nil when it has
}

type prepared struct {
	s   *segment
	err error
}

func openLog(folder string, id logID, open func(string) (file, error), synced func(string)) (*log, error) {
	r, err := recoverLog(folder, id)
	if err != nil {
		return nil, err
	}
	l := &log{folder: folder, id: id, open: open, synced: synced, segs: r.segments, spare: r.spare, tails: r.tails}
	l.off = r.tails[0].off
	l.appender.write = l.writeGroup
	l.start(r.tails[0].next, r.tails[0].state)
	return l, nil
}

// repair clears what was torn and opens the active segment for writing.
func (l *log) repair() error {
	for i, s := range append([]*segment{l.segs[len(l.segs)-1]}, l.spare...) {
		f, err := l.open(s.path)
		if err != nil {
			return err
		}
		if i == 0 {
			l.active = f
		}
		if l.tails[i].dirtyFrom != l.tails[i].dirtyTo {
			if err := l.tails[i].clear(f); err != nil {
				return err
			}
			l.synced(s.path)
		}
		if i > 0 {
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	l.tails = nil
	return nil
}

// prepareNext makes the segment after the active one in the background, unless
// an earlier run left one. It is called in good time, when the active one is
// half full.
func (l *log) prepareNext() {
	l.ready = make(chan prepared, 1)
	if len(l.spare) > 0 {
		l.ready <- prepared{s: l.spare[0]}
		l.spare = l.spare[1:]
		return
	}
	number, ready := l.segs[len(l.segs)-1].number+1, l.ready
	go func() {
		s, err := createSegment(l.folder, l.id, number)
		if err == nil {
			l.synced(s.path)
		}
		ready <- prepared{s, err}
	}()
}

// writeGroup writes the frames of a group and syncs them. A group that does not
// fit goes on in the next segment, after the first is synced: so only the last
// segment can ever be torn.
func (l *log) writeGroup(g *group) error {
	buf, index := g.buf, g.first
	for len(buf) > 0 {
		active := l.segs[len(l.segs)-1]
		room := active.size - l.off
		n, entries := 0, uint64(0)
		var marks []mark
		last := int64(-markEvery)
		if len(active.marks) > 0 {
			last = active.marks[len(active.marks)-1].off
		}
		for n < len(buf) {
			size := frameSize(payloadLen(buf[n:]))
			if int64(n+size) > room {
				break
			}
			if at := l.off + int64(n); at-last >= markEvery {
				marks = append(marks, mark{index + entries, at})
				last = at
			}
			n += size
			entries++
		}
		if n > 0 {
			if _, err := l.active.WriteAt(buf[:n], l.off); err != nil {
				return fmt.Errorf("writing to the log: %w", err)
			}
			if err := l.active.Sync(); err != nil {
				return fmt.Errorf("syncing the log: %w", err)
			}
			l.synced(active.path)
			l.segMu.Lock()
			if active.marks == nil {
				active.first = index
			}
			active.marks = append(active.marks, marks...)
			l.segMu.Unlock()
			l.off += int64(n)
			l.sealed = false
			if l.ready == nil && l.off > active.size/2 {
				l.prepareNext()
			}
			buf, index = buf[n:], index+entries
		}
		if len(buf) > 0 {
			if err := l.rotate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// rotate makes the prepared segment the active one.
func (l *log) rotate() error {
	if l.ready == nil {
		l.prepareNext()
	}
	p := <-l.ready
	l.ready = nil
	if p.err != nil {
		return p.err
	}
	f, err := l.open(p.s.path)
	if err != nil {
		return err
	}
	if err := l.active.Close(); err != nil {
		return errors.Join(err, f.Close())
	}
	l.active, l.off = f, segmentHeader
	l.segMu.Lock()
	l.segs = append(l.segs, p.s)
	l.segMu.Unlock()
	return nil
}

// close seals the log, so that not even its last entry can be taken for a torn
// one, and waits for the background. Nothing is being appended any more.
func (l *log) close() error {
	if l.ready != nil {
		<-l.ready
	}
	if l.active == nil {
		return nil
	}
	return errors.Join(l.seal(), l.active.Close())
}

func (l *log) seal() error {
	seal := appendFrame(nil, frame{kind: kindSeal, index: l.next, durable: l.next, state: l.state})
	if l.failed() || l.sealed || l.next == 0 || l.off+int64(len(seal)) > l.segs[len(l.segs)-1].size {
		return nil
	}
	if _, err := l.active.WriteAt(seal, l.off); err != nil {
		return fmt.Errorf("sealing the log: %w", err)
	}
	if err := l.active.Sync(); err != nil {
		return fmt.Errorf("sealing the log: %w", err)
	}
	l.sealed = true
	l.synced(l.segs[len(l.segs)-1].path)
	return nil
}
