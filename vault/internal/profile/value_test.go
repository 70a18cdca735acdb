package profile

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// today is the day on which the stories of these tests happen.
var today = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// field is a field of type t that can be looked up where the type allows it.
func field(t privacy.Type) *register.Field {
	f := &register.Field{Name: privacy.FieldName("a_" + string(t)), Type: t}
	switch t {
	case privacy.TypeString, privacy.TypeEmail, privacy.TypePhone:
		f.Identifier = register.Unique
	}
	return f
}

func birthdate() *register.Field {
	return &register.Field{Name: "birthdate", Type: privacy.TypeDate, Category: "pd:BirthDate"}
}

func TestWhatAPersonToldIsKeptInOneSpelling(t *testing.T) {
	for _, c := range []struct {
		of         privacy.Type
		told, kept string
	}{
		{privacy.TypeString, `"  Zoë\t"`, `"Zoë"`},
		{privacy.TypeString, `"Zoe\u0308"`, `"Zoë"`},
		{privacy.TypeString, `"\ufeffO'Reilly\u200b"`, `"O'Reilly"`},
		{privacy.TypeString, `"van  der <Berg> & \"Söhne\" \\"`, `"van  der <Berg> & \"Söhne\" \\"`},
		{privacy.TypeEmail, `" Ada.Lovelace+shop@Example.org "`, `"Ada.Lovelace+shop@Example.org"`},
		{privacy.TypeEmail, `"stanisław@bücher.example"`, `"stanisław@bücher.example"`},
		{privacy.TypeEmail, `"o'reilly@my--shop.example.org"`, `"o'reilly@my--shop.example.org"`},
		{privacy.TypePhone, `"030 / 90 18 20"`, `"+4930901820"`},
		{privacy.TypePhone, `"+49 (0)30 901820"`, `"+4930901820"`},
		{privacy.TypePhone, `"0044 20 7946 0018"`, `"+442079460018"`},
		{privacy.TypePhone, `"tel:+1-202-555-0143"`, `"+12025550143"`},
		{privacy.TypePhone, `"+39 06 39733434"`, `"+390639733434"`},
		{privacy.TypePhone, `"＋４９ ３０ ９０１８２０"`, `"+4930901820"`},
		{privacy.TypePhone, `"+41 (0)44 668 18 00"`, `"+41446681800"`},
		{privacy.TypePhone, `"+1 555 010 0123"`, `"+15550100123"`}, // possible, in no table
		{privacy.TypeDate, `"2028-02-29"`, `"2028-02-29"`},
		{privacy.TypeNumber, `1.50e1`, `15`},
		{privacy.TypeNumber, `-0.0`, `0`},
		{privacy.TypeNumber, `0e999999999`, `0`},
		{privacy.TypeNumber, `0.1`, `0.1`},
		{privacy.TypeBoolean, ` true `, `true`},
		{privacy.TypeCountry, `"de"`, `"DE"`},
		{privacy.TypeLanguage, `"DE_at"`, `"de-AT"`},
		{privacy.TypeLanguage, `"zh-hant-tw"`, `"zh-Hant-TW"`},
		{privacy.TypeURL, `"https://Example.org/~ada?x=1#y"`, `"https://Example.org/~ada?x=1#y"`},
		{privacy.TypeObject, `{"b":[1.0,null,{"x":"Zoe\u0308"}],"a":"two\r\nlines"}`, `{"a":"two\nlines","b":[1,null,{"x":"Zoë"}]}`},
		{privacy.TypeAddress, `{"street_address":"Lindenweg 3\r\nHof","locality":" Köln ","region":"","country":"germany"}`,
			`{"country":"DE","locality":"Köln","street_address":"Lindenweg 3\nHof"}`},
		{privacy.TypeAddress, `{"country":"Czech Republic"}`, `{"country":"CZ"}`},
		{privacy.TypeAddress, `{"country":"USA"}`, `{"country":"US"}`},
		{privacy.TypeAddress, `{"country":"Côte d’Ivoire"}`, `{"country":"CI"}`},
	} {
		got, err := Normalise(field(c.of), []byte(c.told), "DE", today)
		if err != nil {
			t.Errorf("%s %s: refused: %v", c.of, c.told, err)
		} else if string(got.JSON.Reveal()) != c.kept {
			t.Errorf("%s %s: got %s, want %s", c.of, c.told, got.JSON.Reveal(), c.kept)
		}
	}
}

