package api

import (
	"encoding/csv"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func twoConsents() []vault.ConsentLine {
	effective, other := true, privacy.SubjectID{9}
	return []vault.ConsentLine{
		{LogIndex: 12, Consent: record, Subject: &ana, Purpose: "marketing", Status: privacy.StatusGiven, Effective: &effective, At: &morning, RecordedAt: morning,
			Register: 3, NoticeVersion: "=1+1", NoticeHash: "ab", Fields: []privacy.FieldName{"email", "given_name"}, Method: "web_form", Channel: "web", By: privacy.BySubject},
		{LogIndex: 15, Consent: privacy.ConsentID{8}, Subject: &other, RecordedAt: morning.Add(1500 * time.Millisecond), Lost: vault.LostDamaged},
	}
}

// An export is a line an item, and one that says that none is missing.
func TestAnExportComesLineByLine(t *testing.T) {
	b := newBench(t)
	b.consents = twoConsents()
	a := b.call("GET", "/v1/exports/consents?from=2026-01-01&to=2026-04-01T12:00:00%2B02:00", "", "officer")
	want := `{"n":1,"log_index":12,"consent":"` + record.String() + `","subject":"` + ana.String() + `","purpose":"marketing","status":"given","effective":true,` +
		`"at":"2026-03-01T08:00:00Z","recorded_at":"2026-03-01T08:00:00Z","register":3,"notice_version":"=1+1","notice_hash":"ab","fields":["email","given_name"],` +
		`"method":"web_form","channel":"web","by":"subject"}` + "\n" +
		`{"n":2,"log_index":15,"consent":"` + (privacy.ConsentID{8}).String() + `","subject":"` + (privacy.SubjectID{9}).String() + `","recorded_at":"2026-03-01T08:00:01.5Z","lost":"damaged"}` + "\n" +
		`{"end":true,"lines":2,"log":{"name":"main","index":57}}` + "\n"
	if a.status != 200 || a.raw != want || a.header.Get("Content-Type") != mediaNDJSON {
		t.Errorf("got %d %v\n%s\nwant\n%s", a.status, a.header, a.raw, want)
	}
	if from, to := b.exporting.From, b.exporting.To; !from.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || !to.Equal(time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("asked for %v to %v", from, to)
	}
	b.consents = nil
	if a := b.call("GET", "/v1/exports/consents", "", "officer"); a.raw != `{"end":true,"lines":0,"log":{"name":"main","index":57}}`+"\n" {
		t.Errorf("nothing to export: got %s", a.raw)
	}
}

// As a table it has a row an item, all of one width, and nothing in it that a
// spreadsheet would run.
func TestAnExportComesAsATable(t *testing.T) {
	b := newBench(t)
	b.consents = twoConsents()
	for _, what := range []string{"register", "consents", "decisions"} {
		a := b.call("GET", "/v1/exports/"+what+"?format=csv", "", "officer")
		rows, err := csv.NewReader(strings.NewReader(a.raw)).ReadAll()
		if err != nil || a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") || a.header.Get("Content-Disposition") != "attachment; filename="+what+".csv" {
			t.Fatalf("%s: got %d, %v, %v\n%s", what, a.status, err, a.header, a.raw)
		}
		if last := rows[len(rows)-1]; rows[0][0] != "n" || rows[1][0] != "1" || last[0] != "end" || last[2] != "main/57" {
			t.Errorf("%s: got %v", what, rows)
		}
	}
	a := b.call("GET", "/v1/exports/consents?format=csv", "", "officer")
	if !strings.Contains(a.raw, ",'=1+1,") || !strings.Contains(a.raw, ",email; given_name,") || !strings.Contains(a.raw, "\nend,2,main/57,") {
		t.Errorf("got %s", a.raw)
	}
}

// An export that breaks off says so where the next line would be, and one that
// never began is refused like anything else.
func TestABrokenExportShows(t *testing.T) {
	b := newBench(t)
	b.consents, b.breaks = twoConsents(), errors.New("a fault of ours with Anahita in it")
	for format, last := range map[string]string{
		"ndjson": `{"n":3,"status":500,"type":"urn:sayso:problem:internal","title":"Something went wrong here","code":"internal"}` + "\n",
		"csv":    "broken off,internal" + strings.Repeat(",", len(consentColumns)-1) + "\n",
	} {
		a := b.call("GET", "/v1/exports/consents?format="+format, "", "officer")
		if a.status != 200 || !strings.HasSuffix(a.raw, "\n"+last) || strings.Contains(a.raw, `"end"`) || strings.Contains(a.raw, "Anahita") {
			t.Errorf("%s: got %d\n%s", format, a.status, a.raw)
		}
	}
	if !strings.Contains(b.log.String(), `"code":"broken_off"`) {
		t.Error("the access log does not tell that it broke off")
	}
	b.consents, b.breaks = nil, &vault.Error{Code: vault.CodeUnavailable, Detail: "the vault is stopping", RetryAfter: time.Second}
	if a := b.call("GET", "/v1/exports/consents", "", "officer"); a.status != 503 || a.code() != vault.CodeUnavailable {
		t.Errorf("before the first line: got %d %s", a.status, a.raw)
	}
}

func TestExportsAreAskedForStrictly(t *testing.T) {
	b := newBench(t)
	for _, query := range []string{"?format=xml", "?from=yesterday", "?to=2026-13-01", "?since=2026-01-01", "?from=2026-01-01&from=2026-01-02"} {
		if a := b.call("GET", "/v1/exports/consents"+query, "", "officer"); a.status != 422 {
			t.Errorf("%s: got %d %s", query, a.status, a.raw)
		}
	}
	r := httptest.NewRequest("GET", "/v1/exports/consents", nil)
	r.Header.Set("Authorization", "Bearer "+b.token("officer"))
	r.Header.Set("Sayso-Reason", "yearly audit, Müller & Co")
	if a := b.do(r); a.status != 200 || b.exporting.Reason != "yearly audit, Müller & Co" {
		t.Errorf("a reason: got %d, %q", a.status, b.exporting.Reason)
	}
	// Who asks only for headers takes nothing out.
	b.calls = nil
	if a := b.call("HEAD", "/v1/exports/consents", "", "officer"); a.status != 200 || len(b.calls) > 0 {
		t.Errorf("HEAD: got %d, the vault was asked for %v", a.status, b.calls)
	}
}
