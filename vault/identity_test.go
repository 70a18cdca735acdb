package vault_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// crowd is a shop with two channels that capture the same things, and a
// telephone that may be a family's.
const crowd = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:Name", mask: initial, retention: P3Y}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", mask: partial, retention: P3Y}
  - {name: card, type: string, identifier: unique, category: "pd:Identifying", mask: last4, retention: P3Y}
  - {name: phone_number, type: phone, identifier: shared, category: "pd:TelephoneNumber", mask: last4, retention: P3Y}
purposes:
  - {id: order, title: Order, benefit: Order, dpv: "dpv:DeliveryOfGoods", basis: contract, fields: [given_name, email, phone_number, card], retention: P10Y}
  - {id: fraud, title: Fraud, benefit: Fraud, dpv: "dpv:FraudPreventionAndDetection", basis: legitimate_interests, fields: [email, phone_number], retention: P1Y}
  - {id: news, title: News, benefit: News, dpv: "dpv:DirectMarketing", basis: consent, fields: [given_name, email], retention: P1Y, consent: {notice: {version: "1", text: News.}}}
channels:
  - {id: web, kind: web, purposes: [order, fraud], captures: [given_name, email, card, phone_number]}
  - {id: app, kind: app, purposes: [order, fraud], captures: [given_name, email, card, phone_number]}
  - {id: desk, kind: store, purposes: [news], captures: [given_name, email, phone_number], obtains: [news]}
  - {id: mail, kind: mail, purposes: [news]}
