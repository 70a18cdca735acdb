package command

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much a served vault lets its memory grow between
// collections. What lives long in it is little – the store is mapped, not held
// – so that the usual 100 would collect all the time.
const gcPercent = 400

// collectLater sets the collector for serving, unless whoever runs the program
// set it by GOGC.
func collectLater() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
