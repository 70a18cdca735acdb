package vault_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// flyers is crowd with marketing that asks nobody.
var flyers = strings.NewReplacer("channels:", `  - {id: flyers, title: Flyers, benefit: Flyers, dpv: "dpv:DirectMarketing", basis: legitimate_interests, fields: [given_name, email], retention: P1Y}
channels:`, "kind: mail, purposes: [news]", "kind: mail, purposes: [news, flyers], captures: [given_name, email], obtains: [news]").Replace(crowd)

// goes has somebody erased in a session of their own.
func goes(t *testing.T, v *vaulttest.Vault, email string, never bool) *vault.Request {
	t.Helper()
	own := v.Login("email", email)
	before, err := v.PreviewErasure(t.Context(), own.Caller)
	if err != nil || before.NeverContact != 1 {
		t.Fatalf("what would stay: %+v, %v, want one hash if she chooses", before, err)
	}
	q, err := v.Erase(t.Context(), own.Caller, vault.EraseRequest{NeverContact: never})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// brought is somebody whom an old list brings back, with a yes of years ago.
func brought(t *testing.T, v *vaulttest.Vault, email string) (vaulttest.Person, *vault.CaptureResult) {
	t.Helper()
	req := vaulttest.CaptureRequest(t, told("given_name", "A. Q.", "email", email))
	req.Consents = []vault.ConsentRequest{{Purpose: "news", Status: privacy.StatusGiven, Method: "web_form", At: v.Now().AddDate(-2, 0, 0)}}
	req.Purposes = []privacy.PurposeID{"flyers"}
	res, err := v.Capture(t.Context(), v.As("mail").Caller, req)
	if err != nil {
		t.Fatal(err)
	}
	return vaulttest.ID(res.Subject), res
}

func neverRows(t *testing.T, v *vaulttest.Vault) (rows [][]byte) {
	t.Helper()
	err := v.Store.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan("never", nil, nil, func(k, value []byte) error {
			rows = append(rows, append(bytes.Clone(k), value...))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Ana and Ben are erased. Ana asked never to be contacted again; so when an old list
// brings both back a year later, with yeses of before, only Ben gets mail. What stayed
// of her for that is one hash, and the certificate says so. What the list is answered
// is the same for both but that her old yes does not count.
func TestWhoNeverWantsToBeContactedAgainIsNot(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: flyers, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	ana := verified(t, v, "web", told("given_name", "Ana", "email", "ana@example.org"), "email")
	ben := verified(t, v, "web", told("given_name", "Ben", "email", "ben@example.org"), "email")
	twin := v.As("desk").Capture(told("given_name", "Anahita", "email", "ana@example.org"))
	v.As("desk").For("news").Consent(twin, privacy.StatusGiven)
	v.As("mail").For("news").Read(twin, "given_name").Released(told("given_name", "Anahita"))

	hers, his := goes(t, v, "ana@example.org", true), goes(t, v, "ben@example.org", false)
	v.Tick(2 * time.Hour) // keys turn once in a while
	hers, his = completed(t, v, hers.ID), completed(t, v, his.ID)
	if c := certified(t, v, hers.Certificate); c.Never == nil || c.Never.Hashes != 1 || !strings.Contains(c.Never.Why, "never to be contacted") || c.Epochs.Index < 2 {
		t.Errorf("her certificate: %+v", c)
	}
	if c := certified(t, v, his.Certificate); c.Never != nil {
		t.Errorf("his certificate: %+v", c)
	}
	rows := neverRows(t, v)
	if len(rows) != 1 || len(rows[0]) != 21 || bytes.Contains(rows[0], ana.ID[:]) {
		t.Fatalf("what stays: %x, want one hash and a day", rows)
	}
	// Whom another channel knows by the same address hears no more, either.
	v.As("mail").For("news").Read(twin).Denied(privacy.CodeNoConsent)

	v.Tick(365 * 24 * time.Hour)
	restart(t, v)
	her, answer := brought(t, v, "Ana@Example.org")
	him, other := brought(t, v, "ben@example.org")
	if her.ID == ana.ID || him.ID == ben.ID {
		t.Fatal("they are who they were")
	}
	v.As("mail").For("news").Read(her).Denied(privacy.CodeNoConsent)
	v.As("mail").For("flyers").Read(her).Denied(privacy.CodeNoConsent)
	v.As("mail").For("news").Read(him, "given_name").Released(told("given_name", "A. Q."))
	v.As("mail").For("flyers").Read(him, "given_name").Released(told("given_name", "A. Q."))
	if answer.Created != other.Created || len(answer.Accepted) != len(other.Accepted) || answer.Consents[0].Effective || !other.Consents[0].Effective {
		t.Errorf("answers: got %+v and %+v", answer, other)
	}
	// What is no marketing is hers to have; and what she says now counts.
	again := v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	v.As("web").For("order").Read(again, "email").Released(told("email", "ana@example.org"))
	v.As("mail").For("news").Consent(her, privacy.StatusGiven)
	v.As("mail").For("news").Read(her, "given_name").Released(told("given_name", "A. Q."))
	brought(t, v, "ana@example.org")
	restart(t, v)
	v.As("mail").For("news").Read(her, "given_name").Released(told("given_name", "A. Q."))
	v.As("mail").For("flyers").Read(her).Denied(privacy.CodeNoConsent)
}

// Mallory writes Ben's address into her own data and leaves with the choice. What Ben
// verified to be his, before or later, stays as he wants it.
func TestNobodyChoosesItForSomebodyElse(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: flyers, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	leaves := func(card, address string) {
		t.Helper()
		mallory := verified(t, v, "web", told("given_name", "Mallory", "card", card), "card")
		req := vaulttest.CaptureRequest(t, told("email", address))
		req.Subject = &mallory
		if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
			t.Fatal(err)
		}
		own := v.Login("card", card)
		if before, err := v.PreviewErasure(t.Context(), own.Caller); err != nil || before.NeverContact != 2 {
			t.Fatalf("what would stay: %+v, %v, want two hashes, whosever the address is", before, err)
		}
		q, err := v.Erase(t.Context(), own.Caller, vault.EraseRequest{NeverContact: true})
		if err != nil {
			t.Fatal(err)
		}
		v.Tick(2 * time.Hour)
		completed(t, v, q.ID)
	}
	ben := verified(t, v, "desk", told("given_name", "Ben", "email", "ben@example.org"), "email")
	v.As("desk").For("news").Consent(ben, privacy.StatusGiven)
	leaves("666", "ben@example.org")
	v.As("mail").For("news").Read(ben, "given_name").Released(told("given_name", "Ben"))

	leaves("667", "bea@example.org") // whom nobody knows yet
	yes := vault.ConsentRequest{Purpose: "news", Status: privacy.StatusGiven, Method: "web_form", At: v.Now().AddDate(-1, 0, 0)}
	bea := func(address string, showed ...privacy.FieldName) vaulttest.Person {
		t.Helper()
		req := vaulttest.CaptureRequest(t, told("given_name", "Bea", "email", address))
		req.Verified, req.Consents = showed, []vault.ConsentRequest{yes}
		res, err := v.Capture(t.Context(), v.As("desk").Caller, req)
		if err != nil {
			t.Fatal(err)
		}
		return vaulttest.ID(res.Subject)
	}
	v.As("mail").For("news").Read(bea("bea@example.org", "email"), "given_name").Released(told("given_name", "Bea"))
	leaves("668", "bob@example.org")
	v.As("mail").For("news").Read(bea("bob@example.org")).Denied(privacy.CodeNoConsent) // an old list's
}

// She subscribes again on the very day: what she says then counts, and what is
// captured again does not take it back.
func TestAYesAfterItOnTheSameDayCounts(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: flyers, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	verified(t, v, "web", told("given_name", "Ana", "email", "ana@example.org"), "email")
	completed(t, v, goes(t, v, "ana@example.org", true).ID)
	v.Tick(time.Minute)
	her, _ := brought(t, v, "ana@example.org")
	v.As("mail").For("news").Read(her).Denied(privacy.CodeNoConsent)
	v.As("mail").For("news").Consent(her, privacy.StatusGiven)
	v.Tick(time.Minute)
	brought(t, v, "ana@example.org")
	v.As("mail").For("news").Read(her, "given_name").Released(told("given_name", "A. Q."))
}

// Wherever the process ends, the choice goes with the erasure: it is neither lost
// nor there without one.
func TestTheChoiceGoesWithTheErasureWhereverItIsKilled(t *testing.T) {
	for _, step := range []string{"to ask", "in the ledger", "asked", "step 1 done", "key to destroy", "key destroyed", "data to remove", "data removed", "person to forget"} {
		t.Run(step, func(t *testing.T) {
			v := vaulttest.New(t, &vaulttest.Options{Register: flyers, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
			verified(t, v, "web", told("given_name", "Ana", "email", "ana@example.org"), "email")
			own := v.Login("email", "ana@example.org")
			k := kill(v, func(at string) bool { return at == step })
			_, err := v.Erase(context.Background(), own.Caller, vault.EraseRequest{NeverContact: true})
			if k.killed() != step {
				t.Fatalf("killed at %q, want %q: %v", k.killed(), step, err)
			}
			restart(t, v)
			if err := v.Pursue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if step == "to ask" {
				if rows := neverRows(t, v); len(rows) != 0 {
					t.Errorf("what stays of an erasure that was never asked for: %x", rows)
				}
				return
			}
			v.Tick(48 * time.Hour)
			her, _ := brought(t, v, "ana@example.org")
			v.As("mail").For("news").Read(her).Denied(privacy.CodeNoConsent)
		})
	}
}

// An older copy of the data is restored, from before she was known or from before she
// went: the ledger has her choice.
func TestTheChoiceOutlivesARestore(t *testing.T) {
	for story, known := range map[string]bool{"the copy knows her": true, "the copy is from before her": false} {
		t.Run(story, func(t *testing.T) {
			v := vaulttest.New(t, &vaulttest.Options{Register: flyers})
			v.As("web").Capture(told("given_name", "Cid", "email", "cid@example.org"))
			var old string
			if !known {
				old = copyOf(t, v)
			}
			verified(t, v, "web", told("given_name", "Ana", "email", "ana@example.org"), "email")
			if known {
				old = copyOf(t, v)
			}
			completed(t, v, goes(t, v, "ana@example.org", true).ID)
			v.Stop()
			r, _ := mustRestore(t, v, remainsOf(v.Dir, old))
			her, _ := brought(t, r, "ana@example.org")
			r.As("mail").For("news").Read(her).Denied(privacy.CodeNoConsent)
			r.As("mail").For("flyers").Read(her).Denied(privacy.CodeNoConsent)
			if rows := neverRows(t, r); len(rows) != 1 {
				t.Errorf("what stays: %x", rows)
			}
		})
	}
}

// Where there is a period of grace nothing stays of a choice that was taken back; one
// that was not is done when the erasure begins, also after a restore meanwhile.
func TestTheChoiceWaitsWithAnErasureThatWaits(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: flyers + "settings: {erasure: {grace: P14D}}\n", Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	verified(t, v, "web", told("given_name", "Ana", "email", "ana@example.org"), "email")
	verified(t, v, "web", told("given_name", "Ben", "email", "ben@example.org"), "email")
	old := copyOf(t, v)
	goes(t, v, "ana@example.org", true)
	goes(t, v, "ben@example.org", true)
	if _, err := v.TakeBackErasure(t.Context(), v.Login("email", "ben@example.org").Caller, nil); err != nil {
		t.Fatal(err)
	}
	for _, restored := range []bool{false, true} {
		if restored {
			v.Stop()
			v, _ = mustRestore(t, v, remainsOf(v.Dir, old))
		}
		if err := v.Pursue(t.Context()); err != nil || len(neverRows(t, v)) != 0 {
			t.Fatalf("what stays while it waits: %x, %v", neverRows(t, v), err)
		}
	}
	v.Tick(15 * 24 * time.Hour)
	if err := v.Pursue(t.Context()); err != nil || len(neverRows(t, v)) != 1 {
		t.Fatalf("what stays: %x, %v", neverRows(t, v), err)
	}
	her, _ := brought(t, v, "ana@example.org")
	v.As("mail").For("news").Read(her).Denied(privacy.CodeNoConsent)
}

// Ana writes that she wants to be erased and never contacted again, and Cleo says so on
// the phone. Ana's letter waits until an officer knows that it is hers; her choice waits
// with it. Neither gets mail when an old list brings them back.
func TestTheChoiceIsMadeByLetter(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: flyers, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	verified(t, v, "web", told("given_name", "Ana", "email", "ana@example.org"), "email")
	verified(t, v, "web", told("given_name", "Cleo", "email", "cleo@example.org"), "email")
	named := func(email string) vault.SubjectRef {
		return vault.SubjectRef{Field: "email", Value: privacy.NewSensitive([]byte(`"` + email + `"`))}
	}
	_, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: vault.RequestAccess, Subject: named("ana@example.org"), Reason: "a letter", NeverContact: true})
	refusedWith(t, err, vault.CodeInvalidRequest)

	phoned, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: vault.RequestErasure, Subject: named("cleo@example.org"), Reason: "a call", NeverContact: true})
	if err != nil {
		t.Fatal(err)
	}
	wrote, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: vault.RequestErasure, Subject: named("ana@example.org"), Reason: "a letter",
		NeverContact: true, Awaiting: true, Received: v.Now().AddDate(0, 0, -3)})
	if err != nil || wrote.Status != vault.RequestAwaiting || !wrote.NeverContact {
		t.Fatalf("%+v %v", wrote, err)
	}
	if rows := neverRows(t, v); len(rows) != 1 {
		t.Errorf("%d hashes before it is known that it is Ana, want Cleo's alone", len(rows))
	}
	if _, err := v.ConfirmIdentity(t.Context(), v.Officer, wrote.ID, "her passport"); err != nil {
		t.Fatal(err)
	}
	v.Tick(2 * time.Hour)
	for _, id := range []privacy.RequestID{phoned.ID, wrote.ID} {
		if q := completed(t, v, id); !q.NeverContact || certified(t, v, q.Certificate).Never == nil {
			t.Errorf("completed: %+v", q)
		}
	}
	for _, email := range []string{"ana@example.org", "cleo@example.org"} {
		again, _ := brought(t, v, email)
		v.As("mail").For("news").Read(again).Denied("no_consent")
		v.As("mail").For("flyers").Read(again).Denied("no_consent")
	}
}

