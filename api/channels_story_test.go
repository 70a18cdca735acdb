package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/web/unsubscribe"
	"github.com/sayso-vault/sayso/api/webhook"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// manyChannels is the small shop with a hotline, a desk, a mailer and advertisers.
var manyChannels = strings.NewReplacer(
	"{id: sms, kind: sms,", `{id: sms, kind: sms, bulk: {audiences: true}, webhooks: [127.0.0.1], stops: [{purpose: sms-marketing, words: [STOP]}],`,
	"retention: P1Y, consent:", "retention: P1Y, contact: {caps: [{count: 2, per: P30D}]}, consent:",
	"channels:", `  - {id: adverts, title: Adverts, basis: opt_out, jurisdictions: [DE], fields: [email]}
channels:
  - {id: ivr, kind: ivr, purposes: [order-fulfilment], captures: [address], stops: [{purpose: sms-marketing, words: ["9"]}]}
  - {id: desk, kind: call_centre, purposes: [order-fulfilment, sms-marketing], captures: [address]}
  - {id: mail, kind: mail, purposes: [sms-marketing]}
  - {id: ads, kind: web, purposes: [adverts]}`).Replace(vaulttest.Register)

// town is the shop with these channels, a client each.
func town(t testing.TB) (*shop, map[string]*client.Client) {
	t.Helper()
	s := open(t)
	s.Apply(manyChannels)
	clients := map[string]*client.Client{}
	for _, id := range []string{"web", "store", "sms", "ivr", "desk", "mail", "ads"} {
		if _, ok := s.secrets[id]; !ok {
			c, err := s.NewSecret(t.Context(), s.Officer, privacy.ChannelID(id))
			if err != nil {
				t.Fatal(err)
			}
			s.secrets[id] = [2]string{c.ClientID, c.ClientSecret}
		}
		clients[id] = s.client(id)
	}
	return s, clients
}

// lives captures somebody in Berlin who lets herself be texted.
func (s *shop) lives(i int) vaulttest.Person {
	s.t.Helper()
	who := s.As("web").Capture(map[string]any{"given_name": fmt.Sprintf("Ana %d", i), "email": fmt.Sprintf("ana%d@example.org", i), "phone_number": fmt.Sprintf("+4930%07d", 3000000+i)})
	s.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
	return who
}

