package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one fault of an officer's module, with the place to mend it.
type Problem struct {
	Module  string `json:"module"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// String returns "module:line:column: message".
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.Module, p.Line, p.Column, p.Message)
}

// ProblemsError is returned for modules that are refused. It lists every
// problem found, in the order of the text.
type ProblemsError struct{ Problems []Problem }

// Error returns the problems, one a line.
func (e *ProblemsError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems gathers faults while modules are checked.
type problems []Problem

// err returns the sorted problems without repetitions, or nil.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return &ProblemsError{Problems: slices.Compact(p)}
}
