package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Bounds of one rule. A compiler cannot be stopped, and OPA's takes time that
// doubles with each comprehension or every inside another, and grows by the
// square of how much one rule does: without these a text of a few lines keeps a
// processor for ever.
const (
	maxInside = 4   // comprehensions and every inside each other
	maxDeep   = 64  // lists, sets, objects and calls inside each other
	maxSteps  = 500 // conditions and calls, with those of its else and of what is inside
)

// bounds refuses the rules of a module that would take too long to compile. It
// comes before anything else looks at them.
func (c *checker) bounds(m *ast.Module) {
	for _, r := range m.Rules {
		c.bound(r)
	}
}

func (c *checker) bound(r *ast.Rule) {
	steps, inside, deep, told := 0, 0, 0, false
	tell := func(at *ast.Location, format string, limit int) {
		if !told {
			c.refuse(at, "%s: %s", r.Head.Name, fmt.Sprintf(format, limit))
			told = true
		}
	}
	// into counts what opens (by 1) and closes (by -1).
	into := func(x any, by int) {
		switch x := x.(type) {
		case *ast.Expr:
			if steps += max(by, 0); steps > maxSteps {
				tell(x.Location, "a rule may have at most %d conditions and calls; helper rules share the work", maxSteps)
			}
		case *ast.Every:
			if inside += by; inside > maxInside {
				tell(r.Location, "at most %d comprehensions and every may stand inside each other", maxInside)
			}
		case *ast.Term:
			switch x.Value.(type) {
			case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
				if inside += by; inside > maxInside {
					tell(x.Location, "at most %d comprehensions and every may stand inside each other", maxInside)
				}
			case ast.Call:
				steps += max(by, 0)
				deep += by
			case *ast.Array, ast.Set, ast.Object:
				deep += by
			}
			if deep > maxDeep {
				tell(x.Location, "lists, sets, objects and calls may stand at most %d inside each other", maxDeep)
			}
		}
	}
	ast.NewBeforeAfterVisitor(func(x any) bool { into(x, 1); return told }, func(x any) { into(x, -1) }).Walk(r)
}

// hidden returns the first character of a text that another officer would not
// see for what it is, and where it stands.
func hidden(text string) (at int, char rune) {
	for i, r := range text {
		switch r {
		case '\n', '\t', '\r':
		default:
			if privacy.Steers(r) {
				return i, r
			}
		}
	}
	return -1, 0
}
