package vault_test

import (
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Anahita is an invented customer.
var anahita = map[string]any{
	"given_name": "Anahita", "family_name": "Quintero", "email": "Ana.Quintero@Example.org", "phone_number": "+49 30 901820",
	"birthdate": "1987-05-04",
	"address":   map[string]any{"street_address": "Torstrasse 12", "locality": "Berlin", "postal_code": "10119", "country": "DE"},
}

func TestSheIsCapturedOnceAndReadBySaySo(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)

	v.As("web").For("order-fulfilment").Read(ana, "given_name", "email").Released(map[string]any{"given_name": "Anahita", "email": "Ana.Quintero@Example.org"})
	v.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
	v.As("sms").For("order-fulfilment").Read(ana).Refused("purpose_not_granted")

	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	v.As("sms").For("sms-marketing").Read(ana).Released(map[string]any{"given_name": "Anahita", "phone_number": "+4930901820"})
	v.As("sms").For("sms-marketing").Read(vaulttest.By("phone_number", "030 901820"), "given_name").Released(map[string]any{"given_name": "Anahita"})

	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)

	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatalf("reopening: %v", err)
	}
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(map[string]any{"given_name": "Anahita"})
	v.As("sms").For("sms-marketing").Read(ana).Denied(privacy.CodeNoConsent)
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatalf("verifying the log: %v", err)
	}
}
