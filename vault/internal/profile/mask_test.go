package profile

import (
	"errors"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

func TestMasksShowWhatTheyAreNamedFor(t *testing.T) {
	for _, c := range []struct {
		mask         privacy.Mask
		of           privacy.Type
		value, shown string
	}{
		{privacy.MaskPartial, privacy.TypeString, `"Augusta"`, `"A*****a"`},
		{privacy.MaskPartial, privacy.TypeString, `"Ava"`, `"A**"`},
		{privacy.MaskPartial, privacy.TypeString, `"Bo"`, `"B*"`},
		{privacy.MaskPartial, privacy.TypeString, `"李"`, `"*"`},
		{privacy.MaskPartial, privacy.TypeString, `"Ȩ́dith"`, `"Ȩ́***h"`}, // the letter keeps both its marks
		{privacy.MaskPartial, privacy.TypeString, `"A name as long as a whole sentence"`, `"A************e"`},
		{privacy.MaskPartial, privacy.TypeEmail, `"ariaz@example.org"`, `"a***z@example.org"`},
		{privacy.MaskPartial, privacy.TypeEmail, `"j@example.org"`, `"*@example.org"`},
		{privacy.MaskPartial, privacy.TypePhone, `"+4930901820"`, `"+*********0"`},
		{privacy.MaskLast4, privacy.TypePhone, `"+4930901820"`, `"*******1820"`},
		{privacy.MaskLast4, privacy.TypeString, `"12345"`, `"***45"`},
		{privacy.MaskLast4, privacy.TypeString, `"1"`, `"*"`},
		{privacy.MaskInitial, privacy.TypeString, `"Ada"`, `"A."`},
		{privacy.MaskInitial, privacy.TypeString, `"李"`, `"*"`},
		{privacy.MaskInitial, privacy.TypeString, `"A."`, `"*"`},
		{privacy.MaskInitial, privacy.TypeString, `"7 of 9"`, `"*"`},
		{privacy.MaskInitial, privacy.TypeEmail, `"ada@example.org"`, `"a."`},
		{privacy.MaskCity, privacy.TypeAddress, `{"country":"DE","locality":"Köln","postal_code":"50667","street_address":"Lindenweg 3"}`, `{"country":"DE","locality":"Köln"}`},
		{privacy.MaskCity, privacy.TypeAddress, `{"street_address":"Lindenweg 3"}`, `{}`},
		{privacy.MaskYear, privacy.TypeDate, `"1990-12-31"`, `"1990"`},
		{privacy.MaskAgeBand, privacy.TypeDate, `"1990-12-31"`, `"35_44"`},
		{privacy.MaskOver18, privacy.TypeDate, `"2008-03-14"`, `true`},
		{privacy.MaskOver18, privacy.TypeDate, `"2008-03-15"`, `false`},
		{privacy.MaskOver16, privacy.TypeDate, `"2008-03-15"`, `true`},
		{privacy.MaskOver16, privacy.TypeDate, `"2010-03-15"`, `false`},
	} {
		got, err := Mask(c.mask, c.of, privacy.NewSensitive([]byte(c.value)), today)
		if err != nil || string(got.Reveal()) != c.shown {
			t.Errorf("%s of %s: got %s, %v, want %s", c.mask, c.value, got.Reveal(), err, c.shown)
		}
	}
}

func TestALeapDayChildComesOfAgeInMarch(t *testing.T) {
	born := privacy.NewSensitive([]byte(`"2008-02-29"`))
	for day, want := range map[string]string{"2026-02-28": "false", "2026-03-01": "true"} {
		at, _ := time.Parse(time.DateOnly, day)
		if got, err := Mask(privacy.MaskOver18, privacy.TypeDate, born, at); err != nil || string(got.Reveal()) != want {
			t.Errorf("over 18 on %s: got %s, %v, want %s", day, got.Reveal(), err, want)
		}
	}
}

// A mask that cannot be applied shows nothing, not the value.
func TestAMaskThatDoesNotFitShowsNothing(t *testing.T) {
	values := map[privacy.Type]string{privacy.TypeAddress: `"a string"`, privacy.TypeDate: `"no date"`, privacy.TypeString: `{"an":"object"}`}
	for _, mask := range append(privacy.Masks(), "", "none") {
		for _, of := range privacy.Types {
			value, broken := values[of]
			if mask.Fits(of) && !broken {
				continue
			}
			got, err := Mask(mask, of, privacy.NewSensitive([]byte(value)), today)
			if !errors.Is(err, ErrMask) || !got.IsZero() {
				t.Errorf("%s of a %s: got %s, %v, want nothing and ErrMask", mask, of, got.Reveal(), err)
			}
		}
		if got, err := Mask(mask, privacy.TypeString, privacy.Sensitive{}, today); err == nil {
			t.Errorf("%s of no value: got %s", mask, got.Reveal())
		}
	}
}
