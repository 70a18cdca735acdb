package privacy

import "slices"

// Type is the type of a field's values.
type Type string

// The types of field values. Address is an OIDC address claim: an object with
// street_address, locality, region, postal_code, country, formatted.
const (
	TypeString   Type = "string"
	TypeEmail    Type = "email"
	TypePhone    Type = "phone"
	TypeDate     Type = "date"
	TypeNumber   Type = "number"
	TypeBoolean  Type = "boolean"
	TypeAddress  Type = "address"
	TypeObject   Type = "object"
	TypeCountry  Type = "country"
	TypeLanguage Type = "language"
	TypeURL      Type = "url"
)

// Types lists every type.
var Types = []Type{TypeString, TypeEmail, TypePhone, TypeDate, TypeNumber, TypeBoolean, TypeAddress, TypeObject, TypeCountry, TypeLanguage, TypeURL}

// The masks.
const (
	MaskPartial Mask = "partial"  // first and last character: A*****a, a***z@example.org
	MaskLast4   Mask = "last4"    // the last four characters: *******1820
	MaskInitial Mask = "initial"  // the first letter: A.
	MaskCity    Mask = "city"     // an address's locality and country
	MaskYear    Mask = "year"     // a date's year
	MaskAgeBand Mask = "age_band" // in which age band the date of birth puts a person
	MaskOver16  Mask = "over_16"  // whether the date of birth is at least 16 years ago
	MaskOver18  Mask = "over_18"  // whether the date of birth is at least 18 years ago
)

// maskTable is the one table of masks: which types each fits, and which masks
// it shows less than. What it does not list as less is incomparable.
var maskTable = []struct {
	mask     Mask
	fits     []Type
	lessThan []Mask
}{
	{MaskPartial, []Type{TypeString, TypeEmail, TypePhone, TypeURL}, nil},
	{MaskLast4, []Type{TypeString, TypePhone}, nil},
	{MaskInitial, []Type{TypeString, TypeEmail}, []Mask{MaskPartial}},
	{MaskCity, []Type{TypeAddress}, nil},
	{MaskYear, []Type{TypeDate}, nil},
	{MaskAgeBand, []Type{TypeDate}, []Mask{MaskYear}},
	{MaskOver16, []Type{TypeDate}, []Mask{MaskAgeBand, MaskYear}},
	{MaskOver18, []Type{TypeDate}, []Mask{MaskAgeBand, MaskYear}},
}

// Masks lists every mask.
func Masks() []Mask {
	var all []Mask
	for _, row := range maskTable {
		all = append(all, row.mask)
	}
	return all
}

// Fits reports whether the mask can be applied to values of type t.
func (m Mask) Fits(t Type) bool {
	for _, row := range maskTable {
		if row.mask == m {
			return slices.Contains(row.fits, t)
		}
	}
	return false
}

// Stricter returns the one of two masks that shows less. It is false if
// neither does: then the field is withheld.
func Stricter(a, b Mask) (Mask, bool) {
	if a == b {
		return a, true
	}
	for _, row := range maskTable {
		if row.mask == a && slices.Contains(row.lessThan, b) {
			return a, true
		}
		if row.mask == b && slices.Contains(row.lessThan, a) {
			return b, true
		}
	}
	return "", false
}

// NoMore reports whether mask a shows no more than mask b, whatever third mask
// is put on top of either: of two masks the stricter counts, and where neither
// is, the field is withheld. "" is no mask.
func NoMore(a, b Mask) bool {
	for _, third := range append(Masks(), "") {
		x, shown := both(a, third)
		y, shownToo := both(b, third)
		switch m, ok := Stricter(x, y); {
		case !shown, shownToo && (y == "" || ok && m == x):
		default:
			return false
		}
	}
	return true
}

// both returns what two masks show together, false if nothing.
func both(a, b Mask) (Mask, bool) {
	switch {
	case a == "":
		return b, true
	case b == "":
		return a, true
	}
	return Stricter(a, b)
}
