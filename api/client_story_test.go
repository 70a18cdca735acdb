package api_test

import (
	"errors"
	"iter"
	"testing"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

func (s *shop) client(who string) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Config{URL: s.url, ClientID: s.secrets[who][0], ClientSecret: s.secrets[who][1]})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// A Go program tells the vault of Anahita twice, because the line broke before
// it heard of the first time: she is there once.
func TestAGoProgramMayTryAgain(t *testing.T) {
	s := open(t)
	web := s.client("web")
	tell := func(c *client.Client, name string) (*wire.CaptureAnswer, error) {
		return c.Capture(t.Context(), &wire.CaptureRequest{Fields: wire.Values{{Name: "given_name", Value: wire.Text(name)}}})
	}
	order := web.Once("order-4711")
	first, err := tell(order, "Anahita")
	if err != nil {
		t.Fatal(err)
	}
	again, err := tell(order, "Anahita")
	if err != nil || again.Subject != first.Subject || !again.Created {
		t.Errorf("again: got %+v, %v, want what was answered first: %+v", again, err, first)
	}
	var refused *client.Error
	if _, err := tell(order, "Beatrix"); !errors.As(err, &refused) || refused.Code != "idempotency_key_reused" {
		t.Errorf("somebody else under the same key: got %v, want it refused", err)
	}
	if other, err := tell(web, "Anahita"); err != nil || other.Subject == first.Subject {
		t.Errorf("without a key: got %+v, %v, want another Anahita", other, err)
	}
	if lacks, err := order.Missing(t.Context(), first.Subject, "order-fulfilment"); err != nil || len(lacks.Missing) != 4 || lacks.Missing[0].Field != "family_name" {
		t.Errorf("missing: got %+v, %v, want the other four fields", lacks, err)
	}
}

// A Go program works through a list. It is told of each person before it names
// the next, and what it is told is what holds at that moment.
func TestAGoProgramReadsAList(t *testing.T) {
	s := open(t)
	her := s.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": "+49 30 901820"}).ID
	s.As("store").For("sms-marketing").Consent(vaulttest.ID(her), privacy.StatusGiven)
	sms := s.client("sms")

	answered := make(chan int, 1)
	asks := func(yield func(*wire.ReadRequest) bool) {
		for _, before := range []func(){
			func() {},
			func() { s.As("store").For("sms-marketing").Consent(vaulttest.ID(her), privacy.StatusWithdrawn) },
			func() { s.As("store").For("sms-marketing").Consent(vaulttest.ID(her), privacy.StatusGiven) },
		} {
			before()
			if !yield(&wire.ReadRequest{Subject: wire.Subject{ID: her}, Purpose: "sms-marketing"}) {
				return
			}
			if _, more := <-answered; !more {
				return
			}
		}
	}
	var got []int
	for line, err := range sms.ReadBatch(t.Context(), asks) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, line.Status); line.N != len(got) || (line.Status == 200) != (len(line.Fields) == 2) {
			t.Errorf("line %d: got %+v", len(got), line)
		}
		answered <- line.N
	}
	if len(got) != 3 || got[0] != 200 || got[1] != 403 || got[2] != 200 {
		t.Errorf("got %v, want her number, nothing, and her number again", got)
	}
	close(answered)

	// Whoever stops listening ends the stream, and one that was cut is told from
	// one that ended.
	endless := func(yield func(*wire.ReadRequest) bool) {
		for yield(&wire.ReadRequest{Subject: wire.Subject{ID: her}, Purpose: "sms-marketing"}) {
		}
	}
	next, stop := iter.Pull2(sms.ReadBatch(t.Context(), endless))
	if line, err, _ := next(); err != nil || line.Status != 200 {
		t.Errorf("a long list: got %+v, %v", line, err)
	}
	s.officerSignsIn()
	s.as("officer", "POST", "/v1/channels/sms/suspend", "{}", 200)
	var last error
	for {
		_, err, more := next()
		if !more {
			break
		}
		last = err
	}
	if !errors.Is(last, client.ErrBrokenOff) {
		t.Errorf("suspended: got %v, want it broken off", last)
	}
	stop()
	for _, err := range sms.ReadBatch(t.Context(), endless) {
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code != "channel_suspended" && refused.Code != "invalid_client" {
			t.Errorf("once suspended: got %v, want it refused", err)
		}
	}
}
