package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// held is an engine that stops at each record of an answer: before it is made
// durable, and when it is, before whoever waits for it is told.
type held struct {
	store.LogEngine
	stops chan chan struct{} // nil: it does not stop
}

func (h *held) Append(ctx context.Context, entry []byte, on ...store.Condition) (uint64, error) {
	h.stop()
	index, err := h.LogEngine.Append(ctx, entry, on...)
	h.stop()
	return index, err
}

func (h *held) stop() {
	if h.stops != nil {
		on := make(chan struct{})
		h.stops <- on
		<-on
	}
}

// wires is a listener for connections in memory.
type wires struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wires) Close() error   { close(w.closed); return nil }
func (w *wires) Addr() net.Addr { return &net.TCPAddr{} }

// counted counts the bytes of an answer as they arrive.
type counted struct {
	net.Conn
	n atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// No byte of an answer leaves before its record is durable and that is known:
// not of a release, not of a denial, not of a refusal, in the lane and outside
// of it.
func TestNoByteLeavesBeforeItsRecordIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{}
		v := vaulttest.New(t, &vaulttest.Options{Store: func(e store.LogEngine) store.LogEngine { h.LogEngine = e; return h }})
		srv, err := api.New(api.Config{Vault: v.Vault, Issuer: "http://vault.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		w := &wires{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := srv.HTTP()
		lane := srv.Lane(w, server)
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(lane) }()
		t.Cleanup(func() {
			if err := server.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if err := lane.Drain(context.Background()); err != nil {
				t.Error(err)
			}
			<-ended
		})
		ana := v.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"})
		id := ana.ID.String()
		tokens := map[privacy.ChannelID]string{}
		for _, channel := range []privacy.ChannelID{"web", "sms"} {
			c, err := v.NewSecret(t.Context(), v.Officer, channel)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(c.ClientID, c.ClientSecret)
			answer := httptest.NewRecorder()
			srv.Handler().ServeHTTP(answer, r)
			_, rest, _ := strings.Cut(answer.Body.String(), `"access_token":"`)
			tokens[channel], _, _ = strings.Cut(rest, `"`)
		}
		for _, c := range []struct {
			story, method, path, body string
			channel                   privacy.ChannelID
			headers                   string
			want                      int
			tells                     string
		}{
			{"released", "POST", "/v1/reads", `{"subject":"` + id + `","purpose":"order-fulfilment"}`, "web", "", 200, "Anahita"},
			{"released outside of the lane", "POST", "/v1/reads", `{"subject":"` + id + `","purpose":"order-fulfilment"}`, "web", "Pragma: x\r\n", 200, "Anahita"},
			{"denied", "POST", "/v1/reads", `{"subject":"` + id + `","purpose":"sms-marketing"}`, "sms", "", 403, "no_consent"},
			{"denied, and nobody", "POST", "/v1/reads", `{"subject":{"phone_number":"+49 30 1112223"},"purpose":"sms-marketing"}`, "sms", "", 403, "no_consent"},
			{"a purpose that is not theirs", "POST", "/v1/reads", `{"subject":"` + id + `","purpose":"sms-marketing"}`, "web", "", 403, "purpose_not_granted"},
			{"a batch", "POST", "/v1/reads/batch", `{"subject":"` + id + `","purpose":"order-fulfilment"}` + "\n", "web", "", 200, "Anahita"},
			{"whether there is say-so", "GET", "/v1/subjects/" + id + "/consents?purpose=sms-marketing", "", "sms", "", 200, `"allowed":false`},
			{"what is missing", "GET", "/v1/subjects/" + id + "/missing?purpose=order-fulfilment", "", "web", "", 200, "address"},
		} {
			media := "application/json"
			if strings.HasSuffix(c.path, "batch") {
				media = "application/x-ndjson"
			}
			request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\n%s", c.method, c.path, tokens[c.channel], media, c.headers)
			if c.body != "" {
				request += fmt.Sprintf("Content-Length: %d\r\n", len(c.body))
			}
			here, there := net.Pipe()
			client := &counted{Conn: here}
			h.stops = make(chan chan struct{})
			w.conns <- there
			type reply struct {
				status int
				body   string
			}
			came := make(chan reply)
			go func() {
				r, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Errorf("%s: %v", c.story, err)
					close(came)
					return
				}
				defer r.Body.Close()
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Errorf("%s: %v", c.story, err)
				}
				came <- reply{r.StatusCode, string(body)}
			}()
			if _, err := io.WriteString(here, request+"\r\n"+c.body); err != nil {
				t.Fatal(err)
			}
			for _, when := range []string{"before its record was durable", "before that was known"} {
				select {
				case on := <-h.stops:
					synctest.Wait() // everybody has done what they can
					if n := client.n.Load(); n > 0 {
						t.Errorf("%s: %d bytes left %s", c.story, n, when)
					}
					close(on)
				case got := <-came:
					t.Fatalf("%s: answered %d %s %s", c.story, got.status, got.body, when)
				}
			}
			if got := <-came; got.status != c.want || !strings.Contains(got.body, c.tells) {
				t.Errorf("%s: got %d %s, want %d with %s", c.story, got.status, got.body, c.want, c.tells)
			}
			h.stops = nil
			here.Close()
		}
	})
}
