package vault_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// sessionsRegister lets web open sessions, store open such as need no login, and a
// call centre that never captured anybody, too.
var sessionsRegister = strings.NewReplacer(
	"{id: web, kind: web,", "{id: web, kind: web, sessions: true,",
	"{id: store, kind: store,", "{id: store, kind: store, sessions: {step_up: none},",
	"{id: sms, kind: sms,", "{id: sms, kind: sms, sessions: true,",
	"channels:\n", "channels:\n  - {id: phone, kind: phone, purposes: [order-fulfilment]}\n",
).Replace(vaulttest.Register)

var anaTold = map[string]any{"given_name": "Anahita", "family_name": "Quintero", "email": "ana@example.org", "birthdate": "1987-05-04"}

// Anahita opens the link in her web shop's account. She sees what the shop may
// read, and who read it; her date of birth, which no purpose of the shop lists,
// takes a login.
func TestASessionOfAChannelShowsWhatTheChannelMayRead(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ctx := context.Background()
	web := v.As("web")
	ana := web.Capture(anaTold)
	web.For("order-fulfilment").Read(ana)

	s := web.Session(ana)
	got := slices.Sorted(maps.Keys(s.Values()))
	if want := []privacy.FieldName{"email", "family_name", "given_name"}; !slices.Equal(got, want) {
		t.Errorf("shown: %v, want %v", got, want)
	}
	me := s.Me()
	if me.Full || me.Assurance != vault.AssuranceChannel {
		t.Errorf("a channel's session is full: %+v", me)
	}
	for _, value := range me.Values {
		if value.Channel != "web" || value.Origin != privacy.Declared || value.Observed.IsZero() || len(value.For) != 1 || value.For[0].Purpose != "order-fulfilment" || value.Until.IsZero() {
			t.Errorf("%s: %+v", value.Field, value)
		}
	}
	_, err := v.Correct(ctx, s.Caller, []vault.CapturedField{{Field: "given_name", Value: privacy.NewSensitive([]byte(`"Ana"`))}})
	refusedWith(t, err, vault.CodeStepUpRequired)
	_, err = v.ActOwn(ctx, s.Caller, vault.ConsentRequest{Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "privacy_centre"})
	refusedWith(t, err, vault.CodeStepUpRequired)

	// What was shown is an access record, by the channel.
	latest := s.Accesses()
	if a := latest.Accesses[0]; a.Kind != vault.AccessSession || a.Act != vault.SessionViewed || a.Channel != "web" || len(a.Released) != 3 {
		t.Errorf("the latest access: %+v", a)
	}
	if a := latest.Accesses[len(latest.Accesses)-1]; a.Kind != vault.AccessRead || a.Purpose != "order-fulfilment" || a.Channel != "web" || a.LogIndex == 0 {
		t.Errorf("the first access: %+v", a)
	}
	if latest.Count != uint64(len(latest.Accesses)) {
		t.Errorf("%d accesses are shown, %d counted", len(latest.Accesses), latest.Count)
	}

	// She may say no, and what the shop reads ends at once.
	s.Says(privacy.StatusWithdrawn, "order-fulfilment")
	web.For("order-fulfilment").Read(ana).Denied("no_ground")
	if values := s.Values(); len(values) > 0 {
		t.Errorf("the shop may read nothing, its session shows %v", values)
	}
	if _, err := v.VerifyLog(ctx, nil); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// The store asks for no login, so its sessions show and change everything.
func TestWithoutStepUpAChannelsSessionIsFull(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ctx := context.Background()
	ana := v.As("store").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
	s := v.As("store").Session(ana)
	if !s.Me().Full {
		t.Fatal("not full")
	}
	if _, err := v.Correct(ctx, s.Caller, []vault.CapturedField{{Field: "birthdate", Value: privacy.NewSensitive([]byte(`"1987-05-04"`))}}); err != nil {
		t.Fatalf("correcting: %v", err)
	}
	if got := s.Values()["birthdate"]; got != `"1987-05-04"` {
		t.Errorf("corrected: %s", got)
	}
	for _, value := range s.Me().Values {
		if value.Field == "birthdate" && value.Channel != "store" { // nobody else showed who she is
			t.Errorf("who told it: %s", value.Channel)
		}
	}
	s.Says(privacy.StatusGiven, "sms-marketing")
	v.As("sms").For("sms-marketing").Read(ana).Released(map[string]any{"given_name": "Anahita", "phone_number": "+4930901820"})
	s.Says(privacy.StatusWithdrawn, "sms-marketing")
	v.As("sms").For("sms-marketing").Read(ana).Denied("no_consent")
	all, err := v.OwnConsents(ctx, s.Caller, privacy.ConsentID{}, 10)
	if err != nil || len(all) != 2 || all[0].Status != privacy.StatusWithdrawn || all[1].Status != privacy.StatusGiven || all[1].Channel != "store" {
		t.Errorf("consents: %+v, %v", all, err)
	}
	if text, err := v.Receipt(ctx, s.Caller, all[0].Consent); err != nil || strings.Count(text, ".") != 2 {
		t.Errorf("receipt: %q, %v", text, err)
	}
}

// A channel that could know nothing of somebody opens a session of them as it does
// of nobody: neither the answer nor anything in the session tells which.
func TestASessionTellsNobodyFromSomebodyToNoChannel(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ctx := context.Background()
	ana := v.As("web").Capture(anaTold)
	v.As("web").For("order-fulfilment").Read(ana)
	sms := v.As("sms")
	for name, who := range map[string]vaulttest.Person{
		"somebody who never said yes to texts": ana,
		"an ID nobody has":                     vaulttest.ID(privacy.NewSubjectID()),
		"somebody's identifier":                vaulttest.By("email", "ana@example.org"),
		"nobody's identifier":                  vaulttest.By("email", "nobody@example.org"),
	} {
		s := sms.Session(who)
		me := s.Me()
		if len(me.Values) > 0 || me.Full || !me.Restricted.IsZero() {
			t.Errorf("%s: shown %+v", name, me)
		}
		for _, p := range me.Purposes {
			if p.Allowed || p.Status != privacy.StatusNone || !p.Since.IsZero() {
				t.Errorf("%s: purpose %+v", name, p)
			}
		}
		if all := s.Accesses(); all.Count != 0 || len(all.Accesses) > 0 {
			t.Errorf("%s: accesses %+v", name, all)
		}
		if all, err := v.OwnSessions(ctx, s.Caller); err != nil || len(all) != 1 || !all[0].Current {
			t.Errorf("%s: sessions %+v %v", name, all, err)
		}
		if res := s.Says(privacy.StatusWithdrawn, "sms-marketing"); !res.Effective || res.Receipt == "" {
			t.Errorf("%s: no is not heard: %+v", name, res)
		}
		if all, err := v.OwnConsents(ctx, s.Caller, privacy.ConsentID{}, 10); err != nil || len(all) > 0 {
			t.Errorf("%s: consents %+v %v", name, all, err)
		}
	}
	// The no was recorded of Anahita all the same.
	own := v.As("web").Session(ana)
	all, err := v.OwnConsents(ctx, own.Caller, privacy.ConsentID{}, 10)
	if err != nil || len(all) != 2 || all[0].Status != privacy.StatusWithdrawn {
		t.Errorf("what Anahita said: %+v %v", all, err)
	}
	_, err = v.OpenSession(ctx, v.As("phone").Caller, ana)
	refusedWith(t, err, vault.CodeForbidden)
}

// The link opens once, and for a minute; the browser's session is one of its own.
func TestALinkOpensOnce(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister, Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)})
	ctx := context.Background()
	ana := v.As("web").Capture(anaTold)
	channels := v.As("web").Session(ana)
	entered, err := v.EnterByCode(ctx, channels.Opened.Code)
	if err != nil {
		t.Fatal(err)
	}
	browser := v.Enter(entered)
	if browser.Opened.Token == channels.Opened.Token || len(browser.Me().Values) != 3 {
		t.Errorf("the browser's session: %+v", browser.Opened.SubjectSession)
	}
	for name, code := range map[string]string{"twice": channels.Opened.Code, "a token": channels.Opened.Token, "nothing": "", "a guess": "AAAA"} {
		if _, err := v.EnterByCode(ctx, code); !errors.Is(err, vault.ErrInvalidClient) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Subject(ctx, vault.TokenPrefix+channels.Opened.Code); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("a code is a token: %v", err)
	}
	late := v.As("web").Session(ana)
	v.Tick(vault.CodeLasts)
	if _, err := v.EnterByCode(ctx, late.Opened.Code); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("after a minute: %v", err)
	}
	all, err := v.OwnSessions(ctx, browser.Caller)
	if err != nil || len(all) != 3 {
		t.Errorf("sessions: %+v %v", all, err)
	}
}

