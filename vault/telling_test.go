package vault_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// tells wants a request to tell these channels, each with what it is told, of which
// fields and how far it is.
func tells(t *testing.T, v *vaulttest.Vault, id privacy.RequestID, want ...string) *vault.Request {
	t.Helper()
	q := request(t, v, id)
	var got []string
	for _, one := range q.Told {
		got = append(got, fmt.Sprint(one.Channel, " ", one.Type, " ", one.Fields, " ", one.State))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the %s tells\n  %q\nwant\n  %q", q.Kind, got, want)
	}
	return q
}

// lastOwn is the latest request of somebody's own, as they see it.
func lastOwn(t *testing.T, v *vaulttest.Vault, s *vaulttest.Session) vault.Request {
	t.Helper()
	all, err := v.OwnRequests(t.Context(), s.Caller)
	if err != nil || len(all) == 0 {
		t.Fatalf("her requests: %v, %v", all, err)
	}
	return all[0]
}

func setsRight(t *testing.T, v *vaulttest.Vault, s *vaulttest.Session, field privacy.FieldName, value string) {
	t.Helper()
	v.Tick(time.Second)
	if _, err := v.Correct(t.Context(), s.Caller, []vault.CapturedField{{Field: field, Value: privacy.NewSensitive([]byte(`"` + value + `"`))}}); err != nil {
		t.Fatal(err)
	}
}

// The texting service was shown Anahita's number, and may see nothing of her any more
// since she said no. When she corrects the number, has her data restricted and leaves, it
// hears all the same (Art. 19): that, and of the number alone, never a value. The shop
// hears of what it may see. The store looked at her once and has nothing that listens, so
// her requests say that somebody has to tell it.
func TestWhoWasShownTheOldValueHearsThatItIsWrong(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: listening, Now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)})
	p := hooks(t, v, "web", "sms")
	ana := verified(t, v, "web", anahita, "email")
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	v.As("sms").For("sms-marketing").Read(ana, "phone_number").Released(told("phone_number", "+4930901820"))
	v.As("web").For("order-fulfilment").Read(ana, "given_name")
	v.As("store").For("order-fulfilment").Read(ana, "given_name")
	v.As("web").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	if err := v.DeliverDue(t.Context(), p.take); err != nil {
		t.Fatal(err)
	}
	clear(p.got)
	v.As("sms").For("sms-marketing").Read(ana).Denied("no_consent")

	own := v.Login("email", "ana.quintero@example.org")
	setsRight(t, v, own, "phone_number", "+49 30 7654321")
	q := lastOwn(t, v, own)
	if q.Kind != vault.RequestRectification || q.Status != vault.RequestCompleted || !slices.Equal(q.Fields, []privacy.FieldName{"phone_number"}) || len(q.Told) != 1 {
		t.Errorf("her correction: %+v", q)
	}
	tells(t, v, q.ID, "sms profile.updated [phone_number] waiting")
	p.brings("sms", of(ana, "profile.updated [phone_number]"))
	p.brings("web", of(ana, "profile.updated [phone_number]")) // as it may see it
	tells(t, v, q.ID, "sms profile.updated [phone_number] taken")
	setsRight(t, v, own, "family_name", "Stern") // nobody was shown it
	tells(t, v, lastOwn(t, v, own).ID)
	p.brings("sms")

	v.Tick(time.Second)
	if _, err := v.RestrictOwn(t.Context(), own.Caller, "the name", nil); err != nil {
		t.Fatal(err)
	}
	restricted := lastOwn(t, v, own).ID
	p.brings("sms", of(ana, "subject.restricted"))
	tells(t, v, restricted, "sms subject.restricted [phone_number] taken", "store subject.restricted [given_name] unreached", "web subject.restricted [given_name] taken")
	if _, err := v.LiftOwn(t.Context(), own.Caller, nil); err != nil {
		t.Fatal(err)
	}
	if q := lastOwn(t, v, own); q.ID != restricted || q.LiftedAt.IsZero() {
		t.Errorf("lifted: %+v", q)
	}
	p.brings("sms", of(ana, "subject.unrestricted"))

	// She writes that her first name is wrong; the shop has it right by the time an
	// officer answers, who need not know of the store.
	wrote, err := v.EnterRequest(t.Context(), v.Officer, vault.EnterRequest{Kind: vault.RequestRectification, Subject: vault.SubjectRef{ID: ana.ID}, Reason: "a letter"})
	if err != nil {
		t.Fatal(err)
	}
	put := vaulttest.CaptureRequest(t, told("given_name", "Ana"))
	put.Subject = &ana
	if _, err := v.Capture(t.Context(), v.As("web").Caller, put); err != nil {
		t.Fatal(err)
	}
	if _, err := v.AnswerRequest(t.Context(), v.Officer, wrote.ID, "corrected"); err != nil {
		t.Fatal(err)
	}
	p.brings("sms")
	tells(t, v, wrote.ID, "store profile.updated [given_name] unreached", "web profile.updated [given_name] taken")

	// The shop says itself that it dealt with her leaving; the texting service took it.
	clear(p.got)
	gone, err := v.Erase(t.Context(), own.Caller, vault.EraseRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.DeliverDue(t.Context(), p.take); err != nil {
		t.Fatal(err)
	}
	for _, ch := range []string{"sms", "web"} {
		if len(p.got[ch]) != 1 || p.got[ch][0].Event.Type != privacy.EventSubjectErased || p.got[ch][0].Event.Subject != ana.ID {
			t.Fatalf("%s was told %v", ch, p.got[ch])
		}
	}
	if err := v.AckEvents(t.Context(), v.As("web").Caller, p.got["web"][0].Event.ID); err != nil {
		t.Fatal(err)
	}
	completed(t, v, gone.ID)
	after := tells(t, v, gone.ID, "sms subject.erased [phone_number] taken", "store subject.erased [given_name] unreached", "web subject.erased [given_name] acknowledged")
	for _, one := range after.Told {
		if (one.State == vault.NoticeUnreached) != one.Heard.IsZero() {
			t.Errorf("heard: %+v", one)
		}
	}
	if status, err := v.RequestByLink(t.Context(), v.RequestLink(gone.ID)); err != nil || status.Sent != 2 || status.Confirmed != 2 || status.Told != nil {
		t.Errorf("behind her link: %+v, %v", status, err)
	}
	for _, id := range []privacy.RequestID{q.ID, restricted, wrote.ID} {
		if q := request(t, v, id); q.Subject != nil || q.Told != nil || q.Fields != nil {
			t.Errorf("what is left of a request of hers: %+v", q)
		}
	}

	// When the week of the event is over nothing names her, and the request still says
	// who heard.
	v.Tick(9 * 24 * time.Hour)
	if err := v.SweepEvents(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := 0
	err = v.Store.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan("outbox/told", nil, nil, func(_, _ []byte) error { rows++; return nil })
	})
	if err != nil || rows != 0 {
		t.Errorf("%d rows say who is told, %v", rows, err)
	}
	tells(t, v, gone.ID, "sms subject.erased [phone_number] taken", "store subject.erased [given_name] unreached", "web subject.erased [given_name] acknowledged")
}
