package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// Everything that is wrong with a mapping is told at once, with its place.
func TestAMappingAtFaultNamesTheLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "m.yaml:1:1: expected a mapping of fields to columns, found nothing"},
		{"no YAML", "fields:\n  email: [", "m.yaml:2:1: not valid YAML"},
		{"no mapping", "- email", "m.yaml:1:1: mapping: expected keys and values"},
		{"no fields", "verified: [email]", "m.yaml:1:1: fields is missing"},
		{"an unknown key", "fields:\n  email: Mail\nverifed: [email]", "m.yaml:3:1: mapping: unknown key verifed (expected fields, verified, purposes, observed_at, separator)"},
		{"a field twice", "fields:\n  email: Mail\n  email: Mail2", "m.yaml:3:3: fields.email is there twice"},
		{"no column", "fields:\n  email:", "m.yaml:2:9: email: expected the name of a column"},
		{"an unknown way", "fields:\n  email: {colum: Mail}", "m.yaml:2:11: email: unknown key colum"},
		{"column and constant", "fields:\n  email: {column: Mail, constant: x}", "m.yaml:2:10: email: expected one of column, columns and constant"},
		{"a year of two digits", "fields:\n  birthdate: {column: Born, date: DD.MM.YY}", "m.yaml:2:35: birthdate.date: expected YYYY"},
		{"a month twice", "fields:\n  birthdate: {column: Born, date: MM.MM.YYYY}", "m.yaml:2:35: birthdate.date: expected YYYY"},
		{"digits in a date", "fields:\n  birthdate: {column: Born, date: 1DD-MM-YYYY}", "m.yaml:2:35: birthdate.date: expected YYYY"},
		{"a word in a date", "fields:\n  birthdate: {column: Born, date: DD. Jan MM YYYY}", "m.yaml:2:35: birthdate.date: expected YYYY"},
		{"a date that is a number", "fields:\n  birthdate: {column: Born, as: number, date: DD.MM.YYYY}", "birthdate.date: is how dates are written in a column of text"},
		{"an unknown type", "fields:\n  age: {column: Age, as: int}", "m.yaml:2:26: age.as: expected text, number or boolean"},
		{"no parts", "fields:\n  address: {parts: {}}", "m.yaml:2:20: address.parts: expected at least one"},
		{"a part at fault", "fields:\n  address:\n    parts:\n      locality: [City]", "m.yaml:4:17: address.locality: expected keys and values"},
		{"verified, but no field", "fields: {email: Mail}\nverified: [phone_number]", "m.yaml:2:12: verified: phone_number is not among the fields"},
		{"a separator", "fields: {email: Mail}\nseparator: ';;'", "m.yaml:2:12: separator: expected"},
		{"no time", "fields: {email: Mail}\nobserved_at: {constant: yesterday}", "m.yaml:2:14: observed_at: expected a time such as"},
		{"an alias", "fields: {email: &m Mail, given_name: *m}", "m.yaml:1:17: expected plain values"},
		{"two documents", "fields: {email: Mail}\n---\nfields: {email: Mail}", "expected the end of the text, found a second document"},
		{"several at once", "fields:\n  a: {as: x}\n  b:\nverified: [c]", "m.yaml:3:5: b: expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseMapping("m.yaml", []byte(c.text))
			var wrong *mappingError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// A row becomes the capture that the mapping says.
func TestARowBecomesACapture(t *testing.T) {
	m, err := parseMapping("m.yaml", []byte(`
fields:
  email: Mail
  given_name: {column: First name}
  birthdate: {column: Born, date: D.M.YYYY}
  points: {column: Points, as: number}
  newsletter: {column: News, as: boolean}
  locale: {constant: de}
  address:
    parts:
      street_address: {columns: [Street, No]}
      country: {constant: DE}
verified: [email, points]
purposes: [order-fulfilment]
observed_at: {column: Changed}
separator: ";"
`))
	if err != nil {
		t.Fatal(err)
	}
	const header = "First name;Mail;Born;Points;News;Street;No;Changed\n"
	for _, c := range []struct{ name, row, want string }{
		{"whole", "Lale;lale@example.org;4.5.1987;12.5;Yes;Torstraße;12;2026-02-03T04:05:06Z",
			`{"fields":{"email":"lale@example.org","given_name":"Lale","birthdate":"1987-05-04","points":12.5,"newsletter":true,"locale":"de","address":{"street_address":"Torstraße 12","country":"DE"}},"verified":["email","points"],"purposes":["order-fulfilment"],"observed_at":"2026-02-03T04:05:06Z"}`},
		{"with gaps", " ;lale@example.org;;;;;;", `{"fields":{"email":"lale@example.org","locale":"de"},"verified":["email"],"purposes":["order-fulfilment"]}`},
		{"half an address", "Lale;;;;;Torstraße;;", `{"fields":{"given_name":"Lale","locale":"de","address":{"street_address":"Torstraße","country":"DE"}},"purposes":["order-fulfilment"]}`},
		{"a day that is none", "Lale;lale@example.org;31.2.1987;;;;;", "birthdate invalid_date expected a date written D.M.YYYY"},
		{"a number with a comma", "Lale;;;12,5;;;;", "points invalid_type expected a number with a point for decimals"},
		{"neither yes nor no", "Lale;;;;perhaps;;;", "newsletter invalid_type expected true or false, yes or no, 1 or 0"},
		{"not UTF-8", "L\xe9a;;;;;;;", `given_name invalid_encoding expected UTF-8 in column "First name"`},
		{"no time", "Lale;;;;;;;last week", "observed_at invalid_date expected a time such as 2026-03-01T12:00:00Z, or a date such as 2026-03-01"},
		{"nobody", ";;;;;;;2026-02-03", " empty no mapped column has anything in this row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := openTable(strings.NewReader(header+c.row+"\n"), m.separator)
			if err != nil {
				t.Fatal(err)
			}
			row, wrong, err := table.next()
			if err != nil || wrong != nil {
				t.Fatal(wrong, err)
			}
			req, rejects := m.capture(row)
			if len(rejects) > 0 {
				if got := rejects[0].field + " " + rejects[0].code + " " + rejects[0].detail; got != c.want || rejects[0].line != 2 {
					t.Errorf("rejected: got %d %s, want %s", rejects[0].line, got, c.want)
				}
				return
			}
			if got, err := json.Marshal(req); err != nil || string(got) != c.want {
				t.Errorf("got %s (%v)\nwant %s", got, err, c.want)
			}
		})
	}
}

func FuzzMapping(f *testing.F) {
	f.Add("fields: {email: Mail, address: {parts: {country: {constant: DE}}}}\nverified: [email]\nobserved_at: {column: At, date: YYYY-MM-DD}")
	f.Add("fields: {a: {columns: [B, C], join: '-'}}\nseparator: \"\\t\"")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMapping("m.yaml", []byte(text))
		if (m == nil) == (err == nil) {
			t.Fatalf("got %v and %v", m, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "m.yaml:") {
			t.Errorf("no place: %v", err)
		}
	})
}
