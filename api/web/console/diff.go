package console

import (
	"maps"
	"slices"
	"strings"
)

// moduleDiff is one module as it is and as it would be, line beside line.
type moduleDiff struct {
	Name  string
	Lines []diffLine
	Same  bool
}

// diffLine is a line of both sides, or of one.
type diffLine struct {
	Mark     string // "=", "-", "+" or "~" for one in the place of another
	Old, New string
	OldLine  int // 0: not on this side
	NewLine  int
}

// mostCells bounds the work of a comparison; longer texts are shown as replaced.
const mostCells = 4 << 20

// diffModules compares the modules of two rule sets.
func diffModules(old, new map[string]string) []moduleDiff {
	names := maps.Clone(old)
	maps.Copy(names, new)
	var all []moduleDiff
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := moduleDiff{Name: name, Lines: diffTexts(old[name], new[name])}
		d.Same = !slices.ContainsFunc(d.Lines, func(l diffLine) bool { return l.Mark != "=" })
		all = append(all, d)
	}
	return all
}

func diffTexts(old, new string) []diffLine {
	a, b := linesOf(old), linesOf(new)
	var all []diffLine
	i, j := 0, 0
	same := func() {
		all = append(all, diffLine{Mark: "=", Old: a[i], New: b[j], OldLine: i + 1, NewLine: j + 1})
		i, j = i+1, j+1
	}
	var gone, come []diffLine
	flush := func() {
		for n := range max(len(gone), len(come)) {
			switch {
			case n < len(gone) && n < len(come):
				all = append(all, diffLine{Mark: "~", Old: gone[n].Old, OldLine: gone[n].OldLine, New: come[n].New, NewLine: come[n].NewLine})
			case n < len(gone):
				all = append(all, gone[n])
			default:
				all = append(all, come[n])
			}
		}
		gone, come = nil, nil
	}
	longest := common(a, b)
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			flush()
			same()
		case j == len(b) || i < len(a) && longest != nil && longest[i+1][j] >= longest[i][j+1], i < len(a) && longest == nil:
			gone = append(gone, diffLine{Mark: "-", Old: a[i], OldLine: i + 1})
			i++
		default:
			come = append(come, diffLine{Mark: "+", New: b[j], NewLine: j + 1})
			j++
		}
	}
	flush()
	return all
}

// common is the length of the longest common part of what follows two lines; nil
// for texts that are too long to ask.
func common(a, b []string) [][]int32 {
	if (len(a)+1)*(len(b)+1) > mostCells {
		return nil
	}
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
