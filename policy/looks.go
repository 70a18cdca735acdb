package policy

import (
	"maps"
	"slices"
	"strings"
)

// looks is what officers' rules look at in the input.
type looks struct {
	paths   []string // dotted and sorted; "context" stands for every key of it
	context []string // context keys, sorted
}

func newLooks(ix *index, paths map[string]bool) looks {
	l := looks{paths: slices.Sorted(maps.Keys(paths))}
	for name := range ix.context {
		if l.at("context." + name) {
			l.context = append(l.context, name)
		}
	}
	slices.Sort(l.context)
	return l
}

// at reports whether a path is looked at, or one above or below it.
func (l looks) at(path string) bool {
	return slices.ContainsFunc(l.paths, func(p string) bool {
		return p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(path, p+".")
	})
}
