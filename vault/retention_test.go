package vault_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// limited is a shop that keeps names for three years, e-mail for one, and
// addresses for as long as the law wants to see invoices; of changed names it
// keeps the old ones for ninety days.
const limited = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:GivenName", retention: P3Y, history: P90D}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", retention: P1Y}
  - {name: address, type: address, category: "pd:PhysicalAddress", retention: P3Y}
  - {name: nickname, type: string, category: "pd:Name"}
purposes:
  - {id: order-fulfilment, title: Deliver what you ordered, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, email, address], retention: P10Y}
  - {id: invoices, title: Keep our books, dpv: "dpv:LegalCompliance", basis: legal_obligation, fields: [address], retention: P10Y}
channels:
  - {id: web, kind: web, purposes: [order-fulfilment], captures: [given_name, email, address, nickname]}
  - {id: books, kind: books, purposes: [invoices], captures: [address]}
settings: {erasure: {epoch_every: PT1H}}
`

const year = 365 * 24 * time.Hour

// crowded is a shop of limited with many whose time is never over meanwhile: it
// is so large that one more or less asks nobody.
func crowded(t *testing.T) *vaulttest.Vault {
	t.Helper()
	return crowdedOf(t, limited)
}

func crowdedOf(t *testing.T, register string) *vaulttest.Vault {
	t.Helper()
	v := vaulttest.New(t, &vaulttest.Options{Register: register, Now: march})
	var reqs []vault.CaptureRequest
	for i := range 60 {
		reqs = append(reqs, vaulttest.CaptureRequest(t, told("nickname", fmt.Sprintf("Crowd %d", i))))
	}
	if _, err := v.CaptureBatch(t.Context(), v.As("web").Caller, reqs); err != nil {
		t.Fatal(err)
	}
	return v
}

func keepLimits(t *testing.T, v *vaulttest.Vault) vault.Kept {
	t.Helper()
	k, err := v.KeepLimits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What is past its end is removed, though nobody asks for it: first the e-mail,
// by which she is then not found; old names after ninety days; and in the end all
// of her but the address on her invoices, until the law does not want it either.
func TestWhatIsPastItsEndIsRemoved(t *testing.T) {
	v := crowded(t)
	web := v.As("web")
	ana := web.Capture(map[string]any{"given_name": "Ana", "email": "ana@example.org", "address": anahita["address"]})
	books := vaulttest.CaptureRequest(t, map[string]any{"address": anahita["address"]})
	books.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("books").Caller, books); err != nil {
		t.Fatal(err)
	}
	again := vaulttest.CaptureRequest(t, told("given_name", "Anahita"))
	again.Subject = &ana
	if _, err := v.Capture(t.Context(), web.Caller, again); err != nil {
		t.Fatal(err)
	}
	if k := keepLimits(t, v); k.Touched != 0 || k.People != 61 {
		t.Errorf("at first: got %+v, want nothing to remove of 61", k)
	}

	v.Tick(91 * 24 * time.Hour)
	if k := keepLimits(t, v); k.Past != 1 || k.Values != 0 {
		t.Errorf("after 91 days: got %+v, want the old name removed", k)
	}
	if past, err := v.PastValues(t.Context(), ana.ID); err != nil || len(past) != 0 {
		t.Errorf("past values: got %v, %v", past, err)
	}

	v.Tick(year)
	if k := keepLimits(t, v); k.Values != 1 || k.Touched != 1 {
		t.Errorf("after a year: got %+v, want the e-mail removed", k)
	}
	web.For("order-fulfilment").Read(vaulttest.By("email", "ana@example.org")).Refused(vault.CodeUnknownSubject)
	web.For("order-fulfilment").Read(ana, "given_name", "email").Released(told("given_name", "Anahita"))
	if other := web.Capture(told("given_name", "Other", "email", "ana@example.org")); other.ID == ana.ID {
		t.Error("whoever has the e-mail now joined her")
	}
	phone := vaulttest.CaptureRequest(t, told("given_name", "Anahita Q."))
	phone.Subject = &ana
	if _, err := v.Capture(t.Context(), web.Caller, phone); err != nil { // all her values still open
		t.Error(err)
	}

	v.Tick(4 * year)
	keepLimits(t, v)
	web.For("order-fulfilment").Read(ana, "given_name", "address").Released(map[string]any{"address": anahita["address"]})
	v.Tick(4 * year)
	keepLimits(t, v)
	web.For("order-fulfilment").Ground(ana, vault.GroundEnded)
	v.As("books").For("invoices").Read(ana).Released(map[string]any{"address": anahita["address"]})
	v.Tick(year)
	if k := keepLimits(t, v); k.Erased == 0 {
		t.Errorf("after ten years: got %+v, want her erased", k)
	}
	web.For("order-fulfilment").Read(ana).Refused(vault.CodeUnknownSubject)
	v.As("books").For("invoices").Read(ana).Refused(vault.CodeUnknownSubject)
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
}

// An old copy of the data opens, with today's keys, for what was not past its end
// and for nothing else.
func TestAnOldCopyDoesNotOpenWhatIsPastItsEnd(t *testing.T) {
	v := crowded(t)
	ana := v.As("web").Capture(map[string]any{"given_name": "Ana", "email": "ana@example.org", "address": anahita["address"]})
	old := copyOf(t, v)
	v.Tick(year + time.Hour)
	if k := keepLimits(t, v); k.Values != 1 {
		t.Fatalf("got %+v, want the e-mail removed", k)
	}
	v.Stop()
	opened, _ := holding{data: old, keys: v.Dir, keyring: v.Dir, passphrase: true}.look(t, ana.ID, "ana@example.org")
	if slices.ContainsFunc(opened, func(s string) bool { return strings.HasPrefix(s, "email") }) || len(opened) != 2 {
		t.Errorf("an old copy opens %q, want name and address", opened)
	}
}

// A run that was cut off is finished by the next, whatever it is killed at.
func TestAKilledRunIsFinishedByTheNext(t *testing.T) {
	for _, at := range []string{"values to remove", "values removed"} {
		v := crowded(t)
		ana := v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
		v.Tick(year + time.Hour)
		k := kill(v, func(step string) bool { return step == at })
		if _, err := v.KeepLimits(t.Context()); !errors.Is(err, errKilled) {
			t.Fatalf("killed at %s: got %v", at, err)
		}
		reborn(t, v)
		if k.killed() != at {
			t.Errorf("killed at %q", k.killed())
		}
		v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Ana"))
		more := vaulttest.CaptureRequest(t, map[string]any{"address": anahita["address"]})
		more.Subject = &ana
		if _, err := v.Capture(t.Context(), v.As("web").Caller, more); err != nil { // waits for it
			t.Errorf("captured between two runs: %v", err)
		}
		keepLimits(t, v)
		v.As("web").For("order-fulfilment").Read(ana, "given_name", "address", "email").Released(map[string]any{"given_name": "Ana", "address": anahita["address"]})
		if n := len(entries(t, v, "rekeying")); n != 0 {
			t.Errorf("killed at %s: %d people wait for their key", at, n)
		}
	}
}

// A run that would touch too many asks; approved, it goes on; refused, it waits a
// day. While the clock is doubted nothing is removed, whoever approved.
func TestARunThatTouchesManyAsks(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: limited, Now: march})
	people := town2(t, v, 30)
	v.Tick(year + time.Hour)
	if k := keepLimits(t, v); !k.Asked || k.Touched != 30 || k.Values != 0 {
		t.Fatalf("got %+v, want it to ask and remove nothing", k)
	}
	keepLimits(t, v)
	asked := requestsOf(t, v)
	if len(asked) != 1 || asked[0].Kind != vault.RequestRetention || asked[0].Status != vault.RequestBlocked || asked[0].People != 30 || !strings.Contains(asked[0].Why, "30 people") {
		t.Fatalf("got %+v, want one request about 30 people", asked)
	}
	if _, err := v.RefuseRequest(t.Context(), v.Officer, asked[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err := v.ApproveRequest(t.Context(), v.Officer, asked[0].ID)
	refusedWith(t, err, vault.CodeWrongState)
	if k := keepLimits(t, v); !k.Asked || len(requestsOf(t, v)) != 1 {
		t.Errorf("refused a moment ago: got %+v and %d requests, want no other", k, len(requestsOf(t, v)))
	}
	v.Tick(25 * time.Hour)
	keepLimits(t, v)
	asked = requestsOf(t, v)
	if len(asked) != 2 {
		t.Fatalf("a day later: got %d requests, want another", len(asked))
	}
	v.Tick(-2 * time.Hour) // the clock is not believed
	if _, err := v.ApproveRequest(t.Context(), v.Officer, asked[1].ID); err != nil {
		t.Fatal(err)
	}
	if k := keepLimits(t, v); k != (vault.Kept{}) {
		t.Errorf("while the clock is doubted: got %+v, want nothing done", k)
	}
	v.Tick(2 * time.Hour)
	if err := v.ConfirmClock(t.Context(), v.Officer); err != nil {
		t.Fatal(err)
	}
	keepLimits(t, v) // or the background did it
	if done := requestsOf(t, v)[1]; done.Status != vault.RequestCompleted {
		t.Errorf("the request: got %+v", done)
	}
	for _, p := range people {
		v.As("web").For("order-fulfilment").Read(p, "email", "given_name").Released(told("given_name", "Ana"))
	}
}

// town2 captures people who are alike but for their e-mail.
func town2(t *testing.T, v *vaulttest.Vault, n int) (people []vaulttest.Person) {
	t.Helper()
	for i := range n {
		people = append(people, v.As("web").Capture(told("given_name", "Ana", "email", fmt.Sprintf("ana.%d@example.org", i))))
	}
	return people
}

// keys.db is lost, and the copy of it is from before a run replaced Ana's key: what
// she told after that nothing opens. That is said, and goes only when it is told to.
func TestValuesThatOlderKeysDoNotOpenGoOnlyWhenItIsSaid(t *testing.T) {
	v := crowded(t)
	web := v.As("web")
	ana := web.Capture(map[string]any{"given_name": "Ana", "email": "ana@example.org", "address": anahita["address"]})
	old := copyOf(t, v)
	v.Tick(year + time.Hour)
	if k := keepLimits(t, v); k.Values != 1 {
		t.Fatalf("got %+v, want the e-mail removed", k)
	}
	again := vaulttest.CaptureRequest(t, told("given_name", "Anahita"))
	again.Subject = &ana
	if _, err := v.Capture(t.Context(), web.Caller, again); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	from := remainsOf(v.Dir, v.Dir)
	from.keys, from.how.OlderKeys = filepath.Join(old, "keys.db"), true
	if _, _, err := restore(t, v, from); !errors.Is(err, vault.ErrUnreadable) {
		t.Fatalf("restored with older keys: got %v, want that values are unreadable", err)
	}
	from.how.DropUnreadable = true
	r, report := mustRestore(t, v, from)
	if report.ValuesGone == 0 {
		t.Errorf("the report: got %+v, want that it counts her name", report)
	}
	r.As("web").For("order-fulfilment").Read(ana).Released(map[string]any{"address": anahita["address"]})
}

// Whoever is held keeps everything, past its end or not.
func TestAHoldKeepsWhatIsPastItsEnd(t *testing.T) {
	v := crowded(t)
	ana := v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	hold, err := v.PlaceHold(t.Context(), v.Officer, vault.HoldRequest{Subject: vaulttest.By("email", "ana@example.org"), Reason: "Claim 1138"})
	if err != nil {
		t.Fatal(err)
	}
	v.Tick(year + time.Hour)
	if k := keepLimits(t, v); k.Touched != 0 {
		t.Errorf("held: got %+v", k)
	}
	v.As("web").For("order-fulfilment").Read(ana, "email", "given_name").Released(told("given_name", "Ana")) // it is not read for that
	if _, err := v.ReleaseHold(t.Context(), v.Officer, ana.ID, &hold.ID); err != nil {
		t.Fatal(err)
	}
	if k := keepLimits(t, v); k.Values != 1 {
		t.Errorf("released: got %+v", k)
	}
}

// The turn of keys that makes old copies of them worthless comes within a day of a
// run, and with the next erasure if that is earlier.
func TestTheKeysTurnForWhatARunRemoved(t *testing.T) {
	v := crowded(t)
	v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	v.Tick(year + time.Hour)
	keepLimits(t, v)
	epoch := func() uint32 {
		if err := v.Pursue(t.Context()); err != nil {
			t.Fatal(err)
		}
		now, err := v.KeyEpochs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return now.KEK
	}
	if got := epoch(); got != 1 {
		t.Errorf("at once: got epoch %d", got)
	}
	v.Tick(25 * time.Hour)
	if got := epoch(); got != 2 {
		t.Errorf("a day later: got epoch %d, want 2", got)
	}
	if got := epoch(); got != 2 {
		t.Errorf("with nothing more removed: got epoch %d, want 2", got)
	}
}

// A contract runs on when all that Ana told is past its end: nothing of it is kept any
// longer, but she is there, and may tell it again. When the contract ends too, she goes.
// Whoever said no and is known by nothing but an ID stays, or the no would be forgotten.
func TestAContractThatRunsKeepsThePersonAndNoValue(t *testing.T) {
	text := strings.Replace(limited, "basis: contract, fields: [given_name, email, address], retention: P10Y}\n", `basis: contract, fields: [given_name, email, address], retention: P2Y}
  - {id: ads, title: Ads, dpv: "dpv:DirectMarketing", basis: opt_out, jurisdictions: [US], fields: [given_name], retention: P1Y}
