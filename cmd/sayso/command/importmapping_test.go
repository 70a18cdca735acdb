package command

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// Everything that is wrong with a mapping is told at once, with its place.
func TestAMappingAtFaultNamesTheLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "m.yaml:1:1: expected a mapping of fields to columns, found nothing"},
		{"no YAML", "fields:\n  email: [", "m.yaml:2:1: not valid YAML"},
		{"no mapping", "- email", "m.yaml:1:1: mapping: expected keys and values"},
		{"no fields", "verified: [email]", "m.yaml:1:1: fields is missing"},
		{"an unknown key", "fields:\n  email: Mail\nverifed: [email]", "m.yaml:3:1: mapping: unknown key verifed (expected format, encoding"},
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
		{"a split without a part", "fields: {a: {column: A, split: ' '}}", "m.yaml:1:32: a.part is missing: first, last, rest, lead or a number from 1"},
		{"a part without a split", "fields: {a: {column: A, part: first}}", "m.yaml:1:31: a.split: expected the text that stands between the parts"},
		{"an unknown part", "fields: {a: {column: A, split: ',', part: middle}}", "m.yaml:1:43: a.part: expected first, last, rest"},
		{"values of a constant", "fields: {a: {constant: x, values: {x: y}}}", "m.yaml:1:35: a.values: is for columns"},
		{"otherwise alone", "fields: {a: {column: A, otherwise: y}}", "m.yaml:1:36: a.otherwise: is for texts that values does not name"},
		{"a zone", "fields: {a: {column: A, zone: Berlin}}", "m.yaml:1:31: a.zone: expected a time zone such as Europe/Berlin"},
		{"minutes without hours", "fields: {a: {column: A, date: 'YYYY-MM-DD mm'}}", "m.yaml:1:31: a.date: expected YYYY"},
		{"an encoding", "fields: {a: A}\nencoding: klingon", "m.yaml:2:11: encoding: expected a name such as utf-8"},
		{"a format", "fields: {a: A}\nformat: xlsx", "m.yaml:2:9: format: expected csv or ndjson"},
		{"only what", "fields: {a: A}\nonly: {is: x}", "m.yaml:2:7: only.column is missing"},
		{"consents that are no list", "fields: {a: A}\nconsents: {purpose: news}", "m.yaml:2:11: consents: expected a list"},
		{"a consent without anything", "fields: {a: A}\nconsents:\n  - {}", "m.yaml:3:5: consents[0].purpose is missing\nm.yaml:3:5: consents[0].status is missing"},
		{"a yes at no time", "fields: {a: A}\nconsents:\n  - {purpose: news, status: given, method: web_form}", "m.yaml:3:5: consents[0].at is missing: a yes counts from when it was said"},
		{"a status that is none", "fields: {a: A}\nconsents:\n  - {purpose: news, status: {column: S, values: {yes: granted}}, method: web_form, at: {column: T}}", "m.yaml:3:29: consents[0].status: expected given, refused"},
		{"an unknown key of a consent", "fields: {a: A}\nconsents:\n  - {purpose: news, state: given, method: m, at: {column: T}}", "m.yaml:3:21: consents[0]: unknown key state"},
		{"who said it", "fields: {a: A}\nconsents:\n  - {purpose: news, status: refused, method: m, by: {ref: {column: R}}}", "consents[0].by.role is missing"},
		{"a ground without a purpose", "fields: {a: A}\ngrounds:\n  - {since: {column: At}}", "m.yaml:3:5: grounds[0].purpose is missing"},
		{"a time that is none", "fields: {a: A}\ngrounds:\n  - {purpose: orders, since: {constant: always}}", "m.yaml:3:30: grounds[0].since: expected a time such as"},
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
		{"not UTF-8", "L\xe9a;;;;;;;", "given_name invalid_encoding expected UTF-8 there: say in the mapping what it is, such as encoding: windows-1252"},
		{"no time", "Lale;;;;;;;last week", "observed_at invalid_date expected a time such as 2026-03-01T12:00:00Z, or a date such as 2026-03-01"},
		{"nobody", ";;;;;;;2026-02-03", " empty no mapped column has anything in this row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := openRows(strings.NewReader(header+c.row+"\n"), "people.csv", m)
			if err != nil {
				t.Fatal(err)
			}
			row, wrong, err := table.next()
			if err != nil || wrong != nil {
				t.Fatal(wrong, err)
			}
			made := newFilling(m).capture(row)
			if len(made.rejects) > 0 {
				r := made.rejects[0]
				if got := r.field + " " + r.code + " " + r.detail; got != c.want || r.line != 2 {
					t.Errorf("rejected: got %d %s, want %s", r.line, got, c.want)
				}
				return
			}
			if string(made.line) != c.want {
				t.Errorf("got %s\nwant %s", made.line, c.want)
			}
		})
	}
}

