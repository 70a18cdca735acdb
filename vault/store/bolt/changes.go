package bolt

import "github.com/sayso-vault/sayso/vault/store"

// changes remembers which keys the latest commits changed, so that an append
// can tell whether its conditions still hold. Guarded by the log's mutex.
type changes struct {
	commits []change // in order
	keys    int
	last    uint64 // transaction of the newest state
	horizon uint64 // what changed up to here is forgotten
}

type change struct {
	tx   uint64
	keys map[ref]struct{}
}

// Both bound memory and the work of an append with an old condition; what falls
// behind the horizon only costs its reader another look.
const (
	rememberCommits = 1024
	rememberKeys    = 1 << 16
)

// add remembers a commit; nil keys stand for any.
func (c *changes) add(tx uint64, keys map[ref]struct{}) {
	c.last = tx
	if keys == nil {
		c.commits, c.keys, c.horizon = nil, 0, tx
		return
	}
	c.commits = append(c.commits, change{tx, keys})
	c.keys += len(keys)
	drop := 0
	for drop < len(c.commits) && (len(c.commits)-drop > rememberCommits || c.keys > rememberKeys) {
		c.keys -= len(c.commits[drop].keys)
		c.horizon = c.commits[drop].tx
		c.commits[drop].keys = nil
		drop++
	}
	c.commits = c.commits[drop:]
}

// hold reports whether every condition is one on the newest state.
func (c *changes) hold(on []store.Condition) bool {
	for _, cond := range on {
		if cond.Version < c.horizon || cond.Version > c.last {
			return false
		}
		for i := len(c.commits) - 1; i >= 0 && c.commits[i].tx > cond.Version; i-- {
			if _, changed := c.commits[i].keys[ref{cond.Bucket, cond.Key}]; changed {
				return false
			}
		}
	}
	return true
}