`

func newCrowd(t *testing.T) *vaulttest.Vault {
	t.Helper()
	return vaulttest.New(t, &vaulttest.Options{Register: crowd})
}

// told makes what a person told, by field and value in turn.
func told(pairs ...string) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// verified is a capture in which the channel vouches for these fields.
func verified(t *testing.T, v *vaulttest.Vault, ch privacy.ChannelID, values map[string]any, fields ...privacy.FieldName) vaulttest.Person {
	t.Helper()
	req := vaulttest.CaptureRequest(t, values)
	req.Verified = fields
	res, err := v.Capture(t.Context(), v.As(ch).Caller, req)
	if err != nil {
		t.Fatalf("%s captures: %v", ch, err)
	}
	return vaulttest.ID(res.Subject)
}

// finds checks whom an identifier finds: the one of this first name, or nobody
// for "".
func finds(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, name string) {
	t.Helper()
	read := v.As("web").For("order").Read(who, "given_name")
	if name == "" {
		read.Refused(vault.CodeUnknownSubject)
		return
	}
	read.Released(map[string]any{"given_name": name})
}

func TestAHundredCapturesOfOneEmailAtOnceMakeOnePerson(t *testing.T) {
	v := newCrowd(t)
	web := v.As("web")
	var wg sync.WaitGroup
	subjects := make([]privacy.SubjectID, 100)
	for i := range subjects {
		wg.Go(func() {
			email := "anahita@example.org"
			if i%2 == 1 {
				email = "ANAHITA@Example.org"
			}
			res, err := v.Capture(t.Context(), web.Caller, vaulttest.CaptureRequest(t, told("email", email, "given_name", fmt.Sprint("Anahita ", i))))
			if err != nil {
				t.Errorf("capture %d: %v", i, err)
				return
			}
			subjects[i] = res.Subject
		})
	}
	wg.Wait()
	for i, s := range subjects {
		if s != subjects[0] {
			t.Fatalf("capture %d made %s, the first one %s", i, s, subjects[0])
		}
	}
	people := func(e store.Engine, b store.Bucket) (n int) {
		if err := e.View(t.Context(), func(s store.Snapshot) error {
			return s.Scan(b, nil, nil, func(_, _ []byte) error { n++; return nil })
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// The vault itself is one of two: nobody was left behind, no key either.
	if n := people(v.Store, "standing"); n != 2 {
		t.Errorf("standings: got %d, want the vault's and hers", n)
	}
	if n := people(v.Keys, "deks"); n != 2 {
		t.Errorf("keys: got %d, want the vault's and hers", n)
	}
	if n := people(v.Store, "index"); n != 1 {
		t.Errorf("rows of the index: got %d, want 1", n)
	}
}

// Two channels that know the same e-mail know two people, until both have
// verified that it is theirs.
func TestACaptureJoinsOnlyThroughItsOwnOrWhatBothVerified(t *testing.T) {
	v := newCrowd(t)
	v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita"))
	stranger := v.As("app").Capture(told("email", "a@example.org", "given_name", "Mallory"))
	finds(t, v, vaulttest.By("email", "a@example.org"), "Anahita")
	finds(t, v, stranger, "Mallory")

	// Each goes on with the one it captured itself.
	v.As("app").Capture(told("email", "a@example.org", "given_name", "Mallory II"))
	finds(t, v, stranger, "Mallory II")
	v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita II"))
	finds(t, v, vaulttest.By("email", "a@example.org"), "Anahita II")

	// One side's word is not enough.
	ben := verified(t, v, "web", told("email", "b@example.org", "given_name", "Ben"), "email")
	other := v.As("app").Capture(told("email", "b@example.org", "given_name", "Not Ben"))
	if other.ID == ben.ID {
		t.Error("an unverified e-mail joined somebody whose it is")
	}
	finds(t, v, vaulttest.By("email", "b@example.org"), "Ben")

	// Both sides' is.
	carla := verified(t, v, "web", told("email", "c@example.org", "given_name", "Carla"), "email")
	if got := verified(t, v, "desk", told("email", "c@example.org", "given_name", "Carla R."), "email"); got.ID != carla.ID {
		t.Error("both sides verified the e-mail and still made two people")
	}
	finds(t, v, carla, "Carla R.")

	// A shared identifier never joins, verified or not.
	dora := verified(t, v, "web", told("phone_number", "+49 30 901820", "given_name", "Dora"), "phone_number")
	if got := verified(t, v, "desk", told("phone_number", "+49 30 901820", "given_name", "Emil"), "phone_number"); got.ID == dora.ID {
		t.Error("a shared telephone joined two people")
	}
	if got := verified(t, v, "web", told("phone_number", "+49 30 901820", "given_name", "Franz"), "phone_number"); got.ID == dora.ID {
		t.Error("a shared telephone joined two people of one channel")
	}
}

// Verified by one channel and later by the other: then they are one, and what
// either knew before joins with what it captures next.
func TestWhatIsVerifiedLaterTakesTheIdentifierOver(t *testing.T) {
	v := newCrowd(t)
	first := v.As("web").Capture(told("email", "a@example.org", "given_name", "First"))
	owner := verified(t, v, "app", told("email", "a@example.org", "given_name", "Owner"), "email")
	if owner.ID == first.ID {
		t.Fatal("a verified claim joined an unverified holder")
	}
	finds(t, v, vaulttest.By("email", "a@example.org"), "Owner")
	finds(t, v, first, "First") // by ID they are still there

	// The unverified side cannot take it back by saying it again …
	v.As("web").Capture(told("email", "a@example.org", "given_name", "First again"))
	finds(t, v, vaulttest.By("email", "a@example.org"), "Owner")
	// … and a third channel's unverified claim does not find either.
	v.As("desk").Capture(told("email", "a@example.org", "given_name", "Third"))
	finds(t, v, vaulttest.By("email", "a@example.org"), "Owner")

	// The same value, now verified, is enough to take over from the unverified.
	v2 := v.As("web").Capture(told("card", "4711", "given_name", "Card one"))
	late := v.As("app").Capture(told("card", "4711", "given_name", "Card two"))
	finds(t, v, vaulttest.By("card", "4711"), "Card one")
	if verified(t, v, "app", told("card", "4711"), "card").ID != late.ID {
		t.Fatal("verifying what it had captured made somebody else")
	}
	finds(t, v, vaulttest.By("card", "4711"), "Card two")
	finds(t, v, v2, "Card one")
}

// Who lets an identifier go leaves it to who else has it: to who verified it
// before who was first.
func TestAnIdentifierThatIsLetGoFindsTheOther(t *testing.T) {
	v := newCrowd(t)
	holder := v.As("web").Capture(told("email", "a@example.org", "given_name", "Holder"))
	v.As("app").Capture(told("email", "a@example.org", "given_name", "Second"))
	v.As("desk").Capture(told("email", "a@example.org", "given_name", "Third"))
	change := func(who vaulttest.Person, email string) {
		req := vaulttest.CaptureRequest(t, told("email", email))
		req.Subject = &who
		if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
			t.Fatal(err)
		}
	}
	change(holder, "new@example.org")
	finds(t, v, vaulttest.By("email", "a@example.org"), "Second")
	finds(t, v, vaulttest.By("email", "new@example.org"), "Holder")

	// They come back to nothing: it is the second one's now.
	change(holder, "a@example.org")
	finds(t, v, vaulttest.By("email", "a@example.org"), "Second")
	finds(t, v, vaulttest.By("email", "new@example.org"), "")
}

// Also when all of them came within a millisecond, in which IDs have no order.
func TestWhoHadAnIdentifierFirstIsNotToldByIDs(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Now: march})
	for i := range 12 {
		email := fmt.Sprintf("p%d@example.org", i)
		holder := v.As("web").Capture(told("email", email, "given_name", "Holder"))
		v.As("app").Capture(told("email", email, "given_name", "Second"))
		v.As("desk").Capture(told("email", email, "given_name", "Third"))
		req := vaulttest.CaptureRequest(t, told("email", "new."+email))
		req.Subject = &holder
		if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
			t.Fatal(err)
		}
		finds(t, v, vaulttest.By("email", email), "Second")
	}
}

func TestASharedTelephoneFindsOnlyWhenItIsOnePersons(t *testing.T) {
	v := newCrowd(t)
	phone := vaulttest.By("phone_number", "030 901820")
	finds(t, v, phone, "")
	v.As("web").Capture(told("phone_number", "+49 30 901820", "given_name", "Anahita", "email", "a@example.org"))
	finds(t, v, phone, "Anahita")
	son := v.As("web").Capture(told("phone_number", "+49 30 901820", "given_name", "Her son", "email", "b@example.org"))
	finds(t, v, phone, "")
	req := vaulttest.CaptureRequest(t, told("phone_number", "+49 30 999999"))
	req.Subject = &son
	if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
		t.Fatal(err)
	}
	finds(t, v, phone, "Anahita")
	finds(t, v, vaulttest.By("phone_number", "+49 30 999999"), "Her son")
}

// An identifier that the register calls unique since, and that two people have,
// finds neither of them: to guess would be to mix them up.
func TestWhatWasSharedOnceFindsNobodyOfTwo(t *testing.T) {
	v := newCrowd(t)
	v.As("web").Capture(told("phone_number", "+49 30 901820", "given_name", "Anahita", "email", "a@example.org"))
	v.As("web").Capture(told("phone_number", "+49 30 901820", "given_name", "Her son", "email", "b@example.org"))
	v.As("web").Capture(told("phone_number", "+49 30 999999", "given_name", "Ben"))
	v.Apply(strings.Replace(crowd, "identifier: shared", "identifier: unique", 1))
	finds(t, v, vaulttest.By("phone_number", "+49 30 901820"), "")
	finds(t, v, vaulttest.By("phone_number", "+49 30 999999"), "Ben")
	_, err := v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, told("phone_number", "+49 30 901820")))
	refusedWith(t, err, vault.CodeIdentityConflict)
}

// Two people whom one channel captured, named in one breath, are a conflict for
// somebody to look at; and nothing is stored.
func TestTwoPeopleInOneCaptureAreAConflict(t *testing.T) {
	v := newCrowd(t)
	a := v.As("web").Capture(told("email", "a@example.org"))
	v.As("web").Capture(told("card", "4711"))
	before, size := rows(t, v), v.Store.Size()
	_, err := v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, told("email", "a@example.org", "card", "4711")))
	refusedWith(t, err, vault.CodeIdentityConflict)
	sameRows(t, before, rows(t, v))
	if v.Store.Size() != size {
		t.Error("a refused capture stands in the log")
	}

	// Another channel learns nothing of it: it makes somebody new.
	if got := v.As("app").Capture(told("email", "a@example.org", "card", "4711")); got.ID == a.ID {
		t.Error("joined through what another channel captured")
	}

	// Who verified both identifiers of two people joins one and says nothing.
	first := verified(t, v, "web", told("email", "x@example.org"), "email")
	verified(t, v, "web", told("card", "0815"), "card")
	res := verified(t, v, "desk", told("email", "x@example.org"), "email")
	if res.ID != first.ID {
		t.Error("a verified e-mail did not join")
	}
}

// objects says no to fraud checks with an identifier, from a channel that does
// not know whose it is.
func objects(t *testing.T, v *vaulttest.Vault, who vaulttest.Person) {
	t.Helper()
	if res := v.As("mail").For("fraud").Consent(who, privacy.StatusObjected); !res.Effective || res.Receipt == "" {
		t.Fatalf("a no from an unknown address: got %+v, want it effective and a receipt", res)
	}
}

// A STOP from an unknown number is remembered by whoever is captured with it,
// although the capture itself would begin the ground that lets the data out.
func TestANoFromAnUnknownAddressIsRememberedByWhoeverComesWithIt(t *testing.T) {
	for _, c := range []struct{ field, value string }{{"email", "stop@example.org"}, {"phone_number", "+49 30 901820"}} {
		t.Run(c.field, func(t *testing.T) {
			v := newCrowd(t)
			objects(t, v, vaulttest.By(c.field, c.value))
			ana := v.As("web").Capture(told(c.field, c.value, "given_name", "Anahita"))
			v.As("web").For("fraud").Read(ana).Denied(privacy.CodeNoConsent)
			finds(t, v, ana, "Anahita") // the contract is not touched by it
			finds(t, v, vaulttest.By(c.field, c.value), "Anahita")

			// Somebody who comes later with the same address of another channel
			// is not them, and said no to nothing.
			if c.field == "phone_number" {
				return
			}
			other := v.As("app").Capture(told(c.field, c.value, "given_name", "Ben"))
			if other.ID == ana.ID {
				t.Fatal("two channels' unverified e-mail made one person")
			}
			v.As("app").For("fraud").Read(other).Released(map[string]any{"email": c.value})
		})
	}
}

// The no is remembered too when a known person comes to have the address.
func TestANoIsRememberedByAKnownPersonWhoComesToHaveTheAddress(t *testing.T) {
	for _, c := range []struct{ field, value string }{{"email", "stop@example.org"}, {"phone_number", "+49 30 901820"}} {
		t.Run(c.field, func(t *testing.T) {
			v := newCrowd(t)
			ana := v.As("web").Capture(told("card", "4711", "given_name", "Anahita", "email", "old@example.org"))
			v.As("web").For("fraud").Read(ana, "email").Released(map[string]any{"email": "old@example.org"})
			objects(t, v, vaulttest.By(c.field, c.value))
			if got := v.As("web").Capture(told("card", "4711", c.field, c.value)); got.ID != ana.ID {
				t.Fatal("her own card did not find her")
			}
			v.As("web").For("fraud").Read(ana).Denied(privacy.CodeNoConsent)
			finds(t, v, vaulttest.By(c.field, c.value), "Anahita")
		})
	}
}

// Recording a no does not make an address the channel's own: else a channel
// could say STOP for an address it does not know, wait for its owner to come
// and then write into their profile.
func TestSayingNoForAnAddressGivesNoHoldOnWhoComesWithIt(t *testing.T) {
	v := newCrowd(t)
	v.As("app").For("news").Consent(vaulttest.By("email", "a@example.org"), privacy.StatusWithdrawn)
	ana := v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita"))
	if got := v.As("app").Capture(told("email", "a@example.org", "given_name", "Mallory")); got.ID == ana.ID {
		t.Error("a channel that only said no for an e-mail joined whose it is")
	}
	finds(t, v, ana, "Anahita")
}

// A yes does: who obtained it for an address goes on with the person it made,
// even if somebody had said no with that address before.
func TestSayingYesForAnAddressIsGoneOnWith(t *testing.T) {
	for _, before := range []bool{false, true} {
		v := newCrowd(t)
		address := vaulttest.By("email", "a@example.org")
		if before {
			objects(t, v, address)
		}
		v.As("desk").For("news").Consent(address, privacy.StatusGiven)
		v.As("desk").Capture(told("email", "a@example.org", "given_name", "Anahita"))
		v.As("mail").For("news").Read(address).Released(map[string]any{"email": "a@example.org", "given_name": "Anahita"})
	}
}

// Somebody left Ana's address at the desk and said yes to the news; then Ana
// herself comes, verified. The address finds her from then on. The yes was not
// hers and does not come with it; a no that came with the address does.
func TestAVerifiedClaimTakesNoYesOver(t *testing.T) {
	v := newCrowd(t)
	stranger := v.As("desk").Capture(told("email", "ana@example.org", "given_name", "Stranger"))
	v.As("desk").For("news").Consent(stranger, privacy.StatusGiven)
	v.As("web").For("fraud").Consent(stranger, privacy.StatusObjected)
	v.As("mail").For("news").Read(vaulttest.By("email", "ana@example.org"), "given_name").Released(told("given_name", "Stranger"))

	ana := verified(t, v, "web", told("email", "ana@example.org", "given_name", "Ana"), "email")
	finds(t, v, vaulttest.By("email", "ana@example.org"), "Ana")
	v.As("mail").For("news").Read(ana).Denied(privacy.CodeNoConsent)
	v.As("mail").For("news").Read(vaulttest.By("email", "ana@example.org")).Denied(privacy.CodeNoConsent)
	v.As("web").For("fraud").Read(ana).Denied(privacy.CodeNoConsent)
}
