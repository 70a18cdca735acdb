package profile

import (
	"fmt"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"
)

// What is told of a number without the parser is what the parser tells, in every
// country; and of most countries' numbers it is told.
func TestANumberInE164IsReadAsTheParserReadsIt(t *testing.T) {
	codes := make([]int, 0, 250)
	for code := range phonenumbers.GetSupportedCallingCodes() {
		codes = append(codes, code)
	}
	digits := rapid.StringMatching(`[0-9]{3,14}`)
	rapid.Check(t, func(t *rapid.T) {
		s := fmt.Sprintf("+%d%s", rapid.SampledFrom(codes).Draw(t, "code"), digits.Draw(t, "national"))
		possible, sure := dialled(s)
		if !sure {
			return
		}
		number, err := phonenumbers.Parse(s, "DE")
		want := err == nil && phonenumbers.IsPossibleNumberWithReason(number) == phonenumbers.IS_POSSIBLE && phonenumbers.Format(number, phonenumbers.E164) == s
		if possible != want {
			t.Errorf("%s: got %v, the parser says %v", s, possible, want)
		}
	})
	for _, region := range []string{"DE", "AT", "CH", "FR", "ES", "PL", "US", "IN"} {
		example := phonenumbers.Format(phonenumbers.GetExampleNumber(region), phonenumbers.E164)
		if possible, sure := dialled(example); !possible || !sure {
			t.Errorf("an example of %s: got %v, %v, want it told possible", region, possible, sure)
		}
	}
}
