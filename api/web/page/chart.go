package page

import "fmt"

// Bars is a small picture of counts, and the table of the same for who cannot
// see it. Bars are told apart by their place and label, never by colour alone.
// Show it with {{template "bars" .}}.
type Bars struct {
	// Title says what is counted; Label and Count head the table's columns.
	Title, Label, Count string
	Bars                []Bar
}

// Bar is one count.
type Bar struct {
	Label string
	Count int
	// Note stands beside the count, such as a share. Default: none.
	Note string
}

const (
	barLabel  = 18 // the line above a bar that says what it counts
	barHeight = 14
	barGap    = 12
	barRoom   = 480 // of the longest bar, in the picture's own units
)

// DrawnBar is a bar with its place in the picture: the label above it, the count
// behind it.
type DrawnBar struct {
	Bar
	Text, Y, CountX, CountY int
	Width                   string
}

// Height is the picture's.
func (b Bars) Height() int { return len(b.Bars) * (barLabel + barHeight + barGap) }

// Drawn are the bars with their places.
func (b Bars) Drawn() []DrawnBar {
	most := 1
	for _, bar := range b.Bars {
		most = max(most, bar.Count)
	}
	var drawn []DrawnBar
	for i, bar := range b.Bars {
		y := i * (barLabel + barHeight + barGap)
		width := float64(bar.Count) * barRoom / float64(most)
		drawn = append(drawn, DrawnBar{Bar: bar, Text: y + barLabel - 5, Y: y + barLabel, CountX: int(width) + 8, CountY: y + barLabel + barHeight - 2, Width: fmt.Sprintf("%.1f", width)})
	}
	return drawn
}