// Whatever ends a session ends it at once; a restart does not.
func TestWhatEndsASession(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(*testing.T, *vaulttest.Vault, vaulttest.Person, *vaulttest.Session){
		"its time": func(_ *testing.T, v *vaulttest.Vault, _ vaulttest.Person, _ *vaulttest.Session) {
			v.Tick(vault.SubjectSessionLasts)
		},
		"the person": func(t *testing.T, v *vaulttest.Vault, _ vaulttest.Person, s *vaulttest.Session) {
			if err := v.EndOwnSession(ctx, s.Caller, s.Opened.ID); err != nil {
				t.Error(err)
			}
		},
		"another session of theirs": func(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, s *vaulttest.Session) {
			other := v.As("web").Session(who)
			if err := v.EndOwnSession(ctx, other.Caller, s.Opened.ID); err != nil || !other.Stands() {
				t.Error(err, other.Stands())
			}
		},
		"the channel's suspension": func(t *testing.T, v *vaulttest.Vault, _ vaulttest.Person, _ *vaulttest.Session) {
			if _, err := v.SuspendChannel(ctx, v.Officer, "web"); err != nil {
				t.Error(err)
			}
		},
		"the end of its secret": func(t *testing.T, v *vaulttest.Vault, _ vaulttest.Person, _ *vaulttest.Session) {
			if err := v.RevokeSecret(ctx, v.Officer, "web", v.As("web").Caller.Client.SecretID); err != nil {
				t.Error(err)
			}
		},
		"a register without": func(_ *testing.T, v *vaulttest.Vault, _ vaulttest.Person, _ *vaulttest.Session) {
			v.Apply(vaulttest.Register)
		},
		"the person's erasure": func(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, _ *vaulttest.Session) {
			if _, err := v.Erase(ctx, v.Officer, vault.EraseRequest{Subject: who, Reason: "she asked"}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister, Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)})
			ana := v.As("web").Capture(anaTold)
			s := v.As("web").Session(ana)
			v.Stop()
			if err := v.Reopen(); err != nil {
				t.Fatal(err)
			}
			if !s.Stands() {
				t.Fatal("a restart ended it")
			}
			end(t, v, ana, s)
			if s.Stands() {
				t.Error("it stands")
			}
			if _, err := v.Me(ctx, s.Caller); !errors.Is(err, vault.ErrInvalidClient) && name != "the person" && name != "another session of theirs" {
				t.Errorf("who was let in moments ago is shown something: %v", err)
			}
		})
	}
}

