package command_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const paceRegister = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:GivenName", mask: initial, retention: P3Y}
  - {name: family_name, type: string, category: "pd:FamilyName", mask: initial, retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: phone_number, type: phone, identifier: shared, category: "pd:TelephoneNumber", mask: last4, retention: P3Y}
  - {name: birthdate, type: date, category: "pd:BirthDate", mask: year, retention: P3Y}
  - {name: address, type: address, category: "pd:PhysicalAddress", mask: city, retention: P3Y}
  - {name: locale, type: language, category: "pd:Language", retention: P3Y}
  - {name: loyalty_tier, type: string, category: "pd:Preference", retention: P3Y}
purposes:
  - {id: orders, title: Deliver, benefit: Your parcel, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, family_name, email, phone_number, address], retention: P10Y}
  - {id: news, title: News, benefit: News, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, email], retention: P3Y, consent: {valid_for: P5Y, notice: {version: "1", text: News.}}}
channels:
  - {id: shop, kind: web, purposes: [orders, news], captures: [given_name, family_name, email, phone_number, birthdate, address, locale, loyalty_tier], obtains: [news]}
`

const paceMapping = `
fields:
  given_name: First name
  family_name: Last name
  email: E-mail
  phone_number: Phone
  birthdate: {column: Born, date: DD.MM.YYYY}
  address: {parts: {street_address: Street, postal_code: Zip, locality: City, country: {constant: DE}}}
  locale: Language
  loyalty_tier: Tier
consents: [{purpose: news, status: given, at: {column: Opt-in}, method: double_opt_in, notice_version: "1", evidence: {ip: IP}}]
grounds: [{purpose: orders, ref: {column: Order}, since: {column: Ordered}}]
`

// paceFile writes invented people: eight fields, two identifiers, a consent and a
// ground each.
func paceFile(t *testing.T, path string, people int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	given := []string{"Anahita", "Björn", "Chiara", "Dilnoza", "Émile", "Fátima", "Goran", "Hye-jin", "Ines", "Jürgen"}
	family := []string{"Aaltonen", "Brandt", "Câmara", "Dvořák", "Eriksen", "Ferreira", "Grünwald"}
	town := [][2]string{{"10119", "Berlin"}, {"20099", "Hamburg"}, {"50667", "Köln"}, {"80331", "München"}, {"04109", "Leipzig"}}
	fmt.Fprintln(w, "First name,Last name,E-mail,Phone,Born,Street,Zip,City,Language,Tier,Opt-in,IP,Order,Ordered")
	for i := range people {
		n := int(uint32(i) * 2654435761 >> 8)
		fmt.Fprintf(w, "%s,%s,person.%07d@example.org,+49151%08d,%02d.%02d.%04d,Lindenweg %d,%s,%s,de,%s,2024-%02d-%02d 10:%02d:00,192.0.2.%d,N-%d,2025-%02d-%02d\n",
			given[n%10], family[n/10%7], i, i, 1+n%28, 1+n/7%12, 1940+n%65, 1+n%120, town[n%5][0], town[n%5][1], []string{"gold", "silver"}[n%2],
			1+n%12, 1+n/3%28, n%60, n%256, i, 1+n/5%12, 1+n%28)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// How fast an import is: SAYSO_PACE=100000 go test -run TestThePaceOfAnImport -v
// tells it of so many people. Else it is of a few, that it works.
func TestThePaceOfAnImport(t *testing.T) {
	people, err := strconv.Atoi(os.Getenv("SAYSO_PACE"))
	if err != nil {
		people = 3000
	}
	s := serveVaultOf(t, paceRegister)
	file, mapping := filepath.Join(s.dir, "people.csv"), filepath.Join(s.dir, "mapping.yaml")
	paceFile(t, file, people)
	if err := os.WriteFile(mapping, []byte(paceMapping), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sayso", "import", "--mapping", mapping, file, "-o", "json")
	cmd.Env = append(append(append(os.Environ(), s.env...), s.client...), "SAYSO_URL=http://"+s.at)
	before, began := s.processor(), time.Now()
	out, err := cmd.Output()
	took, vault := time.Since(began), s.processor()-before
	var report struct {
		Created int `json:"created"`
	}
	if err := errors.Join(err, json.Unmarshal(out, &report)); err != nil || report.Created != people {
		t.Fatalf("%v: %s", err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	load, _ := os.ReadFile("/proc/loadavg")
	info, _ := os.Stat(file)
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(people) }
	t.Logf("%d people of %d bytes each in %.1f s: %.0f a second; load then %s", people, info.Size()/int64(people), took.Seconds(), float64(people)/took.Seconds(), load)
	t.Logf("processor µs each: import %.1f, vault %.1f", each(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()), each(vault))
	t.Logf("memory: import %d MB at most; vault RssAnon %d MB, at most with what is mapped %d MB", usage.Maxrss>>10, s.status("RssAnon:")>>10, s.status("VmHWM:")>>10)
	s.kill(os.Interrupt)
	sizes := map[string]int64{}
	_ = filepath.Walk(filepath.Join(s.dir, "vault"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			name, _ := filepath.Rel(filepath.Join(s.dir, "vault"), path)
			name, _, _ = strings.Cut(name, "/")
			sizes[name] += info.Size()
		}
		return nil
	})
	t.Logf("bytes of files: %v", sizes)
}

// processor is what the vault took of the processors so far.
func (s *process) processor() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// status is a line of what the system tells of the vault's memory, in kB.
func (s *process) status(name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return kb
		}
	}
	return 0
}
