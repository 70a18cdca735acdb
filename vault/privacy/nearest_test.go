package privacy

import (
	"strings"
	"testing"
)

// Who slips on a key is told the name it has; who writes another word is not
// told something they did not mean.
func TestASlipFindsItsWord(t *testing.T) {
	fields := []FieldName{"given_name", "family_name", "email", "phone_number", "id"}
	for written, want := range map[string]FieldName{
		"givn_name": "given_name", "gvien_name": "given_name", "emial": "email", "phonenumber": "phone_number",
		"email": "", "birthdate": "", "": "", "x": "", "xy": "", strings.Repeat("email", 20): "",
	} {
		if got := Nearest(written, fields); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
}
