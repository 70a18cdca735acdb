package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cached finds the series of some labels without a lock and without allocating.
// There are few sets of labels, so making one may copy all.
type cached[K comparable, V any] struct {
	make func(K) V

	mu  sync.Mutex // held to add to all
	all atomic.Pointer[map[K]V]
}

func (c *cached[K, V]) get(k K) V {
	if all := c.all.Load(); all != nil {
		if v, ok := (*all)[k]; ok {
			return v
		}
	}
	return c.add(k)
}

func (c *cached[K, V]) add(k K) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[K]V{}
	if all := c.all.Load(); all != nil {
		if v, ok := (*all)[k]; ok {
			return v
		}
		next = maps.Clone(*all)
	}
	v := c.make(k)
	next[k] = v
	c.all.Store(&next)
	return v
}