// Who logs in with an identifier that nobody checked is nobody: the shop may have
// written down another one's by mistake.
func TestALoginNeedsAVerifiedIdentifier(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ctx := context.Background()
	web := v.As("web")
	told := vaulttest.CaptureRequest(t, anaTold)
	told.Verified = []privacy.FieldName{"email"}
	res, err := v.Capture(ctx, web.Caller, told)
	if err != nil {
		t.Fatal(err)
	}
	login := func(field, value, from string) (*vault.OpenedSession, error) {
		return v.LoginByIdentifier(ctx, vault.Login{Field: privacy.FieldName(field), Value: privacy.NewSensitive([]byte(`"` + value + `"`)), How: "openid", From: from})
	}
	s := v.Login("email", "ANA@example.org")
	if me := s.Me(); !me.Full || me.Assurance != vault.AssuranceVerified || len(me.Values) != 4 {
		t.Errorf("shown: %+v", me)
	}
	s.Says(privacy.StatusGiven, "sms-marketing")

	bob := web.Capture(map[string]any{"given_name": "Bob", "email": "bob@example.org"})
	for name, value := range map[string]string{"unverified": "bob@example.org", "unknown": "nobody@example.org"} {
		_, err := login("email", value, "")
		refusedWith(t, err, vault.CodeUnknownSubject)
		if may, err := v.MayLogin(ctx, "email", privacy.NewSensitive([]byte(`"`+value+`"`))); may || err != nil {
			t.Errorf("%s may log in: %v %v", name, may, err)
		}
	}
	_, err = login("given_name", "Anahita", "")
	refusedWith(t, err, vault.CodeInvalidRequest)

	// The shop's word and the proof together are enough; the shop's word for Anahita
	// and a proof for Bob are not.
	_, err = login("email", "bob@example.org", web.Session(vaulttest.ID(res.Subject)).Opened.Token)
	refusedWith(t, err, vault.CodeUnknownSubject)
	before := web.Session(bob)
	opened, err := login("email", "bob@example.org", before.Opened.Token)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Enter(opened).Me().Full || before.Stands() {
		t.Error("stepping up")
	}
	// Somebody who tries and tries is told to wait, known or not.
	for _, value := range []string{"ana@example.org", "stranger@example.org"} {
		var err error
		for range 20 {
			if _, err = login("email", value, ""); err != nil && !strings.HasPrefix(err.Error(), vault.CodeUnknownSubject) {
				break
			}
		}
		refusedWith(t, err, vault.CodeRateLimited)
	}
}

