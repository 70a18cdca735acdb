package command

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// screen is where a demonstration is told: numbered steps, what was asked, and
// what the answer was. It remembers the first error of its writer.
type screen struct {
	w      io.Writer
	colour bool
	steps  int
	err    error
}

// noColour is the variable by which people refuse colour (https://no-color.org).
const noColour = "NO_COLOR" //nolint:misspell // the name is not ours

// newScreen returns a screen that uses colour on a terminal alone, and not
// there if its user refuses it.
func newScreen(w io.Writer) *screen {
	return &screen{w: w, colour: isTerminal(w) && os.Getenv(noColour) == "" && os.Getenv("TERM") != "dumb"}
}

// The colours, as ECMA-48 has them.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (s *screen) in(colour, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s *screen) plain(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, text)
	}
}

func (s *screen) heading(text string) { s.plain("\n" + s.in(bold, text) + "\n\n") }

// step begins the next step of the story.
func (s *screen) step(text string) {
	s.steps++
	s.plain(fmt.Sprintf("\n%2d  %s\n", s.steps, s.in(bold, text)))
}

// asked shows a request.
func (s *screen) asked(request, as, more string) {
	s.plain(fmt.Sprintf("    %s\n", s.in(dim, strings.TrimSpace(request+"  as "+as+"  "+more))))
}

// got shows an answer: its status, and a line of text for each part.
func (s *screen) got(status int, lines ...string) {
	colour := green
	if status >= 400 {
		colour = red
	}
	mark := s.in(colour, fmt.Sprint(status))
	for i, line := range lines {
		if i > 0 {
			mark = "   "
		}
		s.plain("    " + mark + "  " + line + "\n")
	}
}

// paste shows a line to be pasted into a shell.
func (s *screen) paste(line string) { s.plain("  " + line + "\n") }
