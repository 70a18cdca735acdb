package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const importMapping = `fields:
  email: E-Mail
  given_name: Name
  address: {parts: {street_address: Street, locality: Town, country: {constant: DE}}}
`

// A file as spreadsheets write them, with all that goes wrong in one. Whoever
// can be imported is; each other row is listed by its line, with no value.
func TestAFileWithEverythingWrongInIt(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	file := write(t, "customers.csv", "\xef\xbb\xbf"+strings.Join([]string{
		`E-Mail , Name,Street,Town,Note`,
		`asli@example.org,Aslı,"Hinterhof` + "\r\n" + `Torstraße 12",Berlin,`, // lines 2 and 3
		`too,few,cells`,
		`too@example.org,Many,Cells,In,This,Row`,
		``,
		`quo"tes@example.org,Bela,,,`,
		`,,,,`,
		"latin@example.org,Ren\xe9,,,",
		`carmen(at)example.org,Carmen,,,`,
		`dora@example.org,"Dóra ""Dodo""",,,` + "\xe9 in a column nobody asked for",
		`,,,,only a note`,
		`edit@example.org,"Edit"x,,,`,
	}, "\r\n")+"\r\n")
	mapping := write(t, "mapping.yaml", importMapping)
	out, told, err := s.sayso("shop", "import", "--mapping", mapping, file)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, told)
	}
	listed, err := os.ReadFile(file + ".rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`line,field,code,detail`,
		`4,,wrong_number_of_cells,"expected 5 cells, as the header has, found 3"`,
		`5,,wrong_number_of_cells,"expected 5 cells, as the header has, found 6"`,
		`7,,invalid_quotes,"expected quotes only around a whole cell, and """" for a quote in it"`,
		`9,given_name,invalid_encoding,"expected UTF-8 there: say in the mapping what it is, such as encoding: windows-1252"`,
		`10,email,invalid_email,expected one e-mail address such as ada@example.org`,
		`12,,empty,no mapped column has anything in this row`,
		`13,,invalid_quotes,"expected quotes only around a whole cell, and """" for a quote in it"`,
		``,
	}, "\n")
	if string(listed) != want {
		t.Errorf("rejects: got\n%s\nwant\n%s…", listed, want)
	}
	if !strings.Contains(out, "2 of 9 rows imported: 2 new to this channel, 0 it knew before.\n7 rows rejected; "+file+".rejects.csv says which lines, and why:\n") ||
		!strings.Contains(told, "Importing 9 rows of customers.csv as channel shop. Of its 5 columns the mapping leaves 1 aside.") {
		t.Errorf("told:\n%s%s", told, out)
	}
	for _, value := range []string{"asli", "carmen", "Carmen", "Ren", "Bela", "Torstra"} {
		if strings.Contains(string(listed)+out+told, value) {
			t.Errorf("%q was repeated", value)
		}
	}
	if fields, err := s.read("shop", "order-fulfilment", "asli@example.org"); err != nil || fields["given_name"] != "Aslı" ||
		fields["address"].(map[string]any)["street_address"] != "Hinterhof\nTorstraße 12" {
		t.Errorf("read back: %v %v", fields, err)
	}
	if fields, err := s.read("shop", "order-fulfilment", "dora@example.org"); err != nil || fields["given_name"] != `Dóra "Dodo"` || fields["address"] != nil {
		t.Errorf("read back: %v %v", fields, err)
	}
}