func TestWhatCannotBeReadIsRefusedWithItsCode(t *testing.T) {
	long := func(n int) string { return `"` + strings.Repeat("a", n) }
	for _, c := range []struct {
		of         privacy.Type
		told, code string
	}{
		{privacy.TypeString, ``, Empty},
		{privacy.TypeString, `null`, Empty},
		{privacy.TypeString, `" \u00a0\u200b "`, Empty},
		{privacy.TypeString, `7`, InvalidType},
		{privacy.TypeString, `"a" "b"`, InvalidType},
		{privacy.TypeString, "\"\xff\"", InvalidType},
		{privacy.TypeString, `"\ud800"`, InvalidType},
		{privacy.TypeString, `"a\u0000b"`, InvalidType},
		{privacy.TypeString, `"two\nlines"`, InvalidType},
		{privacy.TypeString, `"Ada \u202egro.elpmaxe"`, InvalidType},
		{privacy.TypeString, long(4097) + `"`, TooLong},
		{privacy.TypeString, long(70000) + `"`, TooLong},
		{privacy.TypeEmail, `"ada"`, InvalidEmail},
		{privacy.TypeEmail, `"@example.org"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@localhost"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@[192.0.2.1]"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@192.0.2.1"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@example.org."`, InvalidEmail},
		{privacy.TypeEmail, `"ada@ex_ample.org"`, InvalidEmail},
		{privacy.TypeEmail, `"ada..l@example.org"`, InvalidEmail},
		{privacy.TypeEmail, `"Ada <ada@example.org>"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@example.org, bob@example.org"`, InvalidEmail},
		{privacy.TypeEmail, `"ada@example.org\r\nBcc: bob@example.org"`, InvalidEmail},
		{privacy.TypeEmail, `"a\u00adda@example.org"`, InvalidEmail},
		{privacy.TypeEmail, `"ada＠evil.example@example.org"`, InvalidEmail},
		{privacy.TypeEmail, long(65) + `@example.org"`, InvalidEmail},
		{privacy.TypeEmail, long(250) + `@example.org"`, TooLong},
		{privacy.TypePhone, `"12"`, InvalidPhone},
		{privacy.TypePhone, `"+999 30 901820"`, InvalidPhone},
		{privacy.TypePhone, `"call +49 30 901820"`, InvalidPhone},
		{privacy.TypePhone, `"+49 30 901820 ext. 7"`, InvalidPhone},
		{privacy.TypePhone, `"+49 30 901820, +49 30 901821"`, InvalidPhone},
		{privacy.TypePhone, `"+56 (0)2 635 4444"`, InvalidPhone}, // short of a digit: the zero is none of its own
		{privacy.TypePhone, `"+453 3331 9991"`, InvalidPhone},
		{privacy.TypePhone, `4930901820`, InvalidType},
		{privacy.TypePhone, `"+49 ` + strings.Repeat(" ", 80) + `30 901820"`, TooLong},
		{privacy.TypeDate, `"2027-02-29"`, InvalidDate},
		{privacy.TypeDate, `"14.03.2026"`, InvalidDate},
		{privacy.TypeDate, `"2026-3-14"`, InvalidDate},
		{privacy.TypeDate, `"2026-03-14T00:00:00Z"`, InvalidDate},
		{privacy.TypeDate, `"1849-12-31"`, InvalidDate},
		{privacy.TypeNumber, `"7"`, InvalidType},
		{privacy.TypeNumber, `12345678901234567890`, InvalidType},
		{privacy.TypeNumber, `1e400`, InvalidType},
		{privacy.TypeNumber, `1e-400`, InvalidType},
		{privacy.TypeBoolean, `"true"`, InvalidType},
		{privacy.TypeBoolean, `1`, InvalidType},
		{privacy.TypeCountry, `"UK"`, InvalidCountry},
		{privacy.TypeCountry, `"Germany"`, InvalidCountry},
		{privacy.TypeCountry, `"EU"`, InvalidCountry},
		{privacy.TypeLanguage, `"german"`, InvalidLanguage},
		{privacy.TypeLanguage, `"xx"`, InvalidLanguage},
		{privacy.TypeLanguage, `"und"`, InvalidLanguage},
		{privacy.TypeURL, `"example.org/ada"`, InvalidURL},
		{privacy.TypeURL, `"javascript:alert(1)"`, InvalidURL},
		{privacy.TypeURL, `"https://"`, InvalidURL},
		{privacy.TypeURL, `"https://ada:secret@example.org"`, InvalidURL},
		{privacy.TypeURL, `"https://example.org/a b"`, InvalidURL},
		{privacy.TypeObject, `[1]`, InvalidType},
		{privacy.TypeObject, `{}`, Empty},
		{privacy.TypeObject, `{"a":1,"a":2}`, InvalidType},
		{privacy.TypeObject, `{"\u00eb":1,"e\u0308":2}`, InvalidType},
		{privacy.TypeObject, `{"n":12345678901234567890}`, InvalidType},
		{privacy.TypeObject, strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9), InvalidType},
		{privacy.TypeObject, `{"a":` + long(20000) + `"}`, TooLong},
		{privacy.TypeAddress, `"Lindenweg 3, Köln"`, InvalidType},
		{privacy.TypeAddress, `{"city":"Köln"}`, InvalidType},
		{privacy.TypeAddress, `{"locality":7}`, InvalidType},
		{privacy.TypeAddress, `{"locality":"Kö\nln"}`, InvalidType},
		{privacy.TypeAddress, `{"locality":" "}`, Empty},
		{privacy.TypeAddress, `{"country":"Germny"}`, InvalidCountry},
		{privacy.TypeAddress, `{"locality":` + long(501) + `"}`, TooLong},
		{"colour", `"red"`, InvalidType},
	} {
		got, err := Normalise(field(c.of), []byte(c.told), "DE", today)
		if err == nil {
			t.Errorf("%s %.60s: got %s, want %s", c.of, c.told, got.JSON.Reveal(), c.code)
			continue
		}
		if err.Code != c.code || err.Field != field(c.of).Name {
			t.Errorf("%s %.60s: got %v, want code %s", c.of, c.told, err, c.code)
		}
		if !got.JSON.IsZero() || got.Lookup != "" {
			t.Errorf("%s %.60s: refused, but something of it came back", c.of, c.told)
		}
	}
}

