package command

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonexp "github.com/go-json-experiment/json"
	"golang.org/x/text/unicode/norm"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// shop is a served vault with a register, and the clients of its channels.
type shop struct {
	t        *testing.T
	url      string
	officer  *client.Client
	channels map[privacy.ChannelID]*client.Client
	secrets  map[privacy.ChannelID]string
}

func openShop(t *testing.T, register []byte) *shop {
	t.Helper()
	root, err := keys.KeyFile(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "vault")
	var officer vault.Credentials
	if err := initFolder(t.Context(), dir, root, func(c vault.Credentials) error { officer = c; return nil }); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	w, err := watch(t.Context(), "", logger)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openWatched(t.Context(), dir, root, logger, w)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, url: "http://" + l.Addr().String(), channels: map[privacy.ChannelID]*client.Client{}, secrets: map[privacy.ChannelID]string{}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveVault(ctx, f, l, serving{issuer: s.url, logger: logger}) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, f.Close()); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	s.officer = s.client(officer.ClientID, officer.ClientSecret)
	applied, err := s.officer.Apply(t.Context(), register, nil)
	if err != nil {
		t.Fatalf("applying the register: %v", err)
	}
	for _, c := range applied.Channels {
		s.channels[c.ID], s.secrets[c.ID] = s.client(c.ClientID, c.ClientSecret), c.ClientSecret
	}
	return s
}

