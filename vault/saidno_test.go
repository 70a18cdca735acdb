package vault_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// noes is a register in which people can say no by word, key, link and browser.
var noes = strings.NewReplacer(
	"{id: sms, kind: sms, purposes: [sms-marketing]}", `{id: sms, kind: sms, purposes: [sms-marketing], stops: [{purpose: sms-marketing, words: [STOP, end], language: en}, {purpose: sms-marketing, words: [STOPP, ABMELDEN], language: de}, {purpose: sms-marketing, words: [arrêt], language: fr}]}
  - {id: ivr, kind: ivr, purposes: [order-fulfilment], stops: [{purpose: sms-marketing, words: ["9"]}]}
  - {id: mail, kind: mail, purposes: [news]}
  - {id: ads, kind: web, purposes: [adverts]}`,
	"channels:", `  - {id: news, title: News, basis: legitimate_interests, fields: [email]}
  - {id: adverts, title: Adverts, basis: opt_out, jurisdictions: [DE], fields: [email]}
channels:`).Replace(vaulttest.Register)

func reply(t *testing.T, v *vaulttest.Vault, channel privacy.ChannelID, who vaulttest.Person, text string) *vault.ReplyResult {
	t.Helper()
	res, err := v.Reply(t.Context(), v.As(channel).Caller, vault.ReplyRequest{Subject: who, Text: privacy.NewSensitive([]byte(text))})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res
}

// Anahita answers an offer with STOP, in whichever way she writes it; presses nine in
// the menu of the hotline; writes something else.
func TestANoByWordOrKey(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: noes})
	ana := v.As("web").Capture(anahita)
	number := vaulttest.By("phone_number", "+4930901820")
	sms := v.As("sms").For("sms-marketing")
	for _, c := range []struct {
		channel privacy.ChannelID
		text    string
		stops   bool
	}{
		{"sms", "STOP", true}, {"sms", " stopp!", true}, {"sms", "„Abmelden“ bitte", true}, {"sms", "ＳＴＯＰ", true}, {"sms", "End", true}, {"ivr", "9", true}, {"ivr", "9#", false}, {"ivr", "*9", false},
		{"sms", "ARRET", true}, {"sms", "Arre\u0302t", true}, {"sms", "*STOP*", true}, {"sms", "Ab\u00admelden", true}, {"sms", "#abmelden", true}, {"sms", "st\u200dop", true},
		{"sms", "Nonstop", false}, {"sms", "please do not stop", false}, {"sms", "", false}, {"sms", "9", false}, {"ivr", "STOP", false}, {"sms", strings.Repeat("ä", 5000), false},
	} {
		v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
		before := v.Store.Size()
		res := reply(t, v, c.channel, number, c.text)
		if res.Stopped != c.stops || c.stops && (res.Purpose != "sms-marketing" || res.Status != privacy.StatusWithdrawn || res.Receipt == "") {
			t.Errorf("%s %q: got %+v, want stopped %v", c.channel, c.text, res, c.stops)
		}
		if !c.stops {
			if got := v.Store.Size() - before; got != 0 {
				t.Errorf("%q: got %d records of what is no no", c.text, got)
			}
			continue
		}
		sms.Read(ana).Denied(privacy.CodeNoConsent)
	}
	stranger := reply(t, v, "sms", vaulttest.By("phone_number", "+4930111111"), "STOP")
	known := reply(t, v, "sms", number, "STOP")
	if stranger.Stopped != known.Stopped || stranger.Status != known.Status || !reflect.DeepEqual(alike(t, stranger.Receipt), alike(t, known.Receipt)) {
		t.Errorf("a stranger's STOP: got %+v, somebody known's %+v", stranger, known)
	}
	late := v.As("web").Capture(told("given_name", "Late", "phone_number", "+4930111111"))
	sms.Read(late).Denied(privacy.CodeNoConsent)
}

// alike is what a receipt says but for when and which it is: of IDs, how long they are.
func alike(t *testing.T, receipt string) map[string]any {
	t.Helper()
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(receipt, ".")[1])
	var says map[string]any
	if err == nil {
		err = json.Unmarshal(claims, &says)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"jti", "sub"} {
		says[id] = len(says[id].(string))
	}
	delete(says, "iat")
	delete(says, "at")
	return says
}

