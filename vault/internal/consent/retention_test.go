package consent_test

import (
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// keeping is a register whose purposes keep the same field for different times.
const keeping = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: email, type: email, category: "pd:EmailAddress", retention: P3Y}
  - {name: vat_id, type: string, category: "pd:Tax"}
purposes:
  - {id: order, title: Order, benefit: Order, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [email], retention: P2Y}
  - {id: invoice, title: Invoice, dpv: "dpv:LegalCompliance", basis: legal_obligation, fields: [email, vat_id], retention: P10Y}
  - {id: archive, title: Archive, dpv: "dpv:LegalCompliance", basis: legal_obligation, fields: [vat_id]}
  - {id: club, title: Club, benefit: Club, dpv: "dpv:DirectMarketing", basis: contract, fields: [email]}
  - {id: news, title: News, benefit: News, dpv: "dpv:DirectMarketing", basis: consent, fields: [email], retention: P1Y, consent: {valid_for: P5Y, notice: {version: "1", text: News., purposes: [texts]}}}
  - {id: texts, title: Texts, benefit: Texts, dpv: "dpv:DirectMarketing", basis: consent, broader: news, fields: [email], retention: P2Y, consent: {notice: {version: "1", text: Texts.}}}
  - {id: ads, title: Ads, benefit: Ads, dpv: "dpv:DirectMarketing", basis: opt_out, jurisdictions: [US], fields: [vat_id], retention: P1Y}
channels:
  - {id: web, kind: web, purposes: [order]}
`

// A value lives until the latest end among the purposes that are live for the
// person, capped by its field's retention unless the law wants it longer.
func TestHowLongAValueLives(t *testing.T) {
	r, _, err := register.Parse("register.yaml", []byte(keeping))
	if err != nil {
		t.Fatal(err)
	}
	years := func(n int) time.Time { return noon.AddDate(n, 0, 0) }
	never := time.Time{}
	for _, c := range []struct {
		story string
		field privacy.FieldName
		what  map[privacy.PurposeID]string
		now   time.Time
		want  time.Time
	}{
		{"for nothing that is live: the field's own retention", "email", nil, noon, years(3)},
		{"for one purpose", "email", map[privacy.PurposeID]string{"order": "begun@1"}, noon, years(2)},
		{"for the longer of two", "email", map[privacy.PurposeID]string{"order": "begun@1", "news": "given@1", "texts": "refused@2"}, noon, years(2)},
		{"when the longer ended", "email", map[privacy.PurposeID]string{"order": "begun@1 ended@2", "news": "given@1", "texts": "refused@2"}, noon.Add(time.Hour), years(1)},
		{"when the consent was withdrawn", "email", map[privacy.PurposeID]string{"order": "begun@1", "news": "given@1 withdrawn@2"}, noon.Add(time.Hour), years(2)},
		{"a purpose without an end is capped by the field", "email", map[privacy.PurposeID]string{"club": "begun@1", "news": "given@1"}, noon, years(3)},
		{"the law is not", "email", map[privacy.PurposeID]string{"invoice": "begun@1", "order": "begun@1"}, noon, years(10)},
		{"nor beside a purpose without an end", "email", map[privacy.PurposeID]string{"invoice": "begun@1", "club": "begun@1"}, noon, years(10)},
		{"nor when the person says no to it", "email", map[privacy.PurposeID]string{"invoice": "begun@1 objected@2"}, noon.Add(time.Hour), years(10)},
		{"a law without an end keeps it for ever", "vat_id", map[privacy.PurposeID]string{"archive": "begun@1", "invoice": "begun@1"}, noon, never},
		{"a field without retention ends with its purpose", "vat_id", map[privacy.PurposeID]string{"invoice": "begun@1"}, noon, years(10)},
		{"a narrower purpose that a broader yes covers is live", "email", map[privacy.PurposeID]string{"news": "given@1"}, noon.Add(time.Hour), years(2)},
		{"and is not once it was refused", "email", map[privacy.PurposeID]string{"news": "given@1", "texts": "refused@2"}, noon.Add(time.Hour), years(1)},
		{"what may be used until somebody opts out is live", "vat_id", nil, noon, years(1)},
		{"and is not once they did", "vat_id", map[privacy.PurposeID]string{"ads": "opted_out@1", "invoice": "begun@1"}, noon.Add(time.Hour), years(10)},
		{"an expired consent is not live", "email", map[privacy.PurposeID]string{"news": "given@1"}, years(6), years(3)},
	} {
		t.Run(c.story, func(t *testing.T) {
			s := &consent.Standing{}
			for id, what := range c.what {
				live(t, s, purpose(t, r, id), what)
			}
			f, _ := r.Field(c.field)
			if got := s.ValueEnd(r, f, noon, c.now); !got.Equal(c.want) {
				t.Errorf("end: got %s, want %s", got, c.want)
			}
			for age := -time.Hour; age < 12*365*24*time.Hour; age += 11 * time.Hour {
				end := s.ValueEnd(r, f, c.now.Add(-age), c.now)
				if got, want := s.Ended(r, f, c.now.Add(-age), c.now), !end.IsZero() && !c.now.Before(end); got != want {
					t.Errorf("a value that was observed %v ago and ends at %v: got ended %v", age, end, got)
				}
			}
		})
	}
}

// A STOP from somebody of whom nothing else is known makes a person who is
// nothing but their noes; anything more makes them somebody.
func TestWhoIsKnownByTheirNoesOnly(t *testing.T) {
	news := &register.Purpose{ID: "news", Basis: privacy.Consent}
	for _, c := range []struct {
		what     string
		captured bool
		want     bool
	}{
		{"", false, false},
		{"withdrawn@1", false, true},
		{"withdrawn@1 objected@2", false, true},
		{"withdrawn@1", true, false},
		{"withdrawn@1 given@2", false, false},
		{"given@2 withdrawn@3", false, true},
		{"withdrawn@1 begun@2", false, false},
		{"withdrawn@1 begun@2 ended@3", false, false},
	} {
		s := &consent.Standing{}
		live(t, s, news, c.what)
		if c.captured {
			s.Captured = append(s.Captured, "web")
		}
		if got := s.KnownByNarrowingOnly(); got != c.want {
			t.Errorf("%q, captured %v: got %v, want %v", c.what, c.captured, got, c.want)
		}
	}
}
