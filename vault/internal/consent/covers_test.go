package consent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// northgate has a broad purpose, whose notice names a narrow one, and channels
// of its own and of a third party.
const northgate = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:Name", retention: P3Y}
  - {name: email, type: email, category: "pd:EmailAddress", retention: P3Y}
  - {name: phone_number, type: phone, category: "pd:TelephoneNumber", retention: P3Y}
  - {name: allergy, type: string, category: "pd:Health", special: true, retention: P3Y}
purposes:
  - {id: marketing, title: News, benefit: News, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, email, phone_number], recipients: [Postbote, Kurzfunk], retention: P1Y, consent: {valid_for: P1Y, notice: {version: "1", text: News., purposes: [sms]}}}
  - {id: sms, title: Texts, benefit: Texts, dpv: "dpv:DirectMarketing", basis: consent, broader: marketing, fields: [given_name, phone_number], recipients: [Kurzfunk], retention: P1Y, consent: {valid_for: P2Y, notice: {version: "1", text: Texts.}}}
  - {id: flash, title: Flash, benefit: Flash, dpv: "dpv:DirectMarketing", basis: consent, broader: sms, fields: [phone_number], retention: P1Y, consent: {notice: {version: "1", text: Flash.}}}
channels:
  - {id: own, kind: sms, purposes: [marketing, sms, flash]}
  - {id: kurzfunk, kind: sms, purposes: [marketing, sms], recipient: Kurzfunk}
  - {id: postbote, kind: mail, purposes: [marketing], recipient: Postbote}
