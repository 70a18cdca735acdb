package webhook

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deliveryTo(url string) vault.Delivery {
	return vault.Delivery{URL: url, At: time.Now(), Keys: [][]byte{[]byte("the new secret of the sender, 32"), []byte("the old secret of the sender, 32")},
		Event: vault.Event{ID: "evt_1", Type: privacy.EventConsentWithdrawn, Subject: privacy.SubjectID{7}, Time: time.Now(), Purpose: "sms-marketing"}}
}

// Whoever receives an event can verify it with the libraries of Standard Webhooks, by
// the new secret and, while it is replaced, by the old.
func TestEventsVerifyAsStandardWebhooks(t *testing.T) {
	d := deliveryTo("")
	var body []byte
	var head http.Header
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		head = r.Header
		w.WriteHeader(204)
	}))
	defer front.Close()
	s := New(Config{Source: "https://vault.example.org", AllowLoopback: true})
	defer s.Close()
	d.URL = front.URL
	if out := s.Send(t.Context(), d); !out.OK || out.Status != 204 {
		t.Fatalf("got %+v", out)
	}
	for i, key := range d.Keys {
		wh, err := standard.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(key))
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(body, head); err != nil {
			t.Errorf("secret %d: %v", i, err)
		}
		if err := wh.Verify(append(body, ' '), head); err == nil {
			t.Errorf("secret %d verifies another body", i)
		}
	}
	for _, want := range []string{`"specversion":"1.0"`, `"type":"consent.withdrawn"`, `"source":"https://vault.example.org"`, `"data":{"purpose":"sms-marketing"}`, d.Event.Subject.String()} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the event lacks %s: %s", want, body)
		}
	}
}

// Only addresses on the internet are connected to, however they are written.
func TestTheGuardLetsNobodyInside(t *testing.T) {
	for _, inside := range []string{
		"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::ffff:192.168.1.1",
		"169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "100.64.0.1", "100.127.255.254", "0.0.0.0", "0.1.2.3", "::", "::7f00:1",
		"224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "2001:db8::1", "100::1", "fec0::1", "192.88.99.1",
	} {
		if public(netip.MustParseAddr(inside)) {
			t.Errorf("%s passes", inside)
		}
		if err := guard(public)("tcp6", net.JoinHostPort(inside, "443"), nil); err == nil {
			t.Errorf("%s is connected to", inside)
		}
	}
	for _, outside := range []string{"93.184.215.14", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1"} {
		if !public(netip.MustParseAddr(outside)) {
			t.Errorf("%s does not pass", outside)
		}
	}
	for _, other := range []string{"tcp", "udp4", "unix"} {
		if guard(public)(other, "1.1.1.1:443", nil) == nil {
			t.Errorf("%s is connected to", other)
		}
	}
}

// A webhook that is here is not reached, whether it says so or its name leads here;
// with the flag it is, and nothing else is without TLS.
func TestAWebhookInsideIsNotReached(t *testing.T) {
	asked := 0
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; w.WriteHeader(204) }))
	defer front.Close()
	trust := front.Client().Transport.(*http.Transport).TLSClientConfig
	_, port, _ := net.SplitHostPort(front.Listener.Addr().String())
	strict := New(Config{TLS: trust})
	defer strict.Close()
	for _, url := range []string{front.URL, "https://localhost:" + port, "https://[::ffff:127.0.0.1]:" + port, "https://[::1]:" + port, "https://127.1:" + port, "https://2130706433:" + port, "https://0x7f.1:" + port} {
		if out := strict.Send(t.Context(), deliveryTo(url)); out.OK || out.Status != 0 {
			t.Errorf("%s: got %+v", url, out)
		}
	}
	// A name that leads inside: looked up here instead of by the resolver.
	renamed := New(Config{TLS: trust})
	defer renamed.Close()
	dial := renamed.public.Transport.(*http.Transport).DialContext
	renamed.public.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, "localhost:"+port)
	}
	if out := renamed.Send(t.Context(), deliveryTo("https://example.com:"+port)); out.OK || out.Status != 0 {
		t.Errorf("a name that leads here: got %+v", out)
	}
	if asked > 0 {
		t.Errorf("it was asked %d times", asked)
	}
	local := New(Config{TLS: trust, AllowLoopback: true})
	defer local.Close()
	if out := local.Send(t.Context(), deliveryTo(front.URL)); !out.OK {
		t.Errorf("with the flag: got %+v", out)
	}
	for url, ok := range map[string]bool{"http://hooks.example.org/": false, "https://hooks.example.org/": true, "https://10.0.0.1/": false, "http://127.0.0.1/": true, "https://169.254.169.254/": false} {
		if err := local.Check(url); (err == nil) != ok {
			t.Errorf("%s: got %v", url, err)
		}
	}
	if strict.Check("http://127.0.0.1/") == nil || strict.Check("https://localhost/") == nil {
		t.Error("without the flag this machine is a place for webhooks")
	}
}

// A redirect is not followed, a long answer not read to its end, and what goes wrong
// is told without the URL.
func TestAnAnswerLeadsNowhere(t *testing.T) {
	followed := false
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/elsewhere":
			followed = true
		case "/long":
			for range 1 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		case "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(429)
		case "/gone":
			w.WriteHeader(410)
		}
	}))
	defer front.Close()
	var said strings.Builder
	s := New(Config{AllowLoopback: true, Logger: loggerTo(&said)})
	defer s.Close()
	if out := s.Send(t.Context(), deliveryTo(front.URL+"/moved?key=hush")); out.OK || out.Status != 307 || followed {
		t.Errorf("redirect: got %+v, followed %v", out, followed)
	}
	if out := s.Send(t.Context(), deliveryTo(front.URL+"/long")); !out.OK {
		t.Errorf("a long answer: got %+v", out)
	}
	if out := s.Send(t.Context(), deliveryTo(front.URL+"/busy")); out.OK || out.After != 2*time.Minute {
		t.Errorf("busy: got %+v", out)
	}
	if out := s.Send(t.Context(), deliveryTo(front.URL+"/gone")); !out.Gone {
		t.Errorf("gone: got %+v", out)
	}
	if out := s.Send(t.Context(), deliveryTo("http://127.0.0.1:1/?key=hush")); out.OK || out.Status != 0 {
		t.Errorf("nobody there: got %+v", out)
	}
	if strings.Contains(said.String(), "hush") || !strings.Contains(said.String(), "evt_1") {
		t.Errorf("it was told %s", said.String())
	}
}

func loggerTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
