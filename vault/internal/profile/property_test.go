package profile

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// typed draws something a person may have typed for a type: mostly right, and
// sometimes anything.
func typed(t *rapid.T, of privacy.Type) []byte {
	anything := rapid.String()
	words := rapid.StringOfN(rapid.RuneFrom(nil, unicode.L, unicode.M, unicode.Zs, unicode.Nd), 1, 40, -1)
	var s string
	switch of {
	case privacy.TypeEmail:
		s = words.Draw(t, "local") + "@" + rapid.StringOf(rapid.RuneFrom([]rune("abcxyzßéأあ-.ⅷ１"))).Draw(t, "domain") + ".example"
	case privacy.TypePhone:
		s = rapid.StringMatching(`(\+|00|0)?[1-9]?[0-9 ()/-]{2,18}`).Draw(t, "number")
	case privacy.TypeDate:
		s = rapid.StringMatching(`(18|19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]`).Draw(t, "date")
	case privacy.TypeCountry:
		s = rapid.StringMatching(`[A-Za-z]{2}`).Draw(t, "country")
	case privacy.TypeLanguage:
		s = rapid.StringMatching(`[a-zA-Z]{2,3}([-_][A-Za-z]{4})?([-_][A-Za-z]{2})?(-u-co-phonebk)?`).Draw(t, "tag")
	case privacy.TypeURL:
		s = "https://example.org/" + anything.Draw(t, "path")
	case privacy.TypeNumber:
		return []byte(rapid.StringMatching(`-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number"))
	case privacy.TypeBoolean:
		return []byte(rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool"))
	case privacy.TypeAddress:
		return typedObject(t, rapid.SampledFrom(addressMembers), rapid.OneOf(words, rapid.SampledFrom([]string{"Germany", "us", "Lindenweg 3\r\n"})))
	case privacy.TypeObject:
		return typedObject(t, rapid.String(), anything)
	default:
		s = rapid.OneOf(words, anything).Draw(t, "text")
	}
	return quote(s)
}

func typedObject(t *rapid.T, names, values *rapid.Generator[string]) []byte {
	out := []byte("{")
	for name, value := range rapid.MapOfN(names, values, 1, 4).Draw(t, "members") {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote(name)...), ':'), quote(value)...)
	}
	return append(out, '}')
}

func TestNormalisingWhatWasNormalisedChangesNothing(t *testing.T) {
	for _, of := range privacy.Types {
		t.Run(string(of), func(t *testing.T) {
			accepted := 0
			rapid.Check(t, func(t *rapid.T) {
				raw := typed(t, of)
				once, err := Normalise(field(of), raw, "DE", today)
				if err != nil {
					return
				}
				accepted++
				json := once.JSON.Reveal()
				twice, err := Normalise(field(of), json, "DE", today)
				if err != nil {
					t.Fatalf("%s became %s, which is refused: %v", raw, json, err)
				}
				if !Equal(once, twice) || once.Lookup != twice.Lookup {
					t.Fatalf("%s became %s (%q), then %s (%q)", raw, json, once.Lookup, twice.JSON.Reveal(), twice.Lookup)
				}
				if canonical := jsontext.Value(string(json)); canonical.Canonicalize() != nil || string(canonical) != string(json) {
					t.Fatalf("%s is kept as %s, canonical is %s", raw, json, canonical)
				}
			})
			if accepted == 0 {
				t.Error("nothing of what was drawn was accepted: the property was not tried")
			}
		})
	}
}

// The look-up form of an address is an address that is found under itself, so
// that an index can be rebuilt from it.
func TestALookUpFormIsFoundUnderItself(t *testing.T) {
	for _, of := range []privacy.Type{privacy.TypeString, privacy.TypeEmail, privacy.TypePhone} {
		rapid.Check(t, func(t *rapid.T) {
			form, err := LookupForm(field(of), typed(t, of), "DE")
			if err != nil {
				return
			}
			if again, err := LookupForm(field(of), quote(form), ""); err != nil || again != form {
				t.Fatalf("%s %q is looked up as %q: %v", of, form, again, err)
			}
		})
	}
}

// However a number is written by one who knows how, it is one number.
func TestANumberOfAnyCountryHasOneForm(t *testing.T) {
	f := field(privacy.TypePhone)
	for _, country := range countries() {
		number := phonenumbers.GetExampleNumber(country)
		if number == nil {
			continue // a country without telephones of its own
		}
		want := phonenumbers.Format(number, phonenumbers.E164)
		for _, as := range []phonenumbers.PhoneNumberFormat{phonenumbers.E164, phonenumbers.INTERNATIONAL, phonenumbers.NATIONAL, phonenumbers.RFC3966} {
			spelling := phonenumbers.Format(number, as)
			if got, err := LookupForm(f, quote(spelling), country); err != nil || got != want {
				t.Errorf("%s: %q: got %q, %v, want %s", country, spelling, got, err, want)
			}
		}
	}
}

func TestAMaskNeverShowsTheWholeValue(t *testing.T) {
	for _, mask := range privacy.Masks() {
		for _, of := range privacy.Types {
			if !mask.Fits(of) || mask == privacy.MaskCity {
				continue
			}
			t.Run(string(mask)+" "+string(of), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					v, err := Normalise(field(of), typed(t, of), "DE", today)
					if err != nil || strings.ContainsRune(string(v.JSON.Reveal()), '*') {
						return
					}
					masked, maskErr := Mask(mask, of, v.JSON, today)
					if maskErr != nil {
						t.Fatalf("%s: %v", v.JSON.Reveal(), maskErr)
					}
					if strings.Contains(string(masked.Reveal()), strings.Trim(string(v.JSON.Reveal()), `"`)) {
						t.Fatalf("%s is shown as %s", v.JSON.Reveal(), masked.Reveal())
					}
					if !jsontext.Value(masked.Reveal()).IsValid() {
						t.Fatalf("%s is masked as %s, which is not JSON", v.JSON.Reveal(), masked.Reveal())
					}
				})
			})
		}
	}
}

// Where the table of masks calls one stricter, it shows nothing the other
// hides: no more letters, and never one the other leaves out.
func TestInitialShowsNoMoreThanPartial(t *testing.T) {
	for _, of := range []privacy.Type{privacy.TypeString, privacy.TypeEmail} {
		rapid.Check(t, func(t *rapid.T) {
			v, refused := Normalise(field(of), typed(t, of), "DE", today)
			if refused != nil {
				return
			}
			show := func(m privacy.Mask) string {
				masked, err := Mask(m, of, v.JSON, today)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := jsontext.AppendUnquote(nil, masked.Reveal())
				return string(b)
			}
			initial, partial := show(privacy.MaskInitial), show(privacy.MaskPartial)
			if shown := strings.TrimSuffix(initial, "."); initial != "*" && !strings.HasPrefix(partial, shown) {
				t.Fatalf("%s: initial shows %q, partial %q", v.JSON.Reveal(), initial, partial)
			}
			if utf8.RuneCountInString(initial) > utf8.RuneCountInString(string(v.JSON.Reveal())) {
				t.Fatalf("%s: initial is %q", v.JSON.Reveal(), initial)
			}
		})
	}
}