`

// edited is northgate with parts replaced, each of which must be there once.
func edited(t testing.TB, pairs ...string) *register.Register {
	t.Helper()
	text := northgate
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("the register has %q %d times, want once", pairs[i], strings.Count(text, pairs[i]))
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	r, _, err := register.Parse("register.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func purpose(t testing.TB, r *register.Register, id privacy.PurposeID) *register.Purpose {
	t.Helper()
	p, ok := r.Purpose(id)
	if !ok {
		t.Fatalf("no purpose %s", id)
	}
	return p
}

// say records acts, written "marketing:given@1", as shown by a register.
func say(t testing.TB, s *consent.Standing, shown *register.Register, acts string) {
	t.Helper()
	for word := range strings.FieldsSeq(acts) {
		id, rest, _ := strings.Cut(word, ":")
		status, at, _ := strings.Cut(rest, "@")
		var n int
		if _, err := fmt.Sscan(at, &n); err != nil {
			t.Fatalf("act %q: want purpose:status@minute", word)
		}
		s.Record(consent.Act{Purpose: privacy.PurposeID(id), Status: privacy.ConsentStatus(status), At: minute(n), Shown: purpose(t, shown, privacy.PurposeID(id))})
	}
}

func TestAConsentCoversWhatWasShownAsFarAsItIsStillGranted(t *testing.T) {
	const (
		marketing = "fields: [given_name, email, phone_number], recipients: [Postbote, Kurzfunk]"
		sms       = "fields: [given_name, phone_number], recipients: [Kurzfunk]"
	)
	for _, c := range []struct {
		story   string
		shown   []string // edits of the register it was given under
		now     []string // edits of the register in force
		acts    string
		purpose privacy.PurposeID
		channel privacy.ChannelID
		want    string
	}{
		{"nothing was said", nil, nil, "", "marketing", "own", "[]"},
		{"what was shown", nil, nil, "marketing:given@1", "marketing", "own", "[given_name email phone_number]"},
		{"withdrawn", nil, nil, "marketing:given@1 marketing:withdrawn@2", "marketing", "own", "[]"},
		{"a field added later is not covered", []string{marketing, "fields: [given_name, phone_number], recipients: [Postbote, Kurzfunk]"}, nil, "marketing:given@1", "marketing", "own", "[given_name phone_number]"},
		{"nor is it by saying the same of another purpose", []string{marketing, "fields: [given_name, phone_number], recipients: [Postbote, Kurzfunk]"}, nil, "marketing:given@1 sms:given@2", "marketing", "own", "[given_name phone_number]"},
		{"a field no longer granted is not covered", nil, []string{marketing, "fields: [given_name, phone_number], recipients: [Postbote, Kurzfunk]"}, "marketing:given@1", "marketing", "own", "[given_name phone_number]"},
		{"a recipient who was shown", nil, nil, "marketing:given@1", "marketing", "kurzfunk", "[given_name email phone_number]"},
		{"a recipient added later", []string{marketing, "fields: [given_name, email, phone_number], recipients: [Postbote]", sms, "fields: [given_name, phone_number], recipients: [Kurzfunk]", "  - {id: kurzfunk, kind: sms, purposes: [marketing, sms], recipient: Kurzfunk}\n", ""}, nil, "marketing:given@1", "marketing", "kurzfunk", "[]"},

		{"the broader covers the narrower that its notice named", nil, nil, "marketing:given@1", "sms", "own", "[given_name phone_number]"},
		{"for the recipient too, who was shown with the broader", nil, nil, "marketing:given@1", "sms", "kurzfunk", "[given_name phone_number]"},
		{"not if its notice named none", []string{"text: News., purposes: [sms]", "text: News."}, nil, "marketing:given@1", "sms", "own", "[]"},
		{"not if the notice names it only since", []string{"text: News., purposes: [sms]", "text: News."}, nil, "marketing:given@1", "sms", "own", "[]"},
		{"not over two steps of which one was not named", nil, nil, "marketing:given@1", "flash", "own", "[]"},
		{"the narrower does not cover the broader", nil, nil, "sms:given@1", "marketing", "own", "[]"},
		{"not if the narrower has a field the broader lacks", nil, []string{sms, "fields: [given_name, phone_number, email], recipients: [Kurzfunk]", marketing, "fields: [given_name, phone_number], recipients: [Postbote, Kurzfunk]"}, "marketing:given@1", "sms", "own", "[]"},
		{"only the fields that the broader was shown with", []string{marketing, "fields: [given_name, email], recipients: [Postbote, Kurzfunk]", sms, "fields: [given_name], recipients: [Kurzfunk]", "broader: sms, fields: [phone_number]", "broader: sms, fields: [given_name]"}, nil, "marketing:given@1", "sms", "own", "[given_name]"},
		{"not once they are no longer one part of the other", nil, []string{"broader: marketing, ", "", "text: News., purposes: [sms]", "text: News."}, "marketing:given@1", "sms", "own", "[]"},
		{"not if the narrower was refused since", nil, nil, "marketing:given@1 sms:refused@2", "sms", "own", "[]"},
		{"not if the narrower was refused at that very moment", nil, nil, "marketing:given@2 sms:refused@2", "sms", "own", "[]"},
		{"but a yes to the broader counts again after it", nil, nil, "sms:refused@2 marketing:given@3", "sms", "own", "[given_name phone_number]"},
		{"and so does one that came before it and is heard of late? no", nil, nil, "sms:refused@3 marketing:given@2", "sms", "own", "[]"},
		{"not if the broader was withdrawn", nil, nil, "marketing:given@1 marketing:withdrawn@2", "sms", "own", "[]"},
		{"a yes of its own stays when the broader ends", nil, nil, "marketing:given@1 sms:given@1 marketing:withdrawn@2", "sms", "own", "[given_name phone_number]"},
	} {
		t.Run(c.story, func(t *testing.T) {
			now, s := edited(t, c.now...), &consent.Standing{}
			say(t, s, edited(t, c.shown...), c.acts)
			ch, _ := now.Channel(c.channel)
			got := s.Covers(now, purpose(t, now, c.purpose), ch, minute(60))
			if fmt.Sprint(got.Fields) != c.want {
				t.Errorf("covered: got %v, want %s", got.Fields, c.want)
			}
		})
	}
}

// A special category needs an explicit yes of its own: neither is it covered by
// a broader purpose, nor does one that has any cover a narrower one.
func TestSpecialCategoriesAreNotCoveredByAnythingBroader(t *testing.T) {
	explicit := `{valid_for: P1Y, explicit: true, notice: {version: "1", text: News., purposes: [sms]}}`
	plain := `{valid_for: P1Y, notice: {version: "1", text: News., purposes: [sms]}}`
	narrowExplicit := `{valid_for: P2Y, explicit: true, notice: {version: "1", text: Texts.}}`
	const narrowPlain = `{valid_for: P2Y, notice: {version: "1", text: Texts.}}`
	const wide, narrow = "fields: [given_name, email, phone_number]", "fields: [given_name, phone_number]"

	both := edited(t, wide, "fields: [given_name, email, phone_number, allergy]", plain, explicit, narrow, "fields: [given_name, allergy]", narrowPlain, narrowExplicit,
		"broader: sms, fields: [phone_number]", "broader: sms, fields: [given_name]")
	s := &consent.Standing{}
	say(t, s, both, "marketing:given@1")
	own, _ := both.Channel("own")
	if got := s.Covers(both, purpose(t, both, "sms"), own, minute(2)); len(got.Fields) > 0 {
		t.Errorf("a narrower purpose of a special category: got %v covered by the broader one", got.Fields)
	}
	say(t, s, both, "sms:given@2")
	if got := s.Covers(both, purpose(t, both, "sms"), own, minute(3)); len(got.Fields) != 2 || !got.Explicit {
		t.Errorf("with a yes of its own: got %+v, want both fields, explicitly", got)
	}

	broad := edited(t, wide, "fields: [given_name, email, phone_number, allergy]", plain, explicit)
	s = &consent.Standing{}
	say(t, s, broad, "marketing:given@1")
	own, _ = broad.Channel("own")
	if got := s.Covers(broad, purpose(t, broad, "sms"), own, minute(2)); len(got.Fields) > 0 {
		t.Errorf("a broader purpose of a special category: it covered %v of a narrower one", got.Fields)
	}
	// That the register calls a field special only since counts too.
	s = &consent.Standing{}
	say(t, s, edited(t), "marketing:given@1")
	if got := s.Covers(broad, purpose(t, broad, "sms"), own, minute(2)); len(got.Fields) > 0 {
		t.Errorf("a purpose that became special since: got %v", got.Fields)
	}
	if got := s.Covers(broad, purpose(t, broad, "marketing"), own, minute(2)); got.Explicit {
		t.Error("a yes that was not asked for in so many words became explicit")
	}
}

// What is covered ends when the first yes it rests on does.
func TestCoverageEndsWithTheYesItRestsOn(t *testing.T) {
	r, s := edited(t), &consent.Standing{}
	own, _ := r.Channel("own")
	say(t, s, r, "marketing:given@0")
	year := noon.AddDate(1, 0, 0)
	if got := s.Covers(r, purpose(t, r, "sms"), own, minute(1)); !got.Until.Equal(year) {
		t.Errorf("until: got %s, want %s, when the broader yes ends", got.Until, year)
	}
	for _, p := range []privacy.PurposeID{"marketing", "sms"} {
		if got := s.Covers(r, purpose(t, r, p), own, year); len(got.Fields) > 0 {
			t.Errorf("%s a year later: got %v, want nothing", p, got.Fields)
		}
		if got := s.Covers(r, purpose(t, r, p), own, year.Add(-time.Microsecond)); len(got.Fields) == 0 {
			t.Errorf("%s a moment before: got nothing", p)
		}
	}
}