// refusedAs returns the code of a refusal, "" of none.
func refusedAs(err error) string {
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Four channels at once want to offer the same thing, and to know where she lives: two
// of them offer it, because two a month are allowed, and one asks. What she ordered
// nobody offers her.
func TestChannelsAtOnceDoWhatOneWouldDo(t *testing.T) {
	s, c := town(t)
	const people = 12
	for i := range people {
		her := s.lives(i).ID
		var mu sync.Mutex
		offered, asked := map[string]int{}, map[string]int{}
		var wait sync.WaitGroup
		for _, id := range []string{"sms", "desk", "store", "mail"} {
			wait.Go(func() {
				_, err := c[id].RecordTouch(t.Context(), &wire.TouchRequest{Subject: wire.Subject{ID: her}, Kind: "offer", Topic: "gigabit", Purpose: "sms-marketing", IfAllowed: true})
				mu.Lock()
				defer mu.Unlock()
				offered[refusedAs(err)]++
			})
		}
		for _, id := range []string{"web", "desk", "store", "ivr"} {
			wait.Go(func() {
				_, err := c[id].AskMissing(t.Context(), her, &wire.AskRequest{Purpose: "order-fulfilment", Fields: []privacy.FieldName{"address"}})
				mu.Lock()
				defer mu.Unlock()
				asked[refusedAs(err)]++
			})
		}
		wait.Wait()
		if offered[""] != 2 || offered["contact_cap"] != 2 {
			t.Errorf("offers: got %v, want two, and two that would be too many", offered)
		}
		if asked[""] != 1 || asked["already_being_asked"] != 3 {
			t.Errorf("questions: got %v, want one", asked)
		}
	}
	her := wire.Subject{ID: s.lives(people).ID}
	if _, err := c["web"].RecordTouch(t.Context(), &wire.TouchRequest{Subject: her, Kind: "order", Topic: "gigabit", Ref: "order-77"}); err != nil {
		t.Fatal(err)
	}
	until := s.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	for _, id := range []string{"sms", "desk", "store", "mail"} {
		may := func(topic string, at, expires time.Time) string {
			out, err := c[id].CheckTouch(t.Context(), &wire.TouchRequest{Subject: her, Kind: "offer", Topic: topic, Purpose: "sms-marketing", At: &at, ExpiresAt: &expires})
			if err != nil {
				t.Fatal(err)
			}
			return out.Code
		}
		for _, want := range []struct {
			topic string
			at    time.Time
			code  string
		}{
			{"gigabit", s.Now(), "already_ordered"},
			{"tv", until.Add(-time.Second), ""}, {"tv", until, "expired"}, // to the second
		} {
			expires := until
			if want.code == "already_ordered" {
				expires = until.Add(time.Hour)
			}
			if got := may(want.topic, want.at, expires); got != want.code {
				t.Errorf("%s asks about %s at %v: got %q, want %q", id, want.topic, want.at, got, want.code)
			}
		}
	}
}

// A no reaches every channel from wherever it was said: a text message, a key of a
// telephone, a link in a mail, somebody at a desk; the sender hears of each.
func TestANoFromAnywhereIsHeardEverywhere(t *testing.T) {
	s, c := town(t)
	links, err := unsubscribe.New(s.Vault.Vault, nil)
	if err != nil {
		t.Fatal(err)
	}
	pages := http.NewServeMux()
	links.Mount(pages)
	ways := map[string]func(her vaulttest.Person, number wire.Subject) error{
		"a text message": func(_ vaulttest.Person, number wire.Subject) error {
			out, err := c["sms"].Reply(t.Context(), &wire.ReplyRequest{Subject: number, Text: wire.Text("stop, please")})
			if err == nil && (!out.Stopped || out.Purpose != "sms-marketing" || out.Receipt == "") {
				t.Errorf("STOP: got %+v", out)
			}
			return err
		},
		"a key": func(_ vaulttest.Person, number wire.Subject) error {
			_, err := c["ivr"].Reply(t.Context(), &wire.ReplyRequest{Subject: number, Text: wire.Text("9")})
			return err
		},
		"a link": func(her vaulttest.Person, _ wire.Subject) error {
			link, err := c["mail"].UnsubscribeLink(t.Context(), &wire.UnsubscribeLinkRequest{Subject: her.ID, Purpose: "sms-marketing"})
			if err != nil {
				return err
			}
			if !strings.HasPrefix(link.URL, s.url+"/unsubscribe/") || link.Headers.Link != "<"+link.URL+">" || link.Headers.Post != "List-Unsubscribe=One-Click" {
				t.Errorf("a link: got %+v", link)
			}
			path, _ := url.Parse(link.URL)
			r := httptest.NewRequest("POST", path.Path, strings.NewReader(link.Headers.Post))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			if pages.ServeHTTP(w, r); w.Code != 200 {
				t.Errorf("one click: got %d %s", w.Code, w.Body)
			}
			return nil
		},
		"a desk": func(her vaulttest.Person, _ wire.Subject) error {
			out, err := c["desk"].RecordConsent(t.Context(), &wire.ConsentRequest{Subject: wire.Subject{ID: her.ID}, Consent: wire.Consent{Purpose: "sms-marketing",
				Status: privacy.StatusWithdrawn, Method: "telephone", By: &wire.Actor{Role: privacy.ByAgent, Ref: "desk-7"}}})
			if err != nil {
				return err
			}
			claims, err := base64.RawURLEncoding.DecodeString(strings.Split(out.Receipt, ".")[1])
			if err != nil || !strings.Contains(string(claims), `"by":"agent"`) || strings.Contains(string(claims), "desk-7") {
				t.Errorf("the receipt says that an agent acted, and not who: got %s, %v", claims, err)
			}
			agents := 0
			_, err = s.ExportConsents(t.Context(), s.Officer, vault.ExportRequest{}, func(lines []vault.ConsentLine) error {
				for _, l := range lines {
					if l.Consent == out.Consent && l.By == privacy.ByAgent {
						agents++
					}
				}
				return nil
			})
			if err != nil || agents != 1 {
				t.Errorf("the record names %d agents, %v", agents, err)
			}
			return nil
		},
	}
	people := map[string]vaulttest.Person{}
	for i, way := range slices.Sorted(func(yield func(string) bool) {
		for way := range ways {
			if !yield(way) {
				return
			}
		}
	}) {
		people[way] = s.lives(i)
	}
	listening, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	heard := map[privacy.SubjectID]bool{}
	var hearing sync.WaitGroup
	begun := make(chan struct{})
	hearing.Go(func() {
		for e, err := range c["sms"].Events(listening, "") {
			switch {
			case err != nil:
				t.Errorf("listening: %v", err)
				return
			case e.Type == privacy.EventTouchRecorded:
				select {
				case <-begun:
				default:
					close(begun)
				}
			case e.Type == privacy.EventConsentWithdrawn:
				heard[e.Subject] = true
			}
			if len(heard) == len(ways) {
				return
			}
		}
	})
	for listens := false; !listens; { // what is told before the stream began is not heard
		if _, err := c["store"].RecordTouch(t.Context(), &wire.TouchRequest{Subject: wire.Subject{ID: people["a key"].ID}, Kind: "event", Topic: "hello", Purpose: "sms-marketing"}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-begun:
			listens = true
		case <-time.After(20 * time.Millisecond):
		case <-listening.Done():
			t.Fatal("nothing is heard")
		}
	}
	var saying sync.WaitGroup
	for way, says := range ways {
		her := people[way]
		saying.Go(func() {
			out, err := c["sms"].Read(t.Context(), &wire.ReadRequest{Subject: wire.Subject{ID: her.ID}, Purpose: "sms-marketing"})
			if err != nil {
				t.Errorf("%s: before: %v", way, err)
				return
			}
			number, _ := out.Fields.Get("phone_number")
			if err := says(her, wire.Subject{Field: "phone_number", Value: number}); err != nil {
				t.Errorf("%s: %v", way, err)
			}
			for _, id := range []string{"sms", "desk", "store", "mail"} {
				if _, err := c[id].Read(t.Context(), &wire.ReadRequest{Subject: wire.Subject{ID: her.ID}, Purpose: "sms-marketing"}); refusedAs(err) != "denied" {
					t.Errorf("%s: %s reads on: %v", way, id, err)
				}
			}
		})
	}
	saying.Wait()
	hearing.Wait()
	for way, her := range people {
		if !heard[her.ID] {
			t.Errorf("the sender did not hear of the no by %s", way)
		}
	}
}

// A browser says no for her when she signs up, once for all who advertise.
func TestGlobalPrivacyControlOverHTTP(t *testing.T) {
	s, c := town(t)
	ana := wire.CaptureRequest{Fields: wire.Values{{Name: "email", Value: wire.Text("ana@example.org")}, {Name: "address", Value: wire.Value{Sensitive: privacy.NewSensitive([]byte(`{"locality":"Berlin","country":"DE"}`))}}}}
	ads := func(want string) {
		t.Helper()
		_, err := c["ads"].Read(t.Context(), &wire.ReadRequest{Subject: wire.Subject{Field: "email", Value: wire.Text("ana@example.org")}, Purpose: "adverts"})
		if refusedAs(err) != want {
			t.Errorf("the advertiser: got %v, want %q", err, want)
		}
	}
	if _, err := c["web"].CaptureFromBrowser(t.Context(), &ana, http.Header{}); err != nil {
		t.Fatal(err)
	}
	ads("")
	out, err := c["web"].CaptureFromBrowser(t.Context(), &ana, http.Header{"Sec-Gpc": {"1"}})
	if err != nil || len(out.Consents) != 1 || out.Consents[0].Status != privacy.StatusOptedOut {
		t.Fatalf("got %+v, %v", out, err)
	}
	ads("denied")
	var says struct {
		GPC        bool
		LastUpdate string
	}
	got := s.send("GET", "/.well-known/gpc.json", "", nil)
	if err := json.Unmarshal([]byte(got.raw), &says); err != nil || !says.GPC || len(says.LastUpdate) != len("2006-01-02") {
		t.Errorf("gpc.json: got %s", got.raw)
	}
}

// Two senders stream their audience at once, one of them slowly. Both get everybody who
// said yes, once; the second half without those who said no after the first.
func TestAnAudienceThroughTheSDK(t *testing.T) {
	s, c := town(t)
	var yes []privacy.SubjectID
	for i := range 40 {
		her := s.lives(i)
		if i%4 == 0 {
			s.As("sms").For("sms-marketing").Consent(her, privacy.StatusWithdrawn)
			continue
		}
		yes = append(yes, her.ID)
	}
	byID := func(a, b privacy.SubjectID) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(yes, byID)
	ask := &wire.AudienceRequest{Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name"}}
	var streams sync.WaitGroup
	for range 3 {
		streams.Go(func() {
			var got []privacy.SubjectID
			for line, err := range c["sms"].Audience(t.Context(), ask) {
				if err != nil {
					t.Error(err)
					return
				}
				if name, ok := line.Fields.Get("given_name"); !ok || !strings.HasPrefix(name.RevealText(), "Ana ") {
					t.Errorf("got %+v", line)
				}
				got = append(got, line.Subject)
			}
			if !slices.Equal(got, yes) {
				t.Errorf("got %d people, want the %d who said yes", len(got), len(yes))
			}
		})
	}
	streams.Wait()

	half := *ask
	half.After = yes[len(yes)/2]
	for _, id := range yes[len(yes)/2+1 : len(yes)/2+4] {
		s.As("store").For("sms-marketing").Consent(vaulttest.ID(id), privacy.StatusWithdrawn)
	}
	var got []privacy.SubjectID
	for line, err := range c["sms"].Audience(t.Context(), &half) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Subject)
	}
	if want := yes[len(yes)/2+4:]; !slices.Equal(got, want) {
		t.Errorf("the rest: got %d people, want %d", len(got), len(want))
	}
	for _, err := range c["store"].Audience(t.Context(), ask) {
		if refusedAs(err) != "forbidden" {
			t.Errorf("another channel: got %v", err)
		}
	}
	who, err := c["sms"].Whoami(t.Context())
	if err != nil || !who.Audiences {
		t.Errorf("whoami: got %+v, %v", who, err)
	}
}

