package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// bar shows on a terminal how far something is, how fast it goes and how long it
// will take. Elsewhere it shows nothing.
type bar struct {
	w     io.Writer // nil: nobody looks
	width int
	now   func() time.Time // nil: time.Now

	stage string
	from  uint64 // what was done when the stage was first shown
	since time.Time
}

func newBar(cmd *cobra.Command) *bar {
	if w := cmd.ErrOrStderr(); isTerminal(w) {
		return &bar{w: w}
	}
	return &bar{}
}

func (b *bar) show(stage string, done, of uint64) {
	const cells = 30
	if b.w == nil || of == 0 {
		return
	}
	now := time.Now
	if b.now != nil {
		now = b.now
	}
	if stage != b.stage || done < b.from {
		b.stage, b.from, b.since = stage, done, now()
	}
	full := int(min(done, of) * cells / of)
	line := fmt.Sprintf("%-9s [%-*s] %d of %d%s", stage, cells, strings.Repeat("=", full), done, of, b.pace(done, of, now().Sub(b.since)))
	fmt.Fprintf(b.w, "\r%-*s", b.width, line)
	b.width = max(b.width, len(line))
}

// pace says how fast it goes and how long it takes, once there is something to
// tell it by. What was done before is no part of it.
func (b *bar) pace(done, of uint64, took time.Duration) string {
	if took < time.Second || done <= b.from {
		return ""
	}
	perSecond := float64(done-b.from) / took.Seconds()
	left := time.Duration(float64(of-min(done, of)) / perSecond * float64(time.Second)).Round(time.Second)
	unit := ""
	if perSecond >= 1e6 { // of bytes
		perSecond, unit = perSecond/1e6, " million"
	}
	return fmt.Sprintf(", %.0f%s a second, %s left", perSecond, unit, cmp.Or(left, time.Second))
}

// end clears the line.
func (b *bar) end() {
	if b.w != nil && b.width > 0 {
		fmt.Fprintf(b.w, "\r%*s\r", b.width, "")
	}
}