// What is wrong with a whole file, or with who imports it, is said before
// anything is imported.
func TestAFileThatCannotBeImported(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	good := "E-Mail,Name,Street,Town\nfirst@example.org,First,,\n"
	for _, c := range []struct{ name, csv, mapping, want string }{
		{"a quote never closed", good + "a@example.org,\"Anna,,\nb@example.org,Bela,,\n", importMapping, "customers.csv: line 3: a quoted cell of this row runs on to line 4 and is not closed as it must be; nothing was imported"},
		{"nothing", "", importMapping, "line 1: expected the names of the columns, found nothing"},
		{"a header alone", "E-Mail,Name,Street,Town\n\n", importMapping, "there is no row in it; nothing was imported"},
		{"UTF-16", "\xff\xfeE\x00", importMapping, "line 1: the file is in UTF-16: say so in the mapping, with encoding: utf-16le or utf-16be, or save it as UTF-8"},
		{"Latin-1", "E-Mail,Name,Stra\xdfe,Town\n", importMapping, "line 1: expected UTF-8 in the header"},
		{"two columns of one name", strings.Replace(good, "Town", "Name", 1), importMapping, `mapping.yaml:3:15: the file has more than one column "Name" in line 1`},
		{"no such column", strings.Replace(good, "Town", "City", 1), importMapping, `mapping.yaml:4:55: the file has no column "Town" among the 4 names of line 1`},
		{"another separator", strings.ReplaceAll(good, ",", ";"), importMapping, `the file has no column "E-Mail" among the 1 name of line 1; is the mapping's separator the file's?`},
		{"what the channel does not capture", good, "fields: {email: E-Mail, allergy: Name}", "mapping.yaml:1:34: channel shop does not capture allergy"},
		{"a purpose with a typing error", good, "fields: {email: E-Mail}\npurposes: [order-fulfilmnet]", "does not have the purpose order-fulfilmnet; did you mean order-fulfilment?"},
		{"a field with a typing error", good, "fields: {emial: E-Mail}", "does not capture emial; did you mean email?"},
		{"a purpose it does not have", good, "fields: {email: E-Mail}\npurposes: [invoicing]", "channel shop does not have the purpose invoicing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, mapping := write(t, "customers.csv", c.csv), write(t, "mapping.yaml", c.mapping)
			if _, _, err := s.sayso("shop", "import", "--mapping", mapping, file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if _, err := os.Stat(file + ".rejects.csv"); err == nil {
				t.Error("a list of rejects was begun")
			}
		})
	}
	if _, err := s.read("shop", "order-fulfilment", "first@example.org"); err == nil {
		t.Error("somebody was imported")
	}
}

// A file without a header begins with somebody's values. They are shown nowhere,
// whether the file is refused or a column of the mapping is called like one.
func TestAFileWithoutAHeaderShowsNobody(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	people := [][]string{
		{"asli@example.org", "Aslı", "Torstraße 12", "Berlin", "0170 5550199", "likes jazz"},
		{"bela@example.org", "Bela", "Kanalweg 3", "Bremen", "0170 5550177", "owes us 12.50"},
		{"carmen(at)example.org", "Carmen", "Am Markt 1", "Kiel", "0170 5550155", "moved away"},
	}
	var lines strings.Builder
	for _, cells := range people {
		lines.WriteString(strings.Join(cells, ";") + "\n")
	}
	for _, c := range []struct{ name, mapping, want string }{
		{"by the names it should have", "separator: \";\"\n" + importMapping, `the file has no column "Name" among the 6 names of line 1`},
		{"by the wrong separator", importMapping, `the file has no column "Name" among the`},
		{"by a name that somebody has", "separator: \";\"\nfields: {email: Berlin}", "Of its 6 columns the mapping leaves 5 aside."},
		{"by constants alone", "separator: \";\"\nfields: {given_name: {constant: Somebody}}", "Of its 6 columns the mapping leaves 6 aside."},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "customers.csv", lines.String())
			out, told, err := s.sayso("shop", "import", "--mapping", write(t, "mapping.yaml", c.mapping), file)
			if err == nil {
				t.Fatal("something was imported")
			}
			listed, _ := os.ReadFile(file + ".rejects.csv")
			all := out + told + err.Error() + string(listed)
			if !strings.Contains(all, c.want) {
				t.Errorf("got %s, want %s", all, c.want)
			}
			for _, cells := range people {
				for _, cell := range cells {
					if strings.Contains(all, cell) && !strings.Contains(c.mapping, cell) {
						t.Errorf("%q is shown:\n%s", cell, all)
					}
				}
			}
		})
	}
}