func (s *shop) client(id, secret string) *client.Client {
	c, err := client.New(client.Config{URL: s.url, ClientID: id, ClientSecret: secret})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// sayso runs a command as a channel, and returns what it printed for people and
// for machines.
func (s *shop) sayso(channel privacy.ChannelID, args ...string) (out, told string, err error) {
	s.t.Setenv(envURL, s.url)
	s.t.Setenv(envClientID, string(channel))
	s.t.Setenv(envClientSecret, s.secrets[channel])
	root := newRoot()
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(args)
	err = root.ExecuteContext(s.t.Context())
	return stdout.String(), stderr.String(), err
}

// read returns a person's fields for a purpose, found by e-mail.
func (s *shop) read(channel privacy.ChannelID, purpose privacy.PurposeID, email string) (map[string]any, error) {
	quoted, _ := json.Marshal(email)
	answer, err := s.channels[channel].Read(s.t.Context(), &wire.ReadRequest{Purpose: purpose,
		Subject: wire.Subject{Field: "email", Value: wire.Value{Sensitive: privacy.NewSensitive(quoted)}}})
	if err != nil {
		return nil, err
	}
	raw, err := jsonexp.Marshal(answer.Fields)
	if err != nil {
		s.t.Fatal(err)
	}
	var fields map[string]any
	return fields, json.Unmarshal(raw, &fields)
}

// write puts a file into a folder of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func example(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../examples", path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The customers of the Chinook music shop, as it has them: 59 people in 24
// countries. Everybody is found by e-mail and read back as they are, but for
// two whose telephone number nobody can dial.
func TestTheCustomersOfChinookAreImported(t *testing.T) {
	const shared = "../../../../shared"
	path := filepath.Join(shared, "data/customers/chinook-customers.csv")
	text, err := os.ReadFile(path)
	if _, nothing := os.Stat(shared); nothing != nil {
		t.Skip("skipped: the shared data with Chinook's customers is not here")
	}
	if err != nil {
		t.Fatalf("the shared data is here, but Chinook's customers are not: %v", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	s := openShop(t, example(t, "chinook/register.yaml"))
	rejects := filepath.Join(t.TempDir(), "rejects.csv")
	out, told, err := s.sayso("shop", "import", "--mapping", "../../../examples/chinook/mapping.yaml", path, "--rejects", rejects, "--state", filepath.Join(t.TempDir(), "state"), "-o", "json")
	if err != nil {
		t.Fatalf("import: %v\n%s", err, told)
	}
	var report importReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Rows != 59 || report.Imported != 57 || report.Created != 57 || report.Rejected != 2 {
		t.Errorf("report: %s", out)
	}
	listed, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	// Customer 9's number has a digit too many for Denmark, 57's one too few for
	// Chile. The header is line 1.
	if lines, err := csv.NewReader(bytes.NewReader(listed)).ReadAll(); err != nil || len(lines) != 3 ||
		!slices.Equal(lines[1][:3], []string{"10", "phone_number", "invalid_phone"}) || !slices.Equal(lines[2][:3], []string{"58", "phone_number", "invalid_phone"}) {
		t.Errorf("rejects: %v\n%s", err, listed)
	}

	column := func(row []string, name string) string {
		return norm.NFC.String(strings.TrimSpace(row[slices.Index(rows[0], name)]))
	}
	for i, row := range rows[1:] {
		fields, err := s.read("shop", "order-fulfilment", column(row, "Email"))
		if i == 8 || i == 56 {
			var refused *client.Error
			if !errors.As(err, &refused) || refused.Code != "unknown_subject" {
				t.Errorf("customer %s was rejected, and is read: %v", row[0], err)
			}
			for _, name := range []string{"Email", "FirstName", "LastName", "Phone", "Address"} {
				if strings.Contains(string(listed), column(row, name)) {
					t.Errorf("the rejects repeat the %s of customer %s", name, row[0])
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("customer %s: %v", row[0], err)
			continue
		}
		want := map[string]any{}
		for field, name := range map[string]string{"email": "Email", "given_name": "FirstName", "family_name": "LastName", "company": "Company"} {
			if v := column(row, name); v != "" {
				want[field] = v
			}
		}
		address := map[string]any{}
		for member, name := range map[string]string{"street_address": "Address", "locality": "City", "region": "State", "postal_code": "PostalCode", "country": "Country"} {
			if v := column(row, name); v != "" {
				address[member] = v
			}
		}
		address["country"] = chinookCountries[column(row, "Country")]
		want["address"] = address
		if phone := column(row, "Phone"); phone != "" {
			want["phone_number"] = chinookPhone(phone)
		}
		got, _ := json.Marshal(fields)
		if wanted, _ := json.Marshal(want); !bytes.Equal(got, wanted) {
			t.Errorf("customer %s: got %s, want %s", row[0], got, wanted)
		}
	}

	// The same file again sends nothing; and where it is sent again on purpose,
	// nobody is made anew.
	out, _, err = s.sayso("shop", "import", "--mapping", "../../../examples/chinook/mapping.yaml", path, "--state", filepath.Join(t.TempDir(), "state"), "--rejects", rejects)
	if err != nil || !strings.Contains(out, "nothing was sent (--again imports it once more).\n57 of 59 rows imported: 57 new to this channel, 0 it knew before.") || !strings.Contains(out, "2 × phone_number") {
		t.Errorf("again: %v\n%s", err, out)
	}
	out, _, err = s.sayso("shop", "import", "--again", "--mapping", "../../../examples/chinook/mapping.yaml", path, "--state", filepath.Join(t.TempDir(), "state"), "--rejects", rejects)
	if err != nil || !strings.Contains(out, "57 of 59 rows imported: 0 new to this channel, 57 it knew before.") || !strings.Contains(out, "2 × phone_number") {
		t.Errorf("again on purpose: %v\n%s", err, out)
	}
}

// chinookPhone is the number in E.164, as its country dials it: the digits,
// without the zero that is dialled within most countries only.
func chinookPhone(written string) string {
	code, rest, _ := strings.Cut(strings.NewReplacer("(0)", "", "(", "", ")", "", "-", "").Replace(written), " ")
	rest = strings.ReplaceAll(rest, " ", "")
	if code != "+39" { // Italians dial it from everywhere
		rest = strings.TrimPrefix(rest, "0")
	}
	return code + rest
}

var chinookCountries = map[string]string{"Argentina": "AR", "Australia": "AU", "Austria": "AT", "Belgium": "BE", "Brazil": "BR", "Canada": "CA",
	"Chile": "CL", "Czech Republic": "CZ", "Denmark": "DK", "Finland": "FI", "France": "FR", "Germany": "DE", "Hungary": "HU", "India": "IN",
	"Ireland": "IE", "Italy": "IT", "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT", "Spain": "ES", "Sweden": "SE",
	"USA": "US", "United Kingdom": "GB"}
