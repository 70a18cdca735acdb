package vault

import (
	"errors"
	"fmt"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// restores are the records of restores that a log begins with, as a walk through
// it meets them, and what follows from each: which of the entries behind it stood
// in the log before, and which of these are of acts that were undone.
type restores struct {
	all   []restored
	ended bool
}

type restored struct {
	anew
	at    uint64 // its own index
	roots log.Roots
}

// follow takes the next entry.
func (r *restores) follow(index uint64, e log.Entry, o *log.Opening) error {
	for i := range r.all {
		one := &r.all[i]
		if index-one.at > one.Carried {
			continue
		}
		one.roots.Add(&e)
		if one.roots.Size() == one.Whole && one.roots.Root() != one.WholeRoot {
			return errors.New("the entries up to it are not those of the log before it, which the first record commits to")
		}
	}
	if r.ended || o == nil || e.Kind != log.Start || e.Subject != privacy.Nobody {
		r.ended = true
		return nil
	}
	a, ok := parseAnew(o.Record)
	if r.ended = !ok; ok {
		if a.Undone > a.Carried {
			return fmt.Errorf("a record of a restore that cannot be: %w", errIntegrity)
		}
		r.all = append(r.all, restored{anew: *a, at: index})
	}
	return nil
}

// undid reports whether the entry is of an act that a restore undid, if it is of
// one at all.
func (r *restores) undid(index uint64) bool {
	for i := range r.all {
		if one := &r.all[i]; one.Undone > 0 && index >= one.at+one.Undone && index <= one.at+one.Carried {
			return true
		}
	}
	return false
}