// The list of rejects overwrites an earlier list, and nothing else.
func TestRejectsOverwriteNothing(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	file := write(t, "customers.csv", "E-Mail,Name,Street,Town\nasli@example.org,Aslı,,\nnobody,Nobody,,\n")
	mapping := write(t, "mapping.yaml", importMapping)
	diary := write(t, "diary.csv", "day,what\n1,slept\n")
	for _, path := range []string{file, mapping, diary} {
		before, _ := os.ReadFile(path)
		_, _, err := s.sayso("shop", "import", "--mapping", mapping, "--rejects", path, file)
		if after, _ := os.ReadFile(path); err == nil || string(after) != string(before) {
			t.Errorf("%s: %v\n%s", filepath.Base(path), err, after)
		}
	}
	if _, _, err := s.sayso("shop", "import", "--mapping", mapping, file); err != nil {
		t.Fatal(err)
	}
	if at, err := os.Stat(file + ".rejects.csv"); err != nil || at.Mode().Perm() != 0o600 {
		t.Errorf("the list: %v %v", at, err)
	}
	if err := os.WriteFile(file, []byte("E-Mail,Name,Street,Town\nasli@example.org,Aslı,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.sayso("shop", "import", "--mapping", mapping, file); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + ".rejects.csv"); err == nil {
		t.Error("an old list stays where nothing was rejected")
	}
	if err := os.WriteFile(file, []byte("E-Mail,Name,Street,Town\nnobody,Nobody,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, err := s.sayso("shop", "import", "--mapping", mapping, file); err == nil || !strings.Contains(out, "0 of 1 row imported") {
		t.Errorf("nothing imported: %v\n%s", err, out)
	}
}

// unending is a file whose last quote is never closed. Who reads it to its end
// reads more than fits into memory.
type unending struct {
	t    *testing.T
	text io.Reader
	read int
}

func (u *unending) Read(p []byte) (int, error) {
	if n, err := u.text.Read(p); err == nil {
		return n, nil
	}
	if u.read += len(p); u.read > 2*longestRow {
		u.t.Error("it is read for one row, on and on")
		return 0, io.EOF
	}
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestAQuoteThatIsNeverClosedIsNotReadToTheEnd(t *testing.T) {
	m, err := parseMapping("mapping.yaml", []byte(importMapping))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"E-Mail,Name,Street,Town\nasli@example.org,Aslı,,\nbela@example.org,\"Bela,,\n": "behind line 2: a row goes on for more than 16 MiB",
		"E-Mail,Name,Street,Town,\"": "line 1: a row goes on for more than 16 MiB",
	} {
		_, err = takeSurvey(&unending{t: t, text: strings.NewReader(text)}, "people.csv", m)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	// A long row is one row's fault, as long as it ends.
	s, err := takeSurvey(strings.NewReader("E-Mail,Name,Street,Town\n,"+strings.Repeat("a", longestRow/2)+",,\nasli@example.org,Aslı,,\n"), "people.csv", m)
	if err != nil || s.rows != 2 {
		t.Errorf("a long row: %d rows, %v", s.rows, err)
	}
}

// More people than one batch holds, one of them first and last.
func TestBatchesAreOneImport(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	var csv strings.Builder
	csv.WriteString("E-Mail,Name,Street,Town\n")
	const people = 2*pieceRows + 203
	for i := range people {
		fmt.Fprintf(&csv, "person%d@example.org,Person %d,Torstraße %d,Berlin\n", i, i, i)
	}
	csv.WriteString("PERSON0@example.org,,Torstraße 1000,Berlin\n")
	out, told, err := s.sayso("shop", "import", "--mapping", write(t, "mapping.yaml", importMapping), write(t, "customers.csv", csv.String()))
	if err != nil || !strings.Contains(out, fmt.Sprintf("%d of %d rows imported: %d new to this channel, 1 it knew before.\n", people+1, people+1, people)) {
		t.Fatalf("%v\n%s%s", err, told, out)
	}
	for _, i := range []int{0, pieceRows - 1, pieceRows, people - 1} {
		fields, err := s.read("shop", "order-fulfilment", fmt.Sprintf("person%d@example.org", i))
		street := fmt.Sprintf("Torstraße %d", i)
		if i == 0 {
			street = "Torstraße 1000"
		}
		if err != nil || fields["given_name"] != fmt.Sprintf("Person %d", i) || fields["address"].(map[string]any)["street_address"] != street {
			t.Errorf("person %d: %v %v", i, fields, err)
		}
	}
}
