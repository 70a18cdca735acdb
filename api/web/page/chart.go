package page

import "fmt"

// Bars is a small picture of counts in a table that says the same. Bars are told
// apart by their place and label, never by colour alone. Show it with
// {{template "bars" .}}.
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
	// Href is where more is told of what was counted. Default: nowhere.
	Href string
}

// DrawnBar is a bar with its width, as a share of the longest.
type DrawnBar struct {
	Bar
	Width string
}

// Drawn are the bars with their widths.
func (b Bars) Drawn() []DrawnBar {
	most := 1
	for _, bar := range b.Bars {
		most = max(most, bar.Count)
	}
	var drawn []DrawnBar
	for _, bar := range b.Bars {
		drawn = append(drawn, DrawnBar{Bar: bar, Width: fmt.Sprintf("%.1f%%", float64(bar.Count)*100/float64(most))})
	}
	return drawn
}