// A click in a mail says no to what the mail was for, once, also when its sender is
// suspended or gone; a look does nothing, and nobody can make a link or change one.
func TestANoByALinkInAMail(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: noes})
	ana := v.As("web").Capture(anahita)
	v.As("mail").For("news").Ground(ana, vault.GroundBegun)
	read := v.As("mail").For("news")
	read.Read(ana, "email").Released(told("email", "Ana.Quintero@Example.org"))
	link := func(who privacy.SubjectID) string {
		t.Helper()
		token, err := v.UnsubscribeToken(t.Context(), v.As("mail").Caller, who, "news")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	size := v.Store.Size()
	token, strangers := link(ana.ID), link(privacy.NewSubjectID())
	if len(token) != len(strangers) || v.Store.Size() != size || link(ana.ID) == token {
		t.Error("a link tells whether somebody is known, or of whom it is")
	}
	look, err := v.LookAtUnsubscribe(t.Context(), token)
	if err != nil || look.Purpose != "news" || look.Title.In("en") != "News" || v.Store.Size() != size {
		t.Fatalf("a look: got %+v, %v, %d records", look, err, v.Store.Size()-size)
	}
	read.Read(ana, "email").Released(told("email", "Ana.Quintero@Example.org"))
	if _, err := v.SuspendChannel(t.Context(), v.Officer, "mail"); err != nil {
		t.Fatal(err)
	}
	for range 3 { // by who clicks, then by a program that does
		if _, err := v.Unsubscribe(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	records := v.Store.Size()
	if _, err := v.Unsubscribe(t.Context(), token); err != nil || v.Store.Size() != records {
		t.Errorf("once more: got %v, %d records", err, v.Store.Size()-records)
	}
	if _, err := v.ResumeChannel(t.Context(), v.Officer, "mail"); err != nil {
		t.Fatal(err)
	}
	v.As("mail").For("news").Read(ana).Denied(privacy.CodeNoConsent)
	if _, err := v.Unsubscribe(t.Context(), strangers); err != nil {
		t.Errorf("a stranger's link: %v", err)
	}

	v.Apply(strings.Replace(noes, "  - {id: mail, kind: mail, purposes: [news]}\n", "", 1))
	if _, err := v.Unsubscribe(t.Context(), token); err != nil {
		t.Errorf("the channel is gone: %v", err)
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.LookAtUnsubscribe(t.Context(), token); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	raw[len(raw)/2] ^= 1
	for _, bad := range []string{"", "x", token[1:], token + "A", base64.RawURLEncoding.EncodeToString(raw)} {
		_, err := v.Unsubscribe(t.Context(), bad)
		refusedWith(t, err, vault.CodeNotFound)
	}
	_, err = v.UnsubscribeToken(t.Context(), v.As("web").Caller, ana.ID, "order-fulfilment")
	refusedWith(t, err, vault.CodeInvalidRequest)
}

// A browser that says no for her says it to every purpose that would need her to say
// so herself, whichever channel holds it.
func TestABrowserSaysNo(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: noes})
	ana := v.As("web").Capture(anahita) // who lives in Berlin
	ads := v.As("ads").For("adverts")
	ads.Read(ana, "email").Released(told("email", "Ana.Quintero@Example.org"))
	req := vaulttest.CaptureRequest(t, told("given_name", "Anahita"))
	req.Subject, req.GPC = &ana, true
	res, err := v.Capture(t.Context(), v.As("web").Caller, req)
	if err != nil || len(res.Consents) != 1 || res.Consents[0].Status != privacy.StatusOptedOut {
		t.Fatalf("got %+v, %v", res, err)
	}
	ads.Read(ana).Denied(privacy.CodeNoConsent)
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Anahita"))
	if _, err := v.Capture(t.Context(), v.As("web").Caller, vault.CaptureRequest{Subject: &ana, GPC: true}); err != nil {
		t.Errorf("nothing but the signal: %v", err)
	}
}
