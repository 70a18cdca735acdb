package command

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// garbageRoom is how much garbage a served vault lets gather. What lives long in
// it is little – the store is mapped, not held – so that the usual percentage
// would collect all the time; with a fixed larger one, what a big batch holds
// would be multiplied.
const garbageRoom = 160 << 20

// collectLater paces the collector by that room, unless whoever runs the program
// paced it by GOGC.
func collectLater() {
	if os.Getenv("GOGC") == "" {
		new(pacer).pace()
	}
}

// pacer is garbage itself: it is found at each collection, and paces the next.
type pacer struct{ _ [64]byte } // tiny objects are not found by themselves

func (p *pacer) pace() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := uint64(100)
	if live[0].Value.Kind() == metrics.KindUint64 {
		percent = garbageRoom * 100 / max(live[0].Value.Uint64(), 1<<20)
	}
	debug.SetGCPercent(int(min(max(percent, 100), 2000)))
	runtime.SetFinalizer(&pacer{}, (*pacer).pace)
}