// Splits, values, conditions, acts of say-so and grounds: what a row says becomes
// what the vault is told, and what it does not say is left out.
func TestARowTellsOfConsentsAndGrounds(t *testing.T) {
	m, err := parseMapping("m.yaml", []byte(`
only: {column: Type, is: [person, member]}
fields:
  email: Mail
  given_name: {column: Name, split: " ", part: lead}
  family_name: {column: Name, split: " ", part: last}
  loyalty_tier: {column: Tier, values: {G: gold, S: silver, "-": null}, otherwise: bronze}
verified: {email: {column: Confirmed}}
consents:
  - purpose: newsletter
    status: {column: Status, values: {sub: given, unsub: withdrawn, pending: none}}
    at: {column: Changed, date: "DD.MM.YYYY hh:mm", zone: Europe/Berlin}
    method: double_opt_in
    language: {column: Lang}
    by: {role: guardian, ref: {constant: mother}}
    evidence: {ip: IP, form: {constant: footer}}
  - {purpose: sms, if: {column: Phone ok, is: yes}, status: given, at: {column: Since}, method: paper_form}
grounds:
  - {purpose: orders, if: {column: Order}, ref: {column: Order}, since: {column: Since}, until: {column: Until}}
  - {purpose: warranty, since: {column: Since}}
`))
	if err != nil {
		t.Fatal(err)
	}
	const header = "Type,Mail,Name,Tier,Confirmed,Status,Changed,Lang,IP,Phone ok,Order,Since,Until\n"
	for _, c := range []struct{ name, row, want string }{
		{"everything", `person,a@example.org,Ana Maria Brandt,G,1,sub,03.02.2024 12:30,de,192.0.2.7,yes,A-1,2024-01-05,2024-02-01T10:00:00Z`,
			`{"fields":{"email":"a@example.org","given_name":"Ana Maria","family_name":"Brandt","loyalty_tier":"gold"},"verified":["email"],` +
				`"grounds":[{"purpose":"orders","ref":"A-1","since":"2024-01-05T00:00:00Z","until":"2024-02-01T10:00:00Z"},{"purpose":"warranty","since":"2024-01-05T00:00:00Z"}],` +
				`"consents":[{"purpose":"newsletter","status":"given","method":"double_opt_in","language":"de","at":"2024-02-03T11:30:00Z","by":{"role":"guardian","ref":"mother"},"evidence":{"ip":"192.0.2.7","form":"footer"}},` +
				`{"purpose":"sms","status":"given","method":"paper_form","at":"2024-01-05T00:00:00Z"}]}`},
		{"hardly anything", `member,a@example.org,Cher,-,,,,,,,,,`, `{"fields":{"email":"a@example.org","family_name":"Cher"},"grounds":[]}`},
		{"not yet", `person,a@example.org,,X,no,pending,,,,,,,`, `{"fields":{"email":"a@example.org","loyalty_tier":"bronze"},"grounds":[]}`},
		{"a no without a date is one now", `person,a@example.org,,S,,unsub,,,,,,,`,
			`{"fields":{"email":"a@example.org","loyalty_tier":"silver"},"grounds":[],"consents":[{"purpose":"newsletter","status":"withdrawn","method":"double_opt_in","by":{"role":"guardian","ref":"mother"},"evidence":{"form":"footer"}}]}`},
		{"a yes without a date is none", `person,a@example.org,,S,,sub,,,,,,,`, "consents[0].at required expected when the yes was said"},
		{"a date at fault is told once", `person,a@example.org,,S,,sub,2024-02-03,,,,,,`, "consents[0].at invalid_date expected a time written DD.MM.YYYY hh:mm"},
		{"an unknown word", `person,a@example.org,,S,,subscribed,,,,,,,`, "consents[0].status unknown_value expected one of the 3 texts that the mapping's values name"},
		{"neither yes nor no", `person,a@example.org,,S,perhaps,,,,,,,,`, "verified.email invalid_type expected true or false, yes or no, 1 or 0"},
		{"no order, so no ground for one", `person,a@example.org,,S,,,,,,,,2024-01-05,`, `{"fields":{"email":"a@example.org","loyalty_tier":"silver"},"grounds":[{"purpose":"warranty","since":"2024-01-05T00:00:00Z"}]}`},
		{"somebody else's", `company,info@example.org,,S,,,,,,,,,`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := openRows(strings.NewReader(header+c.row+"\n"), "people.csv", m)
			if err != nil {
				t.Fatal(err)
			}
			row, wrong, err := table.next()
			if err != nil || wrong != nil {
				t.Fatal(wrong, err)
			}
			made := newFilling(m).capture(row)
			got := string(made.line)
			if len(made.rejects) > 0 {
				got = made.rejects[0].field + " " + made.rejects[0].code + " " + made.rejects[0].detail
				if len(made.rejects) > 1 {
					t.Errorf("rejected for more: %v", made.rejects)
				}
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// A file of JSON is read by the names of members, and of members of members; what
// is a number or an object there is one here.
func TestAFileOfJSONIsReadByNames(t *testing.T) {
	m, err := parseMapping("m.yaml", []byte(`
fields:
  email: customer.email
  given_name: {columns: [customer.first, customer.last]}
  points: points
  newsletter: {column: news, as: boolean}
  address: ship.to
  locale: a.b
grounds: [{purpose: orders, ref: {column: id}, since: {column: at, date: unix}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join([]string{
		`{"id":17,"at":1709450000,"customer":{"email":" a@example.org ","first":"Ana","last":"Brandt","more":[1,{"x":null}]},"points":12.50,"news":"yes","ship":{"to":{"country":"DE","locality":"Köln"}},"a.b":"de"}`,
		``,
		`{"customer":{"email":"b@example.org"},"a":{"b":"en"},"ship":null,"points":null}`,
		`{"customer":{"email":"c@example.org","first":{"x":1}}}`,
		`{"customer":{"email":"d@example.org"},"customer":{}}`,
		`{"customer":`,
		`["d@example.org"]`,
		`{"customer":{"email":"e@example.org"}} {}`,
		"{\"customer\":{\"email\":\"\xff@example.org\"}}",
		`{"customer":{"email":"f@example.org"}}`,
	}, "\r\n")
	want := []string{
		`1 {"fields":{"email":"a@example.org","given_name":"Ana Brandt","points":12.50,"newsletter":true,"address":{"country":"DE","locality":"Köln"},"locale":"de"},"grounds":[{"purpose":"orders","ref":"17","since":"2024-03-03T07:13:20Z"}]}`,
		`3 {"fields":{"email":"b@example.org","locale":"en"},"grounds":[]}`,
		`4 given_name invalid_type`, `5  invalid_json`, `6  invalid_json`, `7  invalid_json`, `8  invalid_json`, `9  invalid_json`,
		`10 {"fields":{"email":"f@example.org"},"grounds":[]}`,
	}
	in, err := openRows(strings.NewReader(text), "orders.ndjson", m)
	if err != nil {
		t.Fatal(err)
	}
	f := newFilling(m)
	for _, want := range want {
		row, wrong, err := in.next()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if wrong == nil {
			if made := f.capture(row); len(made.rejects) > 0 {
				wrong = &made.rejects[0]
			} else {
				got = fmt.Sprint(row.line, " ", string(made.line))
			}
		}
		if wrong != nil {
			got = fmt.Sprint(wrong.line, " ", wrong.field, " ", wrong.code)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if _, _, err := in.next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	m.columns, m.named = append(m.columns, "custmer.email"), append(m.named, place{"m.yaml", 3, 10})
	if _, err := takeSurvey(strings.NewReader(text), "orders.ndjson", m); err == nil || err.Error() != `m.yaml:3:10: the file has no member "custmer.email" in any of its 9 rows` {
		t.Errorf("a name that nobody has: %v", err)
	}
}

func FuzzMapping(f *testing.F) {
	f.Add("fields: {email: Mail, address: {parts: {country: {constant: DE}}}}\nverified: [email]\nobserved_at: {column: At, date: YYYY-MM-DD}")
	f.Add("fields: {a: {column: B, split: ' ', part: rest, values: {x: y}, otherwise: z}}\nconsents: [{purpose: p, status: given, at: {column: T, zone: UTC}, method: m, if: {column: C, is: [x]}}]\ngrounds: [{purpose: p, ref: {column: R}}]")
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