// What is refused is personal data too: an error goes into logs and answers.
func TestARefusalDoesNotRepeatWhatWasTold(t *testing.T) {
	const secret = "Xantippe77"
	for _, of := range privacy.Types {
		refused := 0
		for _, told := range []string{
			`"` + secret + `\u0000"`, `"` + secret + `@"`, `"https://` + secret + `:pw@example.org"`, `"+49 ` + secret + `"`,
			`{"` + secret + `":"\u0000"}`, `{"a":"` + secret + `\u0000"}`, `{"country":"` + secret + `"}`, `["` + secret + `"]`, `"` + secret,
		} {
			_, err := Normalise(field(of), []byte(told), "DE", today)
			if err == nil {
				continue
			}
			refused++
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "77") {
				t.Errorf("%s: the refusal repeats the value: %v", of, err)
			}
		}
		if refused == 0 {
			t.Errorf("%s: nothing was refused: the promise was not tried", of)
		}
	}
}

func TestABirthdayIsNotInTheFuture(t *testing.T) {
	for told, fine := range map[string]bool{
		`"2026-03-14"`: true, `"2026-03-15"`: true, `"2026-03-16"`: false, `"2126-03-14"`: false, `"1850-01-01"`: true,
	} {
		if _, err := Normalise(birthdate(), []byte(told), "DE", today); (err == nil) != fine {
			t.Errorf("born %s, told on 14 March 2026: accepted %v, want %v", told, err == nil, fine)
		}
	}
	// A passport may well end in years.
	if _, err := Normalise(field(privacy.TypeDate), []byte(`"2036-03-14"`), "DE", today); err != nil {
		t.Errorf("a date that is no birthday: refused: %v", err)
	}
}

func TestANationalNumberNeedsACountry(t *testing.T) {
	f := field(privacy.TypePhone)
	for country, want := range map[string]string{"DE": "+4930901820", "AT": "+4330901820"} {
		if got, err := LookupForm(f, []byte(`"030 901820"`), country); err != nil || got != want {
			t.Errorf("030 901820 in %s: got %q, %v, want %s", country, got, err, want)
		}
	}
	if _, err := LookupForm(f, []byte(`"030 901820"`), ""); err == nil || err.Code != InvalidPhone {
		t.Errorf("030 901820 without a country: got %v, want %s", err, InvalidPhone)
	}
}

// 555-1234 rings at somebody else in every town.
func TestANumberOfOneTownFindsNobody(t *testing.T) {
	if got, err := LookupForm(field(privacy.TypePhone), []byte(`"555-1234"`), "US"); err == nil {
		t.Errorf("a number without area code: got %q, want %s", got, InvalidPhone)
	}
}

