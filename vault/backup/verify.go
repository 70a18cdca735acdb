package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Copy is one copy in a place.
type Copy struct {
	Place Place
	Kind  Kind
	ID    string
}

// Newest returns the newest copy of a kind in a place, or ErrNone.
func Newest(ctx context.Context, p Place, kind Kind) (Copy, error) {
	ids, err := p.Copies(ctx, kind)
	if err != nil {
		return Copy{}, err
	}
	if len(ids) == 0 {
		return Copy{}, fmt.Errorf("%w: %s holds no copy of %s", ErrNone, p, kind)
	}
	return Copy{p, kind, ids[len(ids)-1]}, nil
}

// String names the copy to people.
func (c Copy) String() string { return fmt.Sprintf("the backup %s of %s in %s", c.ID, c.Kind, c.Place) }

// Path is how people name the copy, and how it is found again.
func (c Copy) Path() string {
	if alone, ok := c.Place.(loose); ok {
		return string(alone)
	}
	return strings.TrimSuffix(c.Place.String(), "/") + "/" + string(c.Kind) + "/" + c.ID
}

// Manifest reads the manifest. It is believed only after its Check.
func (c Copy) Manifest(ctx context.Context) (*Manifest, error) {
	r, err := c.Place.Open(ctx, c.Kind, c.ID, ManifestFile)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", c, err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	if m.Kind != c.Kind || m.ID != c.ID {
		return nil, fmt.Errorf("%s: %w: its manifest is of %s/%s", c, ErrBad, m.Kind, m.ID)
	}
	return m, nil
}

// Open opens a file of the copy. Reading it ends with ErrBad, naming the file
// and what is wrong, at the first piece that is not what the manifest says.
func (c Copy) Open(ctx context.Context, m *Manifest, name string) (io.ReadCloser, error) {
	f := m.file(name)
	if f == nil {
		return nil, fmt.Errorf("%s: %w: it has no %s", c, ErrBad, name)
	}
	r, err := c.Place.Open(ctx, c.Kind, c.ID, name)
	if errors.Is(err, ErrNone) {
		return nil, fmt.Errorf("%s: %w: %s is missing", c, ErrBad, name)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{newChecked(r, f), r}, nil
}

// Check says whether a vault's keyring made a manifest: nil, ErrForeign, or why
// that cannot be told.
type Check func(context.Context, *Manifest) error

// Verify reads a whole copy and returns its manifest. It returns ErrForeign for
// a manifest that the keyring did not make, and ErrBad, naming the file and what
// is wrong, for a copy that is not what was written. progress may be nil.
func Verify(ctx context.Context, c Copy, check Check, progress func(done, of int64)) (*Manifest, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	m, err := c.Manifest(ctx)
	if err != nil {
		return nil, err
	}
	if err := check(ctx, m); err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	var done int64
	of := m.Bytes()
	for _, f := range m.Files {
		r, err := c.Open(ctx, m, f.Name)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(counting{&done, func(n int64) { progress(n, of) }}, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Retention says which copies are kept.
type Retention struct {
	// Now is the time; copies of keys that ended before it are removed.
	Now time.Time
	// Data is how long copies of data are kept; zero: for ever. The newest is
	// always kept.
	Data time.Duration
}

// Prune removes the copies of one vault whose time is over, and returns them.
// What it cannot read, or was not made by this vault's keyring, it leaves alone.
func Prune(ctx context.Context, p Place, check Check, keep Retention) (removed []Copy, err error) {
	for _, kind := range []Kind{Keys, Data} {
		ids, err := p.Copies(ctx, kind)
		if err != nil {
			return removed, err
		}
		for i, id := range ids {
			c := Copy{p, kind, id}
			m, err := c.Manifest(ctx)
			if errors.Is(err, ErrBad) {
				continue
			}
			if err != nil {
				return removed, err
			}
			if !keep.over(m, i == len(ids)-1) {
				continue
			}
			if err := check(ctx, m); errors.Is(err, ErrForeign) {
				continue
			} else if err != nil {
				return removed, err
			}
			if err := p.Remove(ctx, kind, id); err != nil {
				return removed, fmt.Errorf("removing %s: %w", c, err)
			}
			removed = append(removed, c)
		}
	}
	return removed, nil
}

func (r Retention) over(m *Manifest, newest bool) bool {
	if m.Kind == Keys {
		return m.Ended(r.Now)
	}
	return !newest && r.Data > 0 && r.Now.Sub(m.At) > r.Data
}

// Ended reports whether a copy of the keys may not be restored any more.
func (m *Manifest) Ended(now time.Time) bool { return m.Kind == Keys && !now.Before(m.Until) }
