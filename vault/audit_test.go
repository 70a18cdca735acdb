package vault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

func consentsOf(t *testing.T, v *vaulttest.Vault, req vault.ExportRequest) ([]vault.ConsentLine, *vault.Exported) {
	t.Helper()
	var all []vault.ConsentLine
	end, err := v.ExportConsents(t.Context(), v.Officer, req, func(some []vault.ConsentLine) error { all = append(all, some...); return nil })
	if err != nil {
		t.Fatalf("exporting consents: %v", err)
	}
	return all, end
}

func decisionsOf(t *testing.T, v *vaulttest.Vault, req vault.ExportRequest) ([]vault.DecisionLine, *vault.Exported) {
	t.Helper()
	var all []vault.DecisionLine
	end, err := v.ExportDecisions(t.Context(), v.Officer, req, func(some []vault.DecisionLine) error { all = append(all, some...); return nil })
	if err != nil {
		t.Fatalf("exporting decisions: %v", err)
	}
	return all, end
}

// An auditor sees who said what and when, under which notice, and where the log
// has it – and nothing of what anybody wrote in their own words.
func TestAuditorsSeeEveryActOfSaySo(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)})
	shop := v.As("store")
	ines := shop.Capture(map[string]any{"given_name": "Ines", "phone_number": "+49 40 1234567"})
	given, err := v.RecordConsent(t.Context(), shop.Caller, vault.ConsentRequest{Subject: ines, Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "paper_form",
		Language: "de", By: &privacy.Actor{Role: privacy.ByAgent, Ref: "clerk Ottilie"}, Evidence: map[string]any{"signed": "Ines Example, +49 40 1234567"}})
	if err != nil {
		t.Fatal(err)
	}
	v.Tick(time.Hour)
	noon := v.Now()
	shop.For("sms-marketing").Consent(ines, privacy.StatusWithdrawn)
	v.As("sms").For("sms-marketing").Consent(vaulttest.By("phone_number", "+49 40 7654321"), privacy.StatusRefused) // a STOP from a stranger

	all, end := consentsOf(t, v, vault.ExportRequest{Reason: "yearly audit"})
	if len(all) != 3 || end.Lines != 3 {
		t.Fatalf("got %d lines and %d counted, want 3", len(all), end.Lines)
	}
	for i, want := range []privacy.ConsentStatus{privacy.StatusGiven, privacy.StatusWithdrawn, privacy.StatusRefused} {
		if l := all[i]; l.Status != want || l.Purpose != "sms-marketing" || l.Subject == nil || l.Register != 1 || l.NoticeVersion != "2026-03" ||
			len(l.NoticeHash) != 64 || l.Lost != "" || i > 0 && l.LogIndex <= all[i-1].LogIndex || l.LogIndex >= end.Record {
			t.Errorf("line %d: got %+v, want %s", i, l, want)
		}
	}
	if l := all[0]; l.Consent != given.Consent || *l.Subject != ines.ID || l.Method != "paper_form" || l.Language != "de" || l.By != privacy.ByAgent || l.Until == nil || !*l.Effective {
		t.Errorf("the yes: got %+v", l)
	}
	told, _ := json.Marshal(all)
	for _, word := range []string{"Ines", "1234567", "7654321", "Ottilie"} {
		if strings.Contains(string(told), word) {
			t.Errorf("the export holds %q", word)
		}
	}
	// What was recorded before a time and what from then on share nothing and
	// leave nothing out.
	before, _ := consentsOf(t, v, vault.ExportRequest{To: noon})
	later, _ := consentsOf(t, v, vault.ExportRequest{From: noon})
	if len(before) != 1 || len(later) != 2 || later[0].LogIndex != all[1].LogIndex {
		t.Errorf("by time: got %d and %d lines, want 1 and 2", len(before), len(later))
	}
}