// What is due first is on top of what officers have open, and what is past its day is
// said to be; what is answered is not among it.
func TestOpenRequestsLieByTheDayTheyAreDue(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(told("given_name", "Ana", "email", "ana@example.org"))
	enter := func(daysAgo int) privacy.RequestID {
		q, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: vault.RequestAccess, Subject: vault.SubjectRef{ID: ana.ID}, Reason: "a letter",
			Received: v.Now().AddDate(0, 0, -daysAgo)})
		if err != nil {
			t.Fatal(err)
		}
		return q.ID
	}
	fresh, late, middle, done := enter(1), enter(40), enter(20), enter(30)
	if _, err := v.AnswerRequest(t.Context(), v.Officer, done, "sent"); err != nil {
		t.Fatal(err)
	}
	var ids []privacy.RequestID
	var after privacy.RequestID
	for {
		some, err := v.OpenRequests(t.Context(), v.Officer, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		for _, q := range some {
			if ids = append(ids, q.ID); q.Overdue != (q.ID == late) {
				t.Errorf("%s is due %s: overdue %v", q.ID, q.DueAt, q.Overdue)
			}
		}
		after = ids[len(ids)-1]
	}
	if want := []privacy.RequestID{late, middle, fresh}; !slices.Equal(ids, want) {
		t.Errorf("open: %v, want %v", ids, want)
	}
}
