package profile

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// The customers of a music shop: real diacritics, real ways to write telephone
// numbers, real gaps. Whoever is refused is refused for a reason they would
// accept, and everybody else is read back as they are.
func TestCustomersOfARealShop(t *testing.T) {
	const path = "../../../../shared/data/customers/chinook-customers.csv"
	file, err := os.Open(path)
	if err != nil {
		t.Skip("the customers are not here: ", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	found, refused := map[string]string{}, map[string]string{}

	for _, row := range rows[1:] {
		id := column(row, "CustomerId")
		read := func(name privacy.FieldName, of privacy.Type, value any) Value {
			raw, _ := json.Marshal(value)
			v, wrong := Normalise(&register.Field{Name: name, Type: of, Identifier: register.Unique}, raw, "US", today)
			if wrong != nil && wrong.Code != Empty {
				refused[id] += wrong.Code
			}
			return v
		}
		kept := func(name string, v Value) {
			if got, want := said(t, v), strings.TrimSpace(norm.NFC.String(column(row, name))); got != want {
				t.Errorf("customer %s, %s: got %q, want %q", id, name, got, want)
			}
		}
		kept("FirstName", read("given_name", privacy.TypeString, column(row, "FirstName")))
		kept("LastName", read("family_name", privacy.TypeString, column(row, "LastName")))
		kept("Company", read("company", privacy.TypeString, column(row, "Company")))

		email := read("email", privacy.TypeEmail, column(row, "Email"))
		kept("Email", email)
		if other, twice := found[email.Lookup]; twice || email.Lookup == "" {
			t.Errorf("customers %s and %s are found by one address", id, other)
		}
		found[email.Lookup] = id

		if number := read("phone_number", privacy.TypePhone, column(row, "Phone")); !number.JSON.IsZero() {
			if got := said(t, number); !strings.HasPrefix(got, "+") || strings.Trim(got[1:], "0123456789") != "" {
				t.Errorf("customer %s: %q is not E.164", id, got)
			}
		}

		address := read("address", privacy.TypeAddress, map[string]string{
			"street_address": column(row, "Address"), "locality": column(row, "City"), "region": column(row, "State"),
			"postal_code": column(row, "PostalCode"), "country": column(row, "Country"),
		})
		var members map[string]string
		if err := json.Unmarshal(address.JSON.Reveal(), &members); err != nil {
			t.Fatalf("customer %s: %v", id, err)
		}
		if members["locality"] != strings.TrimSpace(column(row, "City")) || !isCountry(members["country"]) {
			t.Errorf("customer %s lives in %v", id, members)
		}
	}

	if len(found) != 59 {
		t.Errorf("got %d people, want 59", len(found))
	}
	// 9 has a digit too many for Denmark, 57 one too few for Chile.
	want := map[string]string{"9": InvalidPhone, "57": InvalidPhone}
	for id, code := range refused {
		if want[id] != code {
			t.Errorf("customer %s is refused: %s", id, code)
		}
		delete(want, id)
	}
	for id := range want {
		t.Errorf("customer %s has a number nobody can dial and is not refused", id)
	}
}

// said returns the text of a value, "" if there is none.
func said(t *testing.T, v Value) (s string) {
	t.Helper()
	if v.JSON.IsZero() {
		return ""
	}
	if err := json.Unmarshal(v.JSON.Reveal(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}