// Every question and what became of it, in the order of the log, look-ups and
// exports among them. What a client or an officer made up is not passed on.
func TestAuditorsSeeEveryDecision(t *testing.T) {
	v := vaulttest.New(t, nil)
	shop := v.As("store")
	ines := shop.Capture(map[string]any{"given_name": "Ines", "phone_number": "+49 40 1234567"})
	shop.For("order-fulfilment").Read(ines, "given_name", "phone_number").Released(map[string]any{"given_name": "Ines", "phone_number": "+49401234567"})
	v.As("sms").For("sms-marketing").Read(ines).Denied(privacy.CodeNoConsent)
	v.As("sms").For("sms-marketing").Read(vaulttest.By("phone_number", "+49 40 7654321")).Denied(privacy.CodeNoConsent)
	v.As("sms").For("call-ines-example").Read(ines).Refused(vault.CodeUnknownPurpose)
	shop.For("order-fulfilment").Read(ines, "given_name", "ines-example")
	if _, err := v.ConsentState(t.Context(), shop.Caller, ines.ID, "order-fulfilment"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Lookup(t.Context(), v.Officer, vaulttest.By("phone_number", "+49 40 1234567"), "Ines Example called"); err != nil {
		t.Fatal(err)
	}
	first, end := decisionsOf(t, v, vault.ExportRequest{Reason: "asked by Ines"})
	all, _ := decisionsOf(t, v, vault.ExportRequest{})
	if len(first) != 7 || len(all) != 8 || all[7].Kind != vault.LineExport || all[7].Export != "decisions" || all[7].Officer != "first" || all[7].LogIndex != end.Record {
		t.Fatalf("got %d lines, then %d, the last %+v; want 7, and then the export itself", len(first), len(all), all[len(all)-1])
	}
	for i, want := range []struct {
		kind, outcome string
		channel       privacy.ChannelID
		known         bool
	}{
		{vault.LineRead, vault.LineAllowed, "store", true},
		{vault.LineRead, vault.LineDenied, "sms", true},
		{vault.LineRead, vault.LineDenied, "sms", false},
		{vault.LineRead, vault.LineRefused, "sms", false},
		{vault.LineRead, vault.LineAllowed, "store", true},
		{vault.LineRead, vault.LineAllowed, "store", true},
		{vault.LineLookup, "", "", true},
	} {
		if l := first[i]; l.Kind != want.kind || l.Outcome != want.outcome || l.Channel != want.channel || (l.Subject != nil) != want.known || l.Decision == nil {
			t.Errorf("line %d: got %+v, want %+v", i, l, want)
		}
	}
	if l := first[0]; len(l.Released) != 2 || l.Policy == "" || l.Register != 1 || l.Standing == 0 {
		t.Errorf("the read: got %+v", l)
	}
	if l := first[1]; l.Withheld["phone_number"] != privacy.CodeNoConsent {
		t.Errorf("the denial: got %+v", l)
	}
	if l := first[4]; l.Withheld["…"] != privacy.CodeFieldNotInPurpose || len(l.Released) != 1 {
		t.Errorf("a field that is none: got %+v", l)
	}
	if !first[5].Peek {
		t.Error("a question whether: got it as a read")
	}
	told, _ := json.Marshal(all)
	for _, word := range []string{"Ines", "ines-example", "1234567", "7654321"} {
		if strings.Contains(string(told), word) {
			t.Errorf("the export holds %q", word)
		}
	}
}

// The register comes with all its revisions that were in force.
func TestAuditorsSeeTheRegisterAsItWas(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)})
	v.Tick(24 * time.Hour)
	change := v.Now()
	v.Apply(strings.Replace(vaulttest.Register, "retention: P10Y", "retention: P7Y", 1))
	lines := func(req vault.ExportRequest) (found map[uint64]map[string]vault.RegisterLine) {
		found = map[uint64]map[string]vault.RegisterLine{}
		_, err := v.ExportRegister(t.Context(), v.Officer, req, func(some []vault.RegisterLine) error {
			for _, l := range some {
				if found[l.Revision] == nil {
					found[l.Revision] = map[string]vault.RegisterLine{}
				}
				found[l.Revision][l.Kind+" "+l.ID] = l
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	all := lines(vault.ExportRequest{})
	orders := func(n uint64) vault.RegisterLine { return all[n]["purpose order-fulfilment"] }
	if len(all) != 2 || orders(1).Retention.String() != "P10Y" || orders(2).Retention.String() != "P7Y" || orders(2).By != "first" || !orders(2).At.After(change) {
		t.Errorf("got %+v", all)
	}
	given := all[1]["purpose sms-marketing"]
	if given.Basis != privacy.Consent || given.NoticeVersion != "2026-03" || len(given.NoticeHash) != 64 || given.ValidFor.String() != "P1Y" {
		t.Errorf("the notice: got %+v", given)
	}
	if len(lines(vault.ExportRequest{To: change})) != 1 || len(lines(vault.ExportRequest{From: change})) != 2 || len(lines(vault.ExportRequest{From: v.Now()})) != 1 {
		t.Error("by time: the first was in force until the second came")
	}
}

// A thousand and more lines come in pages, each line once, while others read.
func TestAnExportComesInPages(t *testing.T) {
	v := vaulttest.New(t, nil)
	shop := v.As("store")
	ines := shop.Capture(map[string]any{"given_name": "Ines"})
	const reads, at = 2100, 21
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			for range reads / at {
				_, _ = v.Read(t.Context(), shop.Caller, vault.ReadRequest{Subject: ines, Purpose: "order-fulfilment"})
			}
		})
	}
	all.Wait()
	pages, seen := 0, map[uint64]bool{}
	end, err := v.ExportDecisions(t.Context(), v.Officer, vault.ExportRequest{}, func(some []vault.DecisionLine) error {
		pages++
		if len(some) > 1000 {
			t.Errorf("a page of %d lines", len(some))
		}
		for _, l := range some {
			seen[l.LogIndex] = true
		}
		_, err := v.Read(t.Context(), shop.Caller, vault.ReadRequest{Subject: ines, Purpose: "order-fulfilment"})
		return err
	})
	if err != nil || end.Lines != reads || len(seen) != reads || pages < 3 {
		t.Errorf("got %d lines, %d of them different, in %d pages, %v; want %d", end.Lines, len(seen), pages, err, reads)
	}
}

