package vault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// The record of processing activities is the register in force, purpose by
// purpose: what is kept of people, why, for how long, and who reads it.
func TestTheRecordOfProcessingActivitiesIsTheRegister(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: vaulttest.Register + "matrix:\n  - {purpose: order-fulfilment, channel: store, field: email, as: mask}\n"})
	report, err := v.ProcessingActivities(t.Context(), v.Officer)
	if err != nil || report.Register != 1 || report.Controller.Name != "Northgate" || len(report.Activities) != 2 || len(report.Security) == 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
	order, sms := report.Activities[0], report.Activities[1]
	if order.Article != "Art. 6(1)(b)" || order.Retention != "P10Y" || len(order.Fields) != 5 || !slices.Contains(order.Categories, "pd:EmailAddress") || order.Special {
		t.Errorf("orders: got %+v", order)
	}
	if len(order.Channels) != 2 || order.Channels[1].Channel != "store" || order.Channels[1].Shown["email"] != "partial" || len(order.Channels[0].Shown) != 0 {
		t.Errorf("who reads orders: got %+v", order.Channels)
	}
	if phone := order.Fields[3]; phone.Field != "phone_number" || !slices.Equal(phone.Captured, []privacy.ChannelID{"web", "store"}) || phone.Retention != "P3Y" {
		t.Errorf("telephones: got %+v", phone)
	}
	if sms.Article != "Art. 6(1)(a)" || sms.Notice != "2026-03" || sms.ConsentFor != "P1Y" {
		t.Errorf("text messages: got %+v", sms)
	}
	// What changes in the register changes in the record.
	v.Apply(vaulttest.Register)
	if report, err = v.ProcessingActivities(t.Context(), v.Officer); err != nil || report.Register != 2 || len(report.Activities[0].Channels[1].Shown) != 0 {
		t.Errorf("after a change: got %+v, %v", report, err)
	}
	_, err = v.ProcessingActivities(t.Context(), v.As("web").Caller)
	refusedWith(t, err, vault.CodeForbidden)
}

// The shop's secret was stolen in April. The report says of whom it was shown
// what in that time, and what was written by it, and that it was asked for is
// recorded.
func TestABreachReportSaysWhatAChannelWasShown(t *testing.T) {
	start := time.Date(2026, 3, 20, 8, 0, 0, 0, time.UTC)
	v := vaulttest.New(t, &vaulttest.Options{Now: start, Register: vaulttest.Register + "matrix:\n  - {purpose: order-fulfilment, channel: web, field: phone_number, as: last4}\n"})
	web := v.As("web").For("order-fulfilment")
	mina := v.As("web").Capture(map[string]any{"given_name": "Mina", "email": "mina@example.org", "phone_number": "+4930901820"})
	ben := v.As("web").Capture(map[string]any{"email": "ben@example.org"})
	web.Read(mina) // before
	v.Tick(20 * 24 * time.Hour)
	first := v.Now()
	web.Read(mina, "email", "phone_number")
	web.Read(mina, "email")
	web.Read(ben)
	web.Read(vaulttest.By("email", "nobody@example.org"))
	v.As("store").For("order-fulfilment").Read(mina)
	v.As("web").Capture(map[string]any{"email": "mina@example.org", "given_name": "Mallory"})
	v.Tick(time.Hour)
	last := v.Now()
	v.Tick(20 * 24 * time.Hour)
	web.Read(ben) // after
	erase(t, v, ben)

	var people []vault.BreachLine
	req := vault.BreachRequest{Channel: "web", ExportRequest: vault.ExportRequest{From: first, To: last, Reason: "a stolen secret"}}
	report, err := v.Breach(t.Context(), v.Officer, req, func(lines []vault.BreachLine) error {
		people = append(people, lines...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Ben was erased since: nobody can say any more what was shown of him.
	if report.Asked != 3 || report.Answered != 2 || report.People != 1 || report.Erased != 1 || report.Special || report.Wrote != (vault.BreachWrote{Captures: 1, People: 1}) {
		t.Errorf("got %+v", report)
	}
	if len(report.Fields) != 2 || report.Fields[0].Field != "email" || report.Fields[0].Released != 2 || report.Fields[0].People != 1 || report.Fields[0].Category != "pd:EmailAddress" ||
		report.Fields[1].Field != "phone_number" || report.Fields[1].Masked != 1 {
		t.Errorf("fields: got %+v", report.Fields)
	}
	if len(people) != 1 || people[0].Subject != mina.ID || people[0].Decisions != 2 || people[0].First.Before(first) || !slices.Equal(people[0].Masked, []privacy.FieldName{"phone_number"}) {
		t.Errorf("people: got %+v", people)
	}
	recorded := 0
	_, err = v.ExportDecisions(t.Context(), v.Officer, vault.ExportRequest{}, func(lines []vault.DecisionLine) error {
		for _, l := range lines {
			if l.Export == "breach" && l.LogIndex == report.Log.Index {
				recorded++
			}
		}
		return nil
	})
	if err != nil || recorded != 1 {
		t.Errorf("recorded %d times, %v, want once", recorded, err)
	}
	_, err = v.Breach(t.Context(), v.Officer, vault.BreachRequest{Channel: "nowhere"}, nil)
	refusedWith(t, err, vault.CodeInvalidRequest)
}
