package vault_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

const shop = vaulttest.Register + `context:
  - {name: step, type: string}
`

// A shop's spring: Mina agrees to text messages, Ben agrees and takes it back,
// channels ask for more than they are given.
func spring(t *testing.T) (v *vaulttest.Vault, mina, ben vaulttest.Person) {
	t.Helper()
	v = vaulttest.New(t, &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Register: shop})
	mina = v.As("web").Capture(map[string]any{"given_name": "Mina", "email": "mina@example.org", "phone_number": "+4930901820", "birthdate": "1990-04-01"})
	ben = v.As("web").Capture(map[string]any{"given_name": "Ben", "email": "ben@example.org", "phone_number": "+4930901821"})
	store, sms := v.As("store").For("sms-marketing"), v.As("sms").For("sms-marketing")
	sms.Read(mina).Denied(privacy.CodeNoConsent)
	v.Tick(24 * time.Hour)
	store.Consent(mina, privacy.StatusGiven)
	store.Consent(ben, privacy.StatusGiven)
	sms.Read(mina)
	v.Tick(48 * time.Hour)
	v.As("sms").For("sms-marketing").Consent(ben, privacy.StatusWithdrawn)
	sms.Read(ben).Denied(privacy.CodeNoConsent)
	sms.Read(mina, "given_name", "email") // not for this purpose
	v.As("web").For("order-fulfilment").Read(mina, "email", "birthdate")
	v.As("web").For("sms-marketing").Read(mina).Refused(vault.CodePurposeNotGranted)
	v.As("web").For("mina-the-customer").Read(mina).Refused(vault.CodeUnknownPurpose)
	return v, mina, ben
}

