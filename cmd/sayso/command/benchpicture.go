package command

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// panel is one of the picture's charts: what was measured at each size, as bars
// side by side.
type panel struct {
	title  string
	unit   string
	bars   []bars
	budget float64 // a line across; 0: none
}

type bars struct {
	name   string // of these bars among others of the panel
	values []float64
}

// Sizes in the picture, in its own units.
const (
	panelWidth, panelHeight = 300, 190
	panelGap                = 30
	plotTop, plotBottom     = 46, 150
	plotLeft, plotRight     = 12, 288
)

// picture draws the report as an SVG that needs nothing else: four charts, two
// beside two.
func (r *growthReport) picture() []byte {
	of := func(get func(growthSize) float64) (all []float64) {
		for _, s := range r.Sizes {
			all = append(all, get(s))
		}
		return all
	}
	panels := []panel{
		{title: fmt.Sprintf("Governed reads a second, %d connections", r.Connections), bars: []bars{{"", of(func(s growthSize) float64 { return math.Round(s.Reads.PerSecond) })}}},
		{title: "Processor time of a read", unit: " µs", bars: []bars{{"", of(func(s growthSize) float64 { return s.Reads.Processor })}}},
		{title: "Memory that is not of files", unit: " MB", budget: 300, bars: []bars{
			{"after start", of(func(s growthSize) float64 { return math.Round(float64(s.Start.RssAnon) / (1 << 20)) })},
			{"at most in a stream", of(func(s growthSize) float64 { return math.Round(float64(s.Stream.RssAnonMost) / (1 << 20)) })}}},
		{title: "Disk for what is kept, × the profile's JSON", unit: " ×", budget: 4, bars: []bars{{"", of(func(s growthSize) float64 { return s.Import.Kept })}}},
	}
	var b bytes.Buffer
	width, height := 2*panelWidth+panelGap, 2*panelHeight+panelGap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="11">`+"\n", width, height, width, height)
	//nolint:misspell // CSS
	b.WriteString(`<title>What becomes of a vault as it grows</title>
<style>svg{background:#fff;color:#1b1f24}text{fill:currentColor}.a{fill:#2563eb}.b{fill:#93b4f5}.ina{fill:#fff}.inb{fill:#1b1f24}.axis{stroke:currentColor;stroke-width:.5}.budget{stroke:#b91c1c;stroke-dasharray:4 3}.over{fill:#b91c1c}
@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3}.a{fill:#60a5fa}.b{fill:#1e4f9c}.ina{fill:#0d1117}.inb{fill:#e6edf3}.budget{stroke:#f87171}.over{fill:#f87171}}</style>
`)
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%2*(panelWidth+panelGap), i/2*(panelHeight+panelGap))
		p.draw(&b, r.Sizes)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p panel) draw(b *bytes.Buffer, sizes []growthSize) {
	most := 1.2 * p.budget
	for _, group := range p.bars {
		for _, v := range group.values {
			most = max(most, v)
		}
	}
	y := func(v float64) float64 { return plotBottom - v/max(most, 1e-9)*(plotBottom-plotTop) }
	fmt.Fprintf(b, `<text x="%d" y="16" font-weight="600" font-size="12">%s</text>`+"\n", plotLeft, p.title)
	step := float64(plotRight-plotLeft) / float64(len(sizes))
	thick := min(80, step*0.8/float64(len(p.bars)))
	unit := p.unit
	if len(p.bars) > 1 {
		unit = "" // there is no room
	}
	for g, group := range p.bars {
		class := string(rune('a' + g))
		if group.name != "" {
			x := plotLeft + g*90
			fmt.Fprintf(b, `<rect class="%s" x="%d" y="23" width="8" height="8"/><text x="%d" y="31" font-size="10">%s</text>`+"\n", class, x, x+12, group.name)
		}
		for i, v := range group.values {
			x := plotLeft + (float64(i)+0.5)*step + (float64(g)-float64(len(p.bars))/2)*thick
			label, at := "out", y(v)-4
			if plotBottom-y(v) > 30 { // there is room in the bar
				label, at = "in"+class, y(v)+14
			}
			fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/><text class="%s" x="%.1f" y="%.1f" text-anchor="middle">%s%s</text>`+"\n",
				class, x, y(v), thick-3, plotBottom-y(v), label, x+(thick-3)/2, at, short(v), unit)
		}
	}
	if p.budget > 0 {
		fmt.Fprintf(b, `<line class="budget" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="over" x="%d" y="%.1f" text-anchor="end" font-size="10">at most %s%s</text>`+"\n",
			plotLeft, plotRight, y(p.budget), y(p.budget), plotRight, y(p.budget)-4, short(p.budget), p.unit)
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", plotLeft, plotRight, plotBottom, plotBottom)
	for i, s := range sizes {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", plotLeft+(float64(i)+0.5)*step, plotBottom+16, thousands(s.Subjects))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle" font-size="10">people in the vault</text>`+"\n", (plotLeft+plotRight)/2, plotBottom+31)
}

// short is a figure of three digits or more, as is needed.
func short(v float64) string {
	switch {
	case v >= 1000:
		return thousands(int(math.Round(v)))
	case v >= 100 || v == math.Trunc(v):
		return strconv.Itoa(int(math.Round(v)))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
