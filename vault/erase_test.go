package vault_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// erase asks for somebody's erasure.
func erase(t *testing.T, v *vaulttest.Vault, who vaulttest.Person) *vault.Request {
	t.Helper()
	q, err := v.Erase(context.Background(), v.Officer, vault.EraseRequest{Subject: who, Reason: "They asked for it"})
	if err != nil {
		t.Fatalf("erasing: %v", err)
	}
	return q
}

func request(t *testing.T, v *vaulttest.Vault, id privacy.RequestID) *vault.Request {
	t.Helper()
	q, err := v.Request(context.Background(), v.Officer, id)
	if err != nil {
		t.Fatalf("looking at request %s: %v", id, err)
	}
	return q
}

// completed waits until a request is, which needs no more than that keys turn.
func completed(t *testing.T, v *vaulttest.Vault, id privacy.RequestID) *vault.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := v.Completed(ctx, id); err != nil {
		t.Fatalf("waiting for request %s: %v", id, err)
	}
	return request(t, v, id)
}

type certificate struct {
	Issuer      string    `json:"iss"`
	IssuedAt    int64     `json:"iat"`
	Request     string    `json:"jti"`
	Controller  string    `json:"controller"`
	ReceivedAt  time.Time `json:"received_at"`
	ErasedAt    time.Time `json:"erased_at"`
	CompletedAt time.Time `json:"completed_at"`
	Scope       string    `json:"scope"`
	Destroyed   struct {
		Keys     []string          `json:"keys"`
		Records  map[string]uint64 `json:"records"`
		Openings uint64            `json:"log_openings"`
	} `json:"destroyed"`
	Kept  []vault.Stay `json:"kept"`
	Never *struct {
		Hashes uint64 `json:"hashes"`
		Why    string `json:"why"`
	} `json:"never_contact"`
	Epochs struct {
		KEKDestroyed   uint32 `json:"kek_destroyed"`
		KEK            uint32 `json:"kek"`
		IndexDestroyed uint32 `json:"index_destroyed"`
		Index          uint32 `json:"index"`
	} `json:"epochs"`
	Log struct {
		Name, Origin string
		Index        uint64
	} `json:"log"`
	KeyBackupsUntil string `json:"key_backups_until"`
}

// certified checks a certificate as a stranger would: with a JWS library and the
// published keys.
func certified(t *testing.T, v *vaulttest.Vault, compact string) certificate {
	t.Helper()
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatalf("parsing the certificate: %v", err)
	}
	header := signed.Signatures[0].Header
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != "erasure-certificate+jwt" {
		t.Errorf("typ: got %v", typ)
	}
	for _, k := range v.EvidenceKeys() {
		if k.ID != header.KeyID {
			continue
		}
		payload, err := signed.Verify(crypto.PublicKey(k.Public))
		if err != nil {
			t.Fatalf("verifying the certificate: %v", err)
		}
		var c certificate
		dec := json.NewDecoder(bytes.NewReader(payload))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("reading the certificate: %v", err)
		}
		return c
	}
	t.Fatalf("the certificate's key %s is not published", header.KeyID)
	return certificate{}
}

// Ana asks to be erased. From then on nobody knows her: not by ID, not by her
// e-mail, not for any purpose; her decisions are gone; and a certificate says so,
// which a stranger checks.
func TestWhoIsErasedIsNobody(t *testing.T) {
	v := vaulttest.New(t, nil)
	web, store, sms := v.As("web"), v.As("store"), v.As("sms")
	ana := store.Capture(told("given_name", "Ana", "phone_number", "+49 30 901820"))
	ben := web.Capture(told("given_name", "Ben", "email", "ben@example.org"))
	store.For("sms-marketing").Consent(ana, privacy.StatusGiven)
	decision := sms.For("sms-marketing").Read(ana, "given_name").Released(told("given_name", "Ana")).Result.Decision
	store.For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Ana"))

	q := erase(t, v, vaulttest.By("phone_number", "030 901820"))
	if q.Status != vault.RequestInProgress || !q.DueAt.Equal(privacy.Period{Months: 1}.After(q.ReceivedAt)) {
		t.Errorf("asked: got %+v", q)
	}
	sms.For("sms-marketing").Read(ana, "given_name").Denied("no_consent")
	sms.For("sms-marketing").Read(vaulttest.By("phone_number", "030 901820"), "given_name").Denied("no_consent")
	store.For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnknownSubject)
	web.For("order-fulfilment").Read(ben, "given_name").Released(told("given_name", "Ben"))
	_, err := v.Decision(t.Context(), v.Officer, decision)
	refusedWith(t, err, vault.CodeGone)
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
	again := erase(t, v, ana)
	if again.ID != q.ID {
		t.Errorf("asked again: got request %s, want %s", again.ID, q.ID)
	}

	done := completed(t, v, q.ID)
	c := certified(t, v, done.Certificate)
	if c.Request != q.ID.String() || c.Issuer != v.ID().String() || c.Scope != "all" || c.Controller != "Northgate" || len(c.Kept) != 0 {
		t.Errorf("certificate: got %+v", c)
	}
	if c.Destroyed.Records["values"] != 1 || c.Destroyed.Records["consents"] != 1 || c.Destroyed.Records["index_rows"] != 1 || c.Destroyed.Openings < 5 {
		t.Errorf("certificate, what was destroyed: got %+v", c.Destroyed)
	}
	if c.Epochs.KEKDestroyed != 1 || c.Epochs.KEK != 2 || c.Epochs.IndexDestroyed != 1 || c.Epochs.Index != 2 {
		t.Errorf("certificate, epochs: got %+v", c.Epochs)
	}
	if want := done.CompletedAt.AddDate(0, 0, 7).Format(time.DateOnly); c.KeyBackupsUntil != want {
		t.Errorf("certificate, key backups: got %s, want %s", c.KeyBackupsUntil, want)
	}
	proof, err := v.Prove(t.Context(), q.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.CheckProof(proof, v.VerifierKey()); err != nil || proof.Index != c.Log.Index || proof.Opening.Subject != privacy.Nobody {
		t.Errorf("the proof of what the certificate names: got %+v, %v", proof, err)
	}
	if bytes.Contains([]byte(proof.Opening.Record), []byte(ana.ID.String())) || done.Subject != nil || done.Reason != "" {
		t.Error("what stays of the request names her")
	}
	r, err := v.VerifyLog(t.Context(), nil)
	if err != nil || r.Erased != c.Destroyed.Openings {
		t.Errorf("verifying the log: got %+v, %v, want %d erased", r, err, c.Destroyed.Openings)
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	sms.For("sms-marketing").Read(ana, "given_name").Denied("no_consent")
	if got := request(t, v, q.ID); got.Status != vault.RequestCompleted || got.Certificate != done.Certificate {
		t.Errorf("after a restart: got %+v", got)
	}
}