`, 1)
	v := crowdedOf(t, text)
	web := v.As("web")
	ana := web.Capture(told("given_name", "Ana", "email", "ana@example.org"))
	ben := web.Capture(told("given_name", "Ben", "email", "ben@example.org"))
	web.For("ads").Consent(ben, privacy.StatusOptedOut)
	v.Tick(4 * year)
	if k := keepLimits(t, v); k.Values != 4 || k.Erased != 0 {
		t.Errorf("after four years: got %+v, want four values removed and nobody erased", k)
	}
	if k := keepLimits(t, v); k.Touched != 0 {
		t.Errorf("once more: got %+v, want nothing left to do", k)
	}
	web.For("order-fulfilment").Read(vaulttest.By("email", "ana@example.org")).Refused(vault.CodeUnknownSubject)
	web.For("order-fulfilment").Read(ana).Released(map[string]any{})
	for _, who := range []vaulttest.Person{ana, ben} {
		web.For("order-fulfilment").Ground(who, vault.GroundEnded)
	}
	if k := keepLimits(t, v); k.Erased != 1 {
		t.Errorf("the contracts ended: got %+v, want one erased", k)
	}
	web.For("order-fulfilment").Read(ana).Refused(vault.CodeUnknownSubject)
	web.For("order-fulfilment").Read(ben).Denied("no_ground")
}

// Whose data is only to be stored keeps everything, past its end or not.
func TestARestrictionKeepsWhatIsPastItsEnd(t *testing.T) {
	v := crowded(t)
	ana := v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	restrict := func(on bool) {
		t.Helper()
		if err := v.Restricted(t.Context(), ana.ID, on); err != nil {
			t.Fatal(err)
		}
	}
	restrict(true)
	v.Tick(year + time.Hour)
	if k := keepLimits(t, v); k.Touched != 0 {
		t.Errorf("restricted: got %+v", k)
	}
	restrict(false)
	if k := keepLimits(t, v); k.Values != 1 {
		t.Errorf("no longer restricted: got %+v", k)
	}
}

// The disk is lost a year later, and the copy that is restored is from before her
// e-mail's time was over. Its key is gone for ever; so is the e-mail, then, and she is
// found, read and captured as she would be had nobody lost a disk. It is the same if the
// index has turned since and is made anew.
func TestACopyFromBeforeARunIsRestoredWithoutWhatTheRunRemoved(t *testing.T) {
	for story, turned := range map[string]bool{"": false, "the keys turned since": true} {
		t.Run(story, func(t *testing.T) {
			v := crowded(t)
			web := v.As("web")
			ana := web.Capture(told("given_name", "Ana", "email", "ana@example.org"))
			ben := web.Capture(told("email", "ben@example.org")) // of whom no value will be left
			again := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Anahita", "address": anahita["address"]})
			again.Subject = &ana
			if _, err := v.Capture(t.Context(), web.Caller, again); err != nil { // so that there is an old name
				t.Fatal(err)
			}
			v.Tick(year - time.Hour)
			eva := web.Capture(told("given_name", "Eva", "email", "eva@example.org"))
			old := copyOf(t, v)
			v.Tick(2 * time.Hour)
			if k := keepLimits(t, v); k.Values != 2 || k.Past != 1 {
				t.Fatalf("got %+v, want two e-mails and an old name removed", k)
			}
			if turned {
				completed(t, v, erase(t, v, eva).ID)
			}
			v.Stop()

			r, report := mustRestore(t, v, remainsOf(v.Dir, old))
			if report.ValuesGone != 3 {
				t.Errorf("the report: got %+v, want that it tells of two e-mails and a name", report)
			}
			web = r.As("web")
			web.For("order-fulfilment").Read(vaulttest.By("email", "ana@example.org")).Refused(vault.CodeUnknownSubject)
			web.For("order-fulfilment").Read(vaulttest.By("email", "ben@example.org")).Refused(vault.CodeUnknownSubject)
			web.For("order-fulfilment").Read(ana).Released(map[string]any{"given_name": "Anahita", "address": anahita["address"]})
			if past, err := r.PastValues(t.Context(), ana.ID); err != nil || len(past) != 0 {
				t.Errorf("past values: got %v, %v", past, err)
			}
			for _, who := range []vaulttest.Person{ana, ben} {
				more := vaulttest.CaptureRequest(t, told("given_name", "Anna", "email", who.ID.String()+"@example.org"))
				more.Subject = &who
				if _, err := r.Capture(t.Context(), web.Caller, more); err != nil {
					t.Fatalf("captured after the restore: %v", err)
				}
				web.For("order-fulfilment").Read(vaulttest.By("email", who.ID.String()+"@example.org"), "given_name").Released(told("given_name", "Anna"))
			}
			if !turned {
				web.For("order-fulfilment").Read(vaulttest.By("email", "eva@example.org"), "given_name").Released(told("given_name", "Eva"))
			}
			r.Tick(4 * year)
			keepLimits(t, r)
			rotate(t, r, all)
			r.Tick(2 * time.Hour) // the next turn
			completed(t, r, erase(t, r, ana).ID)
			if _, err := r.VerifyLog(t.Context(), nil); err != nil {
				t.Errorf("verifying the log: %v", err)
			}
		})
	}
}