// What cannot be opened is a line that says so, and no end of the export.
func TestALostRecordIsALineOfItsOwn(t *testing.T) {
	v := vaulttest.New(t, nil)
	shop := v.As("store")
	ines := shop.Capture(map[string]any{"given_name": "Ines", "phone_number": "+49 40 1234567"})
	jo := shop.Capture(map[string]any{"given_name": "Jo", "phone_number": "+49 40 7654321"})
	for _, who := range []vaulttest.Person{ines, jo} {
		shop.For("sms-marketing").Consent(who, privacy.StatusGiven)
	}
	if _, err := v.Keys.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("deks", v.RowKey("deks", ines.ID[:])) }); err != nil {
		t.Fatal(err)
	}
	all, end := consentsOf(t, v, vault.ExportRequest{})
	if end.Lines != 2 || all[0].Lost != vault.LostDamaged || all[0].Status != "" || *all[0].Subject != ines.ID || all[1].Lost != "" || all[1].Status != privacy.StatusGiven {
		t.Errorf("got %+v", all)
	}
}

func TestWhoMayExport(t *testing.T) {
	v := vaulttest.New(t, nil)
	none := func(some []vault.ConsentLine) error { return fmt.Errorf("%d lines were shown", len(some)) }
	size := v.Store.Size()
	if _, err := v.ExportConsents(t.Context(), v.As("store").Caller, vault.ExportRequest{}, none); !errors.Is(err, &vault.Error{Code: vault.CodeForbidden}) {
		t.Errorf("a channel: got %v", err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for what, req := range map[string]vault.ExportRequest{
		"to before from":   {From: noon, To: noon.Add(-time.Hour)},
		"an empty span":    {From: noon, To: noon},
		"a long reason":    {Reason: strings.Repeat("x", 501)},
		"a reason of sort": {Reason: "a\x00b"},
	} {
		if _, err := v.ExportConsents(t.Context(), v.Officer, req, none); !errors.Is(err, &vault.Error{Code: vault.CodeInvalidRequest}) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if v.Store.Size() != size {
		t.Error("what was refused stands in the log as an export")
	}
	// An officer whose secret is no longer good goes no further.
	gone := v.Officer
	gone.Client.SecretID = "revoked"
	if _, err := v.ExportConsents(t.Context(), gone, vault.ExportRequest{}, none); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("a secret that was revoked: got %v", err)
	}
}

// A withdrawal that only the ledger kept over a crash is in the export too.
func TestAuditorsSeeWhatWasFinishedFromTheLedger(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Store: w.wrap})
	shop := v.As("store")
	ines := shop.Capture(map[string]any{"given_name": "Ines", "phone_number": "+49 40 1234567"})
	shop.For("sms-marketing").Consent(ines, privacy.StatusGiven)
	crashAfterLedger(t, w, func() error {
		_, err := v.RecordConsent(t.Context(), shop.Caller, vault.ConsentRequest{Subject: ines, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "letter"})
		return err
	})
	crashAfterLedger(t, w, func() error {
		return v.RecordGround(t.Context(), shop.Caller, vault.GroundRequest{Subject: ines, Purpose: "order-fulfilment", Status: vault.GroundEnded})
	})
	restart(t, v)
	all, _ := consentsOf(t, v, vault.ExportRequest{})
	if len(all) != 2 || !all[1].Finished || all[1].Status != privacy.StatusWithdrawn || *all[1].Subject != ines.ID || all[1].Consent == (privacy.ConsentID{}) {
		t.Errorf("got %+v", all)
	}
}

// Who asked whether to contact somebody, and was told no, stands there too, and
// not about what: a channel's names may say anything.
func TestAuditorsSeeWhoAskedToContact(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: desks, Now: march})
	ana := saysYes(v, told("email", "ana@example.org", "phone_number", "+49 30 901820"))
	sms := v.As("sms").For("sms-marketing")
	sms.May(ana, offer("gigabit-for-ana")).Yes()
	v.As("web").Touch(ana, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "gigabit-for-ana", Ref: "order-of-ana"})
	sms.Do(ana, offer("gigabit-for-ana")).No("already_ordered", time.Time{})
	if _, err := v.As("d1").For("order-fulfilment").Ask(ana, "address"); err != nil {
		t.Fatal(err)
	}
	lines, _ := decisionsOf(t, v, vault.ExportRequest{})
	if len(lines) != 3 || lines[0].Touch != "offer" || lines[0].Outcome != vault.LineAllowed || !lines[0].Peek || lines[1].Touch != "offer" || lines[1].Outcome != vault.LineDenied ||
		lines[1].Code != "already_ordered" || lines[2].Touch != "ask" || lines[2].Outcome != vault.LineAllowed {
		t.Errorf("got %+v, want an offer allowed, one denied, and a question", lines)
	}
	told, _ := json.Marshal(lines)
	for _, madeUp := range []string{"for-ana", "of-ana", "ana@"} {
		if strings.Contains(string(told), madeUp) {
			t.Errorf("the export holds what was made up: %s", told)
		}
	}
}
