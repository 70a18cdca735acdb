package consent

// Names numbers the texts that most standings repeat: what the register calls its
// fields, purposes, channels and recipients. A standing says of which revision of
// the register the names are, and that revision keeps them as they were when it
// was applied: their order is never made again.
//
// Names are immutable.
type Names struct {
	revision uint64
	texts    []string // words, then names
	numbers  map[string]uint64
}

// words are the texts that every standing knows, by number from 1. The list
// belongs to the format: it never changes within one.
var words = [...]string{
	"", "given", "refused", "withdrawn", "objected", "opted_out",
	"under_13", "13_15", "16_17", "18_24", "25_34", "35_44", "45_54", "55_64", "65_plus",
}

// NoNames are those of no revision.
var NoNames = NewNames(0, nil)

// NewNames returns the names of a revision of the register, in their order there.
func NewNames(revision uint64, names []string) *Names {
	n := &Names{revision: revision, texts: make([]string, 0, len(words)+len(names)), numbers: make(map[string]uint64, len(words)+len(names))}
	for _, list := range [][]string{words[:], names} {
		for _, s := range list {
			if _, twice := n.numbers[s]; !twice {
				n.texts = append(n.texts, s)
				n.numbers[s] = uint64(len(n.texts))
			}
		}
	}
	return n
}

// NamesOf returns the revision whose names a standing was written with, or
// ErrFormat.
func NamesOf(b []byte) (revision uint64, err error) {
	r := reader{b: b}
	if r.byte() != format {
		return 0, ErrFormat
	}
	if revision = r.uint(); r.bad {
		return 0, ErrFormat
	}
	return revision, nil
}