// What a purpose keeps confidential for a while is counted at once and shown later.
func TestConfidentialAccessesAreCountedAtOnce(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
		Register: strings.Replace(sessionsRegister, "basis: contract,", "basis: contract, confidential_for: PT30M,", 1)})
	ctx := context.Background()
	web := v.As("web")
	ana := web.Capture(anaTold)
	read := web.For("order-fulfilment").Read(ana).Result
	s := web.Session(ana)
	all := s.Accesses()
	if all.Count != 2 || len(all.Accesses) != 1 || all.Accesses[0].Kind != vault.AccessSession {
		t.Fatalf("at once: %+v", all)
	}
	if l := all.Later; l == nil || l.Count != 1 || l.From.Sub(v.Now()) > 30*time.Minute || !l.From.Equal(l.Until) {
		t.Errorf("shown later: %+v", l)
	}
	copied, err := v.ExportFor(ctx, v.Officer, ana.ID, vault.ScopeAccess, "she wrote")
	if err != nil || len(copied.Recipients) != 0 || copied.Later == nil || copied.Later.Count != 1 || copied.Later.Channels != 1 {
		t.Errorf("an officer's copy: %+v, %v", copied, err)
	}
	// What is told of a restriction tells of no channel that is shown later.
	if _, err := v.Restrict(ctx, v.Officer, ana.ID, "she wrote"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Lift(ctx, v.Officer, ana.ID, "settled"); err != nil {
		t.Fatal(err)
	}
	if q := lastOwn(t, v, s); len(q.Told) != 0 || q.ToldLater != 1 {
		t.Errorf("who is told of her restriction: %+v", q)
	}
	_, err = v.ProveAccess(ctx, s.Caller, read.Decision)
	refusedWith(t, err, vault.CodeNotFound)
	v.Tick(30 * time.Minute)
	if q := lastOwn(t, v, s); len(q.Told) != 1 || q.ToldLater != 0 {
		t.Errorf("and later: %+v", q)
	}
	if copied, err := v.ExportFor(ctx, v.Officer, ana.ID, vault.ScopeAccess, "she wrote"); err != nil || len(copied.Recipients) != 1 || copied.Later != nil {
		t.Errorf("an officer's copy later: %+v, %v", copied, err)
	}
	if all := s.Accesses(); all.Later != nil || all.Count != 4 || len(all.Accesses) != 4 || all.Accesses[3].Decision != read.Decision {
		t.Fatalf("later: %+v", all)
	}
	proof, err := v.ProveAccess(ctx, s.Caller, read.Decision)
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.CheckProof(proof, v.VerifierKey()); err != nil {
		t.Error(err)
	}
	// Nobody else is given it.
	bob := web.Session(web.Capture(map[string]any{"email": "bob@example.org"}))
	_, err = v.ProveAccess(ctx, bob.Caller, read.Decision)
	refusedWith(t, err, vault.CodeNotFound)
	_, err = v.Accesses(ctx, bob.Caller, vault.AccessRequest{After: read.Decision.String()})
	refusedWith(t, err, vault.CodeInvalidRequest)
	if err := v.EndOwnSession(ctx, bob.Caller, s.Opened.ID); err == nil || !s.Stands() {
		t.Errorf("Bob ends Anahita's session: %v", err)
	}
}

