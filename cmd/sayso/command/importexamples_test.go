package command

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// bring imports an example as a channel, and returns its report.
func (s *shop) bring(channel privacy.ChannelID, file, mapping string, flags ...string) (out string) {
	s.t.Helper()
	dir := s.t.TempDir()
	data, err := os.ReadFile(filepath.Join("../../../examples/import", file))
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	out, told, err := s.sayso(channel, append([]string{"import", "--mapping", filepath.Join("../../../examples/import", mapping), path}, flags...)...)
	if err != nil {
		s.t.Fatalf("importing %s: %v\n%s%s", file, err, told, out)
	}
	return strings.ReplaceAll(out, dir+string(filepath.Separator), "")
}

// may reads a person's fields for a purpose, by e-mail, and returns the first name;
// "denied", or "unknown".
func (s *shop) may(channel privacy.ChannelID, purpose privacy.PurposeID, email string) string {
	s.t.Helper()
	fields, err := s.read(channel, purpose, email)
	var refused *client.Error
	switch {
	case errors.As(err, &refused) && refused.Code == "denied":
		return "denied"
	case errors.As(err, &refused) && refused.Code == "unknown_subject":
		return "unknown"
	case err != nil:
		s.t.Fatal(err)
	}
	name, _ := fields["given_name"].(string)
	return name
}

// Northgate brings what it has: the CRM's contacts, the mail tool's list and the
// shop's orders. On that day each system reads what the people once said yes to
// and what they ordered, and nothing else.
func TestAShopBringsItsCustomers(t *testing.T) {
	s := openShop(t, example(t, "import/register.yaml"))

	report := s.bring("crm", "crm.csv", "crm.yaml", "--dry-run")
	for _, want := range []string{"Nothing was imported: this was a dry run. Of 7 rows 4 would be accepted.", "1 row left out", "2 × given for newsletter", "3 × a ground for customer-care",
		"1 row has no identifier", "1 × birthdate: expected a date written DD.MM.YYYY (invalid_date)", "1 × email: "} {
		if !strings.Contains(report, want) {
			t.Errorf("a dry run does not tell %q:\n%s", want, report)
		}
	}
	if got := s.may("crm", "customer-care", "anahita@example.org"); got != "unknown" {
		t.Errorf("after a dry run she is %s", got)
	}
	if report = s.bring("crm", "crm.csv", "crm.yaml"); !strings.HasPrefix(report, "4 of 7 rows imported: 4 new to this channel, 0 it knew before.\n1 row left out") {
		t.Errorf("the CRM:\n%s", report)
	}
	for email, want := range map[string]string{"anahita@example.org": "Anahita Sofía", "juergen@example.org": "Jürgen", "chiara@example.org": "denied", "info@example.org": "unknown", "dilnoza@example.org": "unknown"} {
		if got := s.may("crm", "customer-care", email); got != want {
			t.Errorf("the CRM reads %s for customer-care: got %s, want %s", email, got, want)
		}
	}
	fields, err := s.read("crm", "customer-care", "anahita@example.org")
	if err != nil || fields["phone_number"] != "+49305550101" || fields["locale"] != "de" || fields["address"].(map[string]any)["street_address"] != "Torstraße 12" {
		t.Errorf("what the CRM had of her: %v %v", fields, err)
	}
	for email, want := range map[string]string{"anahita@example.org": "Anahita Sofía", "chiara@example.org": "Chiara", "juergen@example.org": "denied"} {
		if got := s.may("mailing", "newsletter", email); got != want {
			t.Errorf("by the CRM's forms the newsletter reads %s: got %s, want %s", email, got, want)
		}
	}

	report = s.bring("mailing", "mailing.csv", "mailing.yaml")
	if !strings.HasPrefix(report, "6 of 7 rows imported:") || !strings.Contains(report, "1 × consents[1].status: expected one of the 5 texts that the mapping's values name (unknown_value)") {
		t.Errorf("the mail tool:\n%s", report)
	}
	for email, want := range map[string]string{
		"anahita@example.org": "denied", // the paper form was before she left the list
		"chiara@example.org":  "Chiara", // on the list, and on paper
		"émile@example.org":   "Émile",  // on the list
		"fatima@example.org":  "denied", // never confirmed
		"goran@example.org":   "denied", // complained
		"hye-jin@example.org": "",       // said yes, and told no name
		"ines@example.org":    "denied", // rejected
	} {
		if got := s.may("mailing", "newsletter", email); got != want {
			t.Errorf("the newsletter reads %s: got %s, want %s", email, got, want)
		}
	}

	report = s.bring("shop", "orders.ndjson", "orders.yaml")
	if !strings.HasPrefix(report, "4 of 5 rows imported: 3 new to this channel, 1 it knew before.\n") || !strings.Contains(report, "1 × phone_number") {
		t.Errorf("the shop:\n%s", report)
	}
	for email, want := range map[string]string{"anahita@example.org": "Anahita", "kwame@example.org": "Kwame", "lucja@example.org": "denied", "mehmet@example.org": "unknown"} {
		if got := s.may("shop", "order-fulfilment", email); got != want {
			t.Errorf("the shop reads %s: got %s, want %s", email, got, want)
		}
	}

	// What was said is dated as it was, with what it was said under.
	said := s.consents()
	for _, want := range []string{
		`"status":"given","at":"2021-06-16T22:00:00Z","method":"paper_form","notice_version":"2021-05"`,
		`"status":"given","at":"2021-06-20T10:02:40Z","method":"double_opt_in","notice_version":"2021-05"`,
		`"status":"withdrawn","at":"2024-11-30T18:45:00Z","method":"unsubscribe_link"`,
		`"status":"objected","at":"2022-07-09T06:30:00Z","method":"unsubscribe_link"`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no act of say-so with %s:\n%s", want, said)
		}
	}
}

// consents are the acts of say-so of everybody, in some words of theirs.
func (s *shop) consents() string {
	s.t.Helper()
	var b strings.Builder
	err := s.officer.Export(s.t.Context(), client.ExportConsents, nil, &b)
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(b.String()) {
		var l struct {
			Status string    `json:"status"`
			At     time.Time `json:"at"`
			Method string    `json:"method"`
			Notice string    `json:"notice_version"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			s.t.Fatal(err)
		}
		if l.Method != "" {
			all.WriteString(`"status":"` + l.Status + `","at":"` + l.At.UTC().Format(time.RFC3339) + `","method":"` + l.Method + `","notice_version":"` + l.Notice + "\"\n")
		}
	}
	return all.String()
}