func TestSpellingsThatMeanTheSameAreFoundAlike(t *testing.T) {
	for _, c := range []struct {
		of        privacy.Type
		form      string
		spellings []string
	}{
		{privacy.TypeEmail, "ada@example.org", []string{"ada@example.org", "ADA@EXAMPLE.ORG", " Ada@Example.org", "ada@ｅｘａｍｐｌｅ.org", "ada@example。org"}},
		{privacy.TypeEmail, "jürgen@xn--bcher-kva.example", []string{"jürgen@bücher.example", "JÜRGEN@XN--BCHER-KVA.EXAMPLE", "ju\u0308rgen@bu\u0308cher.example"}},
		{privacy.TypeEmail, "ꭰᏸ@example.org", []string{"ᎠᏰ@example.org", "ꭰᏸ@example.org"}},
		{privacy.TypePhone, "+4930901820", []string{"030901820", "+4930901820", "0049 30 901820", "+49 (0) 30 90-18-20", "(030) 901 820", "+49.30.901820"}},
		{privacy.TypeString, "AB 12-x", []string{"AB 12-x", "AB\u00a012-x", "  AB   12-x ", "ＡＢ １２-x"}},
	} {
		for _, s := range c.spellings {
			got, err := LookupForm(field(c.of), quote(s), "DE")
			if err != nil || got != c.form {
				t.Errorf("%s %q: got %q, %v, want %q", c.of, s, got, err, c.form)
			}
			kept, err := Normalise(field(c.of), quote(s), "DE", today)
			if err != nil || kept.Lookup != got {
				t.Errorf("%s %q: indexed as %q but looked up as %q", c.of, s, kept.Lookup, got)
			}
		}
	}
}

// Two persons must not become one because their addresses look similar.
func TestSimilarIsNotTheSame(t *testing.T) {
	for _, c := range []struct {
		of   privacy.Type
		a, b string
	}{
		{privacy.TypeEmail, "ada.l@example.org", "adal@example.org"},
		{privacy.TypeEmail, "ada+shop@example.org", "ada@example.org"},
		{privacy.TypeEmail, "ａｄａ@example.org", "ada@example.org"}, // whoever has the one must not be taken for the other
		{privacy.TypeEmail, "ﬁnn@example.org", "finn@example.org"},
		{privacy.TypeEmail, "straße@example.org", "strasse@example.org"},
		{privacy.TypeEmail, "ſam@example.org", "sam@example.org"},
		{privacy.TypeEmail, "İan@example.org", "ian@example.org"},
		{privacy.TypeEmail, "ada@faß.example", "ada@fass.example"},
		{privacy.TypeEmail, "ada@example.org", "аda@example.org"}, // the second begins with a Cyrillic letter
		{privacy.TypeString, "c0FfEe", "c0ffee"},
		{privacy.TypeString, "0123", "123"},
		{privacy.TypePhone, "+39 06 39733434", "+39 6 39733434"},
	} {
		a, errA := LookupForm(field(c.of), quote(c.a), "DE")
		b, errB := LookupForm(field(c.of), quote(c.b), "DE")
		if errA != nil || errB != nil {
			t.Errorf("%s %q, %q: %v, %v", c.of, c.a, c.b, errA, errB)
		} else if a == b {
			t.Errorf("%s: %q and %q are both found as %q", c.of, c.a, c.b, a)
		}
	}
}

func TestOnlyIdentifiersAreLookedUp(t *testing.T) {
	name := &register.Field{Name: "given_name", Type: privacy.TypeString}
	v, err := Normalise(name, []byte(`"Ada"`), "", today)
	if err != nil || v.Lookup != "" {
		t.Errorf("a name that is no identifier: got look-up form %q, %v", v.Lookup, err)
	}
	if _, err := LookupForm(name, []byte(`"Ada"`), ""); err == nil {
		t.Error("asking for a person by a field that is no identifier: accepted")
	}
	flag := &register.Field{Name: "flag", Type: privacy.TypeBoolean, Identifier: register.Unique}
	if _, err := LookupForm(flag, []byte(`true`), ""); err == nil {
		t.Error("asking for a person by true: accepted")
	}
}

func TestEqualComparesWhatIsReadBack(t *testing.T) {
	value := func(s string) Value {
		v, err := Normalise(field(privacy.TypeEmail), quote(s), "", today)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if !Equal(value("ada@example.org"), value(" ada@example.org ")) {
		t.Error("white space made two values of one")
	}
	if Equal(value("ada@example.org"), value("Ada@example.org")) {
		t.Error("a new spelling counts as unchanged: it would never be read back")
	}
}

// The blind index is made of folded text for years: every character has one
// form, and folding it again finds the same.
func TestFoldingIsFinal(t *testing.T) {
	for r := rune(1); r <= 0x2ffff; r++ {
		if !utf8.ValidRune(r) || !unicode.IsGraphic(r) || unicode.Is(unicode.Unified_Ideograph, r) || unicode.Is(unicode.Hangul, r) {
			continue
		}
		once := fold(string(r))
		if again := fold(once); again != once {
			t.Errorf("%U folds to %q, then to %q", r, once, again)
		}
		if upper, lower := unicode.ToUpper(r), unicode.ToLower(r); unicode.SimpleFold(upper) == lower && unicode.SimpleFold(lower) == upper && fold(string(upper)) != fold(string(lower)) {
			t.Errorf("%c and %c are not found alike", upper, lower)
		}
	}
}
