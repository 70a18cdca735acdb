package policy

import (
	"math"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds of what a built-in may be given. They are far above what a rule over
// names and times needs, and small enough that no call of a built-in can take
// noticeable time or memory from it, however often results are fed back.
const (
	maxString = 16 << 10 // bytes of all texts of one call
	maxNodes  = 10_000   // elements of all collections of one call
	maxDigits = 40       // characters of a number
	maxNumber = 1e19     // above any nanosecond since 1970
)

// bounded reports whether all operands of a call are within bounds.
func bounded(terms []*ast.Term) bool {
	b := budget{nodes: maxNodes, bytes: maxString}
	for _, t := range terms {
		if !b.take(t) {
			return false
		}
	}
	return true
}

// budget is what is left of a call's bounds. Taking stops when it is spent, so
// that a small structure that refers to itself a million times costs no more.
type budget struct{ nodes, bytes int }

func (b *budget) take(t *ast.Term) bool {
	if b.nodes--; b.nodes < 0 {
		return false
	}
	switch v := t.Value.(type) {
	case ast.String:
		b.bytes -= len(v)
		return b.bytes >= 0
	case ast.Number:
		return boundedNumber(string(v))
	case *ast.Array:
		return !v.Until(func(t *ast.Term) bool { return !b.take(t) })
	case ast.Set:
		return !v.Until(func(t *ast.Term) bool { return !b.take(t) })
	case ast.Object:
		return !v.Until(func(k, t *ast.Term) bool { return !b.take(k) || !b.take(t) })
	}
	return true
}

// boundedNumber refuses numbers whose digits would have to be written out.
func boundedNumber(s string) bool {
	if len(s) > maxDigits {
		return false
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && math.Abs(f) <= maxNumber
}

// operandChecks hold what single built-ins ask beyond the bounds: above all
// that no comparison of different kinds gives a quiet "no", and that no result
// is undefined.
var operandChecks = map[string]func([]*ast.Term) bool{
	"equal":             func(t []*ast.Term) bool { return kind(t[0]) == kind(t[1]) },
	"neq":               func(t []*ast.Term) bool { return kind(t[0]) == kind(t[1]) },
	"lt":                ordered,
	"lte":               ordered,
	"gt":                ordered,
	"gte":               ordered,
	"max":               func(t []*ast.Term) bool { return uniform(t[0]) && elements(t[0]) > 0 },
	"min":               func(t []*ast.Term) bool { return uniform(t[0]) && elements(t[0]) > 0 },
	"sort":              func(t []*ast.Term) bool { return uniform(t[0]) },
	"internal.member_2": func(t []*ast.Term) bool { return comparable(t[0], t[1]) },
	"internal.member_3": func(t []*ast.Term) bool { return comparable(t[1], t[2]) },
	"sprintf":           func(t []*ast.Term) bool { return plainFormat(t[0]) },
	"concat":            func(t []*ast.Term) bool { return joined(t[0], t[1]) },
	"time.add_date":     func(t []*ast.Term) bool { return utc(t[0]) },
	"time.clock":        func(t []*ast.Term) bool { return utc(t[0]) },
	"time.date":         func(t []*ast.Term) bool { return utc(t[0]) },
	"time.weekday":      func(t []*ast.Term) bool { return utc(t[0]) },
	"time.diff":         func(t []*ast.Term) bool { return utc(t[0]) && utc(t[1]) },
}

// kind names the kind of a value.
func kind(t *ast.Term) string { return ast.ValueName(t.Value) }

// ordered reports whether "less" means something between both: OPA orders any
// two values, numbers below texts.
func ordered(t []*ast.Term) bool {
	k := kind(t[0])
	return k == kind(t[1]) && (k == "number" || k == "string")
}

// elements counts the elements of a collection, or is -1.
func elements(t *ast.Term) int {
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Len()
	case ast.Set:
		return v.Len()
	case ast.Object:
		return v.Len()
	}
	return -1
}

// until calls f for each value of a collection until it is true.
func until(t *ast.Term, f func(*ast.Term) bool) bool {
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Until(f)
	case ast.Set:
		return v.Until(f)
	case ast.Object:
		return v.Until(func(_, t *ast.Term) bool { return f(t) })
	}
	return false
}

// uniform reports whether a collection holds only texts or only numbers.
func uniform(t *ast.Term) bool {
	var first *ast.Term
	return elements(t) >= 0 && !until(t, func(e *ast.Term) bool {
		if first == nil {
			first = e
		}
		return !ordered([]*ast.Term{first, e})
	})
}

// comparable reports whether a value could be in a collection: looking for a
// number among texts would never find it and never say so.
func comparable(v, in *ast.Term) bool {
	n := elements(in)
	return n == 0 || n > 0 && until(in, func(e *ast.Term) bool { return kind(e) == kind(v) })
}

// plainFormat accepts %s, %d, %v and %% without widths: a width alone can ask
// for a gigabyte.
func plainFormat(t *ast.Term) bool {
	s, ok := t.Value.(ast.String)
	for rest := string(s); ok; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return true
		}
		ok = after != "" && strings.IndexByte("sdv%", after[0]) >= 0
		rest = after[min(1, len(after)):]
	}
	return false
}

// joined reports whether a joined text stays within bounds.
func joined(delimiter, parts *ast.Term) bool {
	d, ok := delimiter.Value.(ast.String)
	return ok && elements(parts)*len(d) <= maxString
}

// utc accepts times without a zone: zones come from the machine's own tables,
// which differ between machines and years.
func utc(t *ast.Term) bool {
	a, ok := t.Value.(*ast.Array)
	if !ok {
		return true
	}
	zone, ok := ast.String(""), a.Len() == 2
	if ok {
		zone, ok = a.Elem(1).Value.(ast.String)
	}
	return ok && (zone == "" || zone == "UTC")
}
