package bolt

import (
	"sync"
	"sync/atomic"
)

// gate counts running calls, and lets none in once it is shut.
type gate struct {
	n    atomic.Int64 // running calls, plus shutGate once shut
	once sync.Once
	idle chan struct{} // closed when shut and nobody is inside
}

const shutGate = -1 << 62

func (g *gate) init() { g.idle = make(chan struct{}) }

func (g *gate) enter() bool {
	if g.n.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.n.Add(-1) == shutGate {
		g.once.Do(func() { close(g.idle) })
	}
}

// shut refuses new calls and waits for those inside. It is called once.
func (g *gate) shut() {
	if g.n.Add(shutGate) == shutGate {
		g.once.Do(func() { close(g.idle) })
	}
	<-g.idle
}
