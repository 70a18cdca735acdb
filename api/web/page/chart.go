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
	barHeight = 22
	barGap    = 6
	barRoom   = 400 // of the longest bar, in the picture's own units
)

// DrawnBar is a bar with its place in the picture.
type DrawnBar struct {
	Bar
	Y, Text int
	Width   string
}

// Height is the picture's.
func (b Bars) Height() int { return len(b.Bars) * (barHeight + barGap) }

// Drawn are the bars with their places.
func (b Bars) Drawn() []DrawnBar {
	most := 1
	for _, bar := range b.Bars {
		most = max(most, bar.Count)
	}
	var drawn []DrawnBar
	for i, bar := range b.Bars {
		y := i * (barHeight + barGap)
		drawn = append(drawn, DrawnBar{Bar: bar, Y: y, Text: y + barHeight*2/3, Width: fmt.Sprintf("%.1f", float64(bar.Count)*barRoom/float64(most))})
	}
	return drawn
}