// A copy tells what channels had to do with the person, and of what is confidential
// for a while how much there is.
func TestACopyHasTouchesAndCountsConfidentialOnes(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
		Register: strings.Replace(sessionsRegister, "basis: contract,", "basis: contract, confidential_for: PT30M,", 1)})
	web := v.As("web")
	told := vaulttest.CaptureRequest(t, anaTold)
	told.Verified = []privacy.FieldName{"email"}
	captured, err := v.Capture(t.Context(), web.Caller, told)
	if err != nil {
		t.Fatal(err)
	}
	ana := vault.SubjectRef{ID: captured.Subject}
	web.Touch(ana, vault.TouchRequest{Kind: vault.TouchOrder, Topic: "sofa", Ref: "A-17"})
	web.Touch(ana, vault.TouchRequest{Kind: vault.TouchContact, Topic: "inquiry", Purpose: "order-fulfilment"})
	copied := func() *vault.Takeout {
		t.Helper()
		out, err := v.Export(t.Context(), v.Login("email", "ana@example.org").Caller, vault.ScopeAccess)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if now := copied(); len(now.Touches) != 1 || now.Touches[0].Ref != "A-17" || now.TouchesLater != 1 {
		t.Errorf("at once: %+v and %d", now.Touches, now.TouchesLater)
	}
	v.Tick(30 * time.Minute)
	if later := copied(); len(later.Touches) != 2 || later.TouchesLater != 0 {
		t.Errorf("later: %+v and %d", later.Touches, later.TouchesLater)
	}
}

// A long list is read page by page, each access once, and filtered.
func TestAccessesPage(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: sessionsRegister})
	ctx := context.Background()
	web, store := v.As("web"), v.As("store")
	ana := web.Capture(anaTold)
	for range 7 {
		web.For("order-fulfilment").Read(ana)
		store.For("sms-marketing").Read(ana)
	}
	s := web.Session(ana)
	seen := map[privacy.DecisionID]bool{}
	pages, after := 0, ""
	for ; pages == 0 || after != ""; pages++ {
		page, err := v.Accesses(ctx, s.Caller, vault.AccessRequest{Limit: 4, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Accesses {
			if seen[a.Decision] {
				t.Errorf("%s is shown twice", a.Decision)
			}
			seen[a.Decision] = true
		}
		after = page.Next
	}
	if len(seen) != 15 || pages != 4 {
		t.Errorf("%d accesses on %d pages", len(seen), pages)
	}
	page, err := v.Accesses(ctx, s.Caller, vault.AccessRequest{Channel: "store", Purpose: "sms-marketing"})
	if err != nil || len(page.Accesses) != 7 || page.Count != 15 || len(page.Accesses[0].Withheld) != 2 {
		t.Errorf("the store's: %+v %v", page, err)
	}
}

// eraseRegisterWithSessions has a purpose that a law demands, too.
var eraseRegisterWithSessions = strings.NewReplacer("channels:\n", `  - {id: bookkeeping, title: Invoices, basis: legal_obligation, fields: [address], retention: P10Y}
channels:
`, "purposes: [order-fulfilment, sms-marketing], captures", "purposes: [order-fulfilment, sms-marketing, bookkeeping], captures").Replace(sessionsRegister)
