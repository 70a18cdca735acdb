package register

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Problem is one reason why a text is no register, and where.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Key is the path of the key at fault, such as purposes[2].fields[0]; ""
	// is the whole text.
	Key string `json:"key"`
	// Detail says what is wrong and what was expected.
	Detail string `json:"detail"`
}

// String returns "file:line:column: key: detail".
func (p Problem) String() string {
	where := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Key != "" {
		where += p.Key + ": "
	}
	return where + p.Detail
}

// Warning is something in a valid register that is likely a mistake.
type Warning Problem

// String returns "file:line:column: key: detail".
func (w Warning) String() string { return Problem(w).String() }

// ProblemsError is why Parse returned no register. It holds every problem, in
// the order of the text.
type ProblemsError struct{ Problems []Problem }

// Error returns one line for each problem.
func (e *ProblemsError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func byPlace(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// didYouMean returns "; did you mean x?" if one of the words is close to what
// was written, else "".
func didYouMean(written string, words []string) string {
	if at := privacy.Nearest(written, words); at != "" {
		return fmt.Sprintf("; did you mean %s?", at)
	}
	return ""
}

// quoted shows what was written, shortened.
func quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func list[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}

func toStrings[T ~string](all []T) []string {
	words := make([]string, 0, len(all))
	for _, w := range all {
		words = append(words, string(w))
	}
	return slices.Clip(words)
}
