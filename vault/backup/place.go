package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Place is where copies are kept.
type Place interface {
	// Begin starts a copy, which is not there before it is kept.
	Begin(ctx context.Context, kind Kind, id string) (Draft, error)
	// Copies returns the IDs of the whole copies of a kind, oldest first.
	Copies(ctx context.Context, kind Kind) ([]string, error)
	// Open opens a file of a copy. There is no such copy, or it lacks the file:
	// ErrNone.
	Open(ctx context.Context, kind Kind, id, name string) (io.ReadCloser, error)
	// Remove removes a copy; interrupted, it leaves none that looks whole.
	Remove(ctx context.Context, kind Kind, id string) error
	// String names the place to people.
	String() string
}

// Draft is a copy that is being made.
type Draft interface {
	// Write writes a file durably.
	Write(ctx context.Context, name string, r io.Reader) error
	// Keep makes the copy one that is there, durably.
	Keep(ctx context.Context) error
	// Drop leaves nothing of a copy that was not kept. After Keep it does nothing.
	Drop() error
}

// NewID returns the ID of a copy: when it was made, and something that tells it
// from others of that second.
func NewID(now time.Time) string {
	return now.UTC().Format("20060102T150405Z") + "-" + strings.ToLower(rand.Text()[:6])
}

// Parts are the files of a copy as they arrive, the manifest last.
type Parts interface {
	// NextPart returns the next file, io.EOF after the last.
	NextPart() (name string, r io.Reader, err error)
}

// Receive keeps a copy in a place. What was written there is held against the
// manifest before it is kept: so a copy that was cut off on its way is none.
// progress, which may be nil, is told how many bytes have come.
func Receive(ctx context.Context, to Place, kind Kind, id string, parts Parts, progress func(bytes int64)) (_ *Manifest, err error) {
	d, err := to.Begin(ctx, kind, id)
	if err != nil {
		return nil, fmt.Errorf("beginning a backup in %s: %w", to, err)
	}
	defer func() { err = errors.Join(err, d.Drop()) }()
	var files []File
	var total int64
	for {
		name, r, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: it ended before its manifest came", ErrBad)
		}
		if err != nil {
			return nil, err
		}
		if name == ManifestFile {
			return finish(ctx, d, kind, id, files, r)
		}
		h := NewHasher(name)
		count := counting{&total, progress}
		if err := d.Write(ctx, name, io.TeeReader(r, io.MultiWriter(h, count))); err != nil {
			return nil, fmt.Errorf("writing %s to %s: %w", name, to, err)
		}
		files = append(files, h.File())
	}
}

func finish(ctx context.Context, d Draft, kind Kind, id string, files []File, r io.Reader) (*Manifest, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(b)
	if err != nil {
		return nil, err
	}
	if m.Kind != kind || m.ID != id || !slices.EqualFunc(m.Files, files, sameFile) {
		return nil, fmt.Errorf("%w: what was written is not what was sent", ErrBad)
	}
	if err := d.Write(ctx, ManifestFile, strings.NewReader(string(b))); err != nil {
		return nil, err
	}
	return m, d.Keep(ctx)
}

func sameFile(a, b File) bool {
	return a.Name == b.Name && a.Size == b.Size && slices.EqualFunc(a.SHA256, b.SHA256, slices.Equal)
}

type counting struct {
	total    *int64
	progress func(int64)
}

func (c counting) Write(b []byte) (int, error) {
	*c.total += int64(len(b))
	if c.progress != nil {
		c.progress(*c.total)
	}
	return len(b), nil
}
