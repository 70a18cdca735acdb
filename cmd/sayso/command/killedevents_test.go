package command_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// eventKills is how often the server is killed while people say yes and no.
const eventKills = 8

// texter is the sender of text messages: it takes events, and remembers which, how
// often each person said no, and whether they came in order.
type texter struct {
	mu       sync.Mutex
	n        int
	seen     map[string]bool
	tried    map[string]bool
	noes     map[privacy.SubjectID]int
	last     map[privacy.SubjectID]time.Time
	disorder int
}

func (x *texter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e wire.Event
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.n++; err != nil || x.n%101 == 0 && !x.tried[e.ID] { // it has troubles of its own, though not twice with one event
		x.tried[e.ID] = true
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !x.seen[e.ID] {
		x.seen[e.ID] = true
		if e.Type == privacy.EventConsentWithdrawn {
			x.noes[e.Subject]++
		}
		if e.Time.Before(x.last[e.Subject]) {
			x.disorder++
		}
		x.last[e.Subject] = e.Time
	}
	w.WriteHeader(http.StatusNoContent)
}

// The server is killed, as kill -9 does, while people say yes and no in the shop and
// the sender of text messages is told. Whatever was answered, it hears of.
func TestNoWithdrawalIsLostOverKills(t *testing.T) {
	people, kills := 24, eventKills
	if testing.Short() {
		kills = 3
	}
	sender := &texter{seen: map[string]bool{}, tried: map[string]bool{}, noes: map[privacy.SubjectID]int{}, last: map[privacy.SubjectID]time.Time{}}
	front := httptest.NewServer(sender)
	defer front.Close()
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(vaulttest.Register, "{id: sms, kind: sms,", "{id: sms, kind: sms, webhooks: [127.0.0.1],", 1)})
	if _, err := v.AddWebhook(t.Context(), v.As("sms").Caller, vault.WebhookRequest{URL: front.URL, Types: privacy.EventTypes}); err != nil {
		t.Fatal(err)
	}
	who := make([]privacy.SubjectID, people)
	for i := range who {
		who[i] = v.As("store").Capture(map[string]any{"given_name": "Ana", "phone_number": fmt.Sprintf("+49 30 90182%02d", i)}).ID
		v.As("store").For("sms-marketing").Consent(vaulttest.ID(who[i]), privacy.StatusGiven)
	}
	secret, err := v.NewSecret(t.Context(), v.Officer, "store")
	if err != nil {
		t.Fatal(err)
	}
	v.Stop()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	serve := func() *exec.Cmd {
		cmd := exec.Command("sayso", "serve", "--dir", v.Dir, "--listen", at, "--webhooks-allow-loopback")
		cmd.Env = append(os.Environ(), "SAYSO_PASSPHRASE=correct horse battery staple")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if res, err := http.Get("http://" + at + "/readyz"); err == nil {
				_ = res.Body.Close()
				return cmd
			} else if time.Now().After(deadline) {
				t.Fatalf("it is not served: %v", err)
			}
		}
	}
	said, noes := make([]privacy.ConsentStatus, people), make([]int, people) // the last that was answered, and how often it was a no
	for range kills {
		cmd := serve()
		store, err := client.New(client.Config{URL: "http://" + at, ClientID: secret.ClientID, ClientSecret: secret.ClientSecret})
		if err != nil {
			t.Fatal(err)
		}
		var talking sync.WaitGroup
		for i := range who {
			talking.Go(func() {
				for {
					status := privacy.StatusWithdrawn
					if said[i] == privacy.StatusWithdrawn {
						status = privacy.StatusGiven
					}
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					_, err := store.RecordConsent(ctx, &wire.ConsentRequest{Subject: wire.Subject{ID: who[i]}, Consent: wire.Consent{Purpose: "sms-marketing", Status: status, Method: "web_form"}})
					cancel()
					if err != nil {
						return // it was killed; whether it was recorded the next time shows
					}
					if said[i] = status; status == privacy.StatusWithdrawn {
						noes[i]++
					}
				}
			})
		}
		time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond) // the kill comes at any moment: nothing is waited for
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		talking.Wait()
	}
	cmd := serve()
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lacks := func() (lacks int) {
		sender.mu.Lock()
		defer sender.mu.Unlock()
		for i, id := range who {
			lacks += max(0, noes[i]-sender.noes[id])
		}
		return lacks
	}
	for deadline := time.Now().Add(60 * time.Second); lacks() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("of the times that people said no, and were answered, the sender does not know of %d", lacks())
		}
	}
	all := 0
	for _, n := range noes {
		all += n
	}
	sender.mu.Lock()
	defer sender.mu.Unlock()
	if all < kills || sender.disorder > 0 {
		t.Errorf("%d noes were answered in %d rounds; %d events came after a later one about the same person", all, kills, sender.disorder)
	}
	t.Logf("%d noes, %d events, %d requests", all, len(sender.seen), sender.n)
}