// A receiver made with the SDK believes what the vault sends, also while its secret is
// replaced, and deals with each event once.
func TestTheVaultsWebhooksVerify(t *testing.T) {
	s, c := town(t)
	var hook *client.Webhook
	var mu sync.Mutex // guards hook
	got := make(chan *wire.Event, 16)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := hook
		mu.Unlock()
		h.Handler(func(_ context.Context, e *wire.Event) error { got <- e; return nil }).ServeHTTP(w, r)
	}))
	defer front.Close()
	added, err := s.Vault.Vault.AddWebhook(t.Context(), s.As("sms").Caller, vault.WebhookRequest{URL: front.URL, Types: []privacy.EventType{privacy.EventConsentWithdrawn}})
	if err != nil {
		t.Fatal(err)
	}
	know := func(secrets ...string) {
		t.Helper()
		h, err := client.NewWebhook(client.WebhookConfig{Secrets: secrets})
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		hook = h
		mu.Unlock()
	}
	know(added.Secret)
	sender := webhook.New(webhook.Config{Source: s.url, AllowLoopback: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.DeliverEvents(ctx, sender.Send) }()
	defer func() { cancel(); <-ended; sender.Close() }()
	hears := func(i int) {
		t.Helper()
		her := s.lives(i)
		s.As("desk").For("sms-marketing").Consent(her, privacy.StatusWithdrawn)
		select {
		case e := <-got:
			if e.Subject != her.ID || e.Type != privacy.EventConsentWithdrawn || e.Data.Purpose != "sms-marketing" {
				t.Errorf("got %+v", e)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nothing that verifies was sent")
		}
	}
	hears(1)
	again := s.as("sms", "POST", "/v1/webhooks/"+added.ID+"/secrets", "{}", 201).json["secret"].(string)
	hears(2) // who still knows the old one believes it
	know(again)
	hears(3)
	list, err := c["sms"].Webhooks(t.Context())
	if err != nil || len(list.Webhooks) != 1 || list.Webhooks[0].State != "active" {
		t.Errorf("got %+v, %v", list, err)
	}
}