// An officer finds decisions by channel, purpose, code, person and time, the
// latest first, a page at a time, and sees no value.
func TestAnOfficerFindsDecisions(t *testing.T) {
	v, mina, ben := spring(t)
	find := func(q vault.DecisionQuery) []string {
		t.Helper()
		var all []string
		for q.Limit = 2; ; {
			out, err := v.Decisions(t.Context(), v.Officer, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range out.Decisions {
				all = append(all, string(d.Channel)+" "+string(d.Purpose)+" "+d.Outcome)
			}
			if q.After = out.Next; q.After == "" {
				return all
			}
		}
	}
	all := find(vault.DecisionQuery{})
	if len(all) != 7 || all[0] != "web  refused" || all[1] != "web sms-marketing refused" || all[6] != "sms sms-marketing denied" {
		t.Errorf("all: %q", all)
	}
	if got := find(vault.DecisionQuery{Channel: "sms", Code: "no_consent"}); !slices.Equal(got, []string{"sms sms-marketing denied", "sms sms-marketing denied"}) {
		t.Errorf("denied to the sender: %q", got)
	}
	if got := find(vault.DecisionQuery{Code: "field_not_in_purpose"}); len(got) != 2 {
		t.Errorf("what no purpose lists: %q", got)
	}
	if got := find(vault.DecisionQuery{Purpose: "order-fulfilment"}); len(got) != 1 {
		t.Errorf("orders: %q", got)
	}
	if got := find(vault.DecisionQuery{Subject: &ben.ID}); len(got) != 1 {
		t.Errorf("about Ben: %q", got)
	}
	if got := find(vault.DecisionQuery{To: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}); len(got) != 1 {
		t.Errorf("on the first day: %q", got)
	}
	// Mina is erased, and what was decided about her is found no more.
	erase(t, v, mina)
	if got := find(vault.DecisionQuery{Channel: "sms"}); len(got) != 1 {
		t.Errorf("after an erasure: %q", got)
	}
	_, err := v.Decisions(t.Context(), v.As("sms").Caller, vault.DecisionQuery{Limit: 1})
	refusedWith(t, err, vault.CodeForbidden)
}

// Reports count what happened: consents day by day, denials by reason, what nothing
// maps, what nobody reads. How a client calls what does not exist is in none.
func TestReportsCountWhatHappened(t *testing.T) {
	v, mina, ben := spring(t)
	over, err := v.ConsentsOverTime(t.Context(), v.Officer, vault.ReportRequest{From: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil || over.Step != "day" || len(over.Purposes) != 1 || len(over.Purposes[0].Points) != 4 {
		t.Fatalf("consents: %+v, %v", over, err)
	}
	points := over.Purposes[0].Points
	if points[0].Standing != 0 || points[1].Given != 2 || points[1].Standing != 2 || points[2].Standing != 2 || points[3].Withdrawn != 1 || points[3].Standing != 1 {
		t.Errorf("consents day by day: %+v", points)
	}
	late, err := v.ConsentsOverTime(t.Context(), v.Officer, vault.ReportRequest{From: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)})
	if err != nil || len(late.Purposes[0].Points) != 2 || late.Purposes[0].Points[0].Standing != 2 {
		t.Errorf("what stood before the time: %+v, %v", late, err)
	}

	denials, err := v.Denials(t.Context(), v.Officer, vault.ReportRequest{})
	if err != nil || denials.Asked != 7 || denials.Denied != 4 || denials.Partly != 2 || len(denials.By) != 5 {
		t.Fatalf("denials: %+v, %v", denials, err)
	}
	if first := denials.By[0]; first.Channel != "sms" || first.Code != "no_consent" || first.Decisions != 2 || first.Fields != 4 {
		t.Errorf("the first denial: %+v", first)
	}

	gaps, err := v.Gaps(t.Context(), v.Officer, vault.ReportRequest{})
	if err != nil || len(gaps.Gaps) != 4 {
		t.Fatalf("gaps: %+v, %v", gaps, err)
	}
	for _, g := range gaps.Gaps {
		if strings.Contains(string(g.Purpose), "mina") || g.Closed {
			t.Errorf("gap: %+v", g)
		}
	}
	v.Apply(strings.Replace(shop, "fields: [given_name, phone_number], retention: P1Y", "fields: [given_name, phone_number, email], retention: P1Y", 1))
	if gaps, err = v.Gaps(t.Context(), v.Officer, vault.ReportRequest{}); err != nil || !slices.ContainsFunc(gaps.Gaps, func(g vault.Gap) bool { return g.Field == "email" && g.Closed }) {
		t.Errorf("a gap that was closed: %+v, %v", gaps, err)
	}

	unread := func() map[privacy.FieldName]vault.UnreadField {
		out, err := v.Unread(t.Context(), v.Officer, vault.ReportRequest{})
		if err != nil {
			t.Fatal(err)
		}
		by := map[privacy.FieldName]vault.UnreadField{}
		for _, f := range out.Fields {
			by[f.Field] = f
		}
		return by
	}
	by := unread()
	if f := by["birthdate"]; f.Held != 1 || f.Shown != 0 || f.Last != nil || len(f.Purposes) != 0 {
		t.Errorf("birthdays: %+v", f)
	}
	if f := by["email"]; f.Held != 2 || f.Shown != 1 || f.Last == nil {
		t.Errorf("e-mails: %+v", f)
	}
	if f := by["given_name"]; f.Held != 2 || f.Shown != 2 || f.Purposes[1].Shown != 2 {
		t.Errorf("given names: %+v", f)
	}

	// Who was erased counts no more, and that something does is said.
	erase(t, v, ben)
	if out, err := v.Denials(t.Context(), v.Officer, vault.ReportRequest{}); err != nil || out.Asked != 6 || out.Lost != 1 {
		t.Errorf("after an erasure: %+v, %v", out, err)
	}
	if f := unread()["email"]; f.Held != 1 {
		t.Errorf("e-mails after an erasure: %+v", f)
	}
	// Consent given for a year is over after it.
	v.Tick(400 * 24 * time.Hour)
	over, err = v.ConsentsOverTime(t.Context(), v.Officer, vault.ReportRequest{})
	if err != nil || over.Step != "month" || len(over.Purposes) != 1 || over.Lost != 2 {
		t.Fatalf("after a year: %+v, %v", over, err)
	}
	points = over.Purposes[0].Points
	if last := points[len(points)-1]; points[0].Standing != 1 || points[0].Given != 1 || last.Standing != 0 {
		t.Errorf("month by month: %+v", points)
	}
	_ = mina
	_, err = v.Denials(t.Context(), v.As("sms").Caller, vault.ReportRequest{})
	refusedWith(t, err, vault.CodeForbidden)
}
