package consent_test

import (
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Ana asked to be erased; her invoices must stay. For the invoices she exists,
// for nothing else; when she comes back, what was kept is not seen by those
// whom she told anew.
func TestWhoIsKeptExistsForNothingElse(t *testing.T) {
	s := &consent.Standing{Phase: consent.Active,
		Values: []consent.Value{{Field: "address", Version: 1}, {Field: "email", Version: 1}},
		Grounds: []consent.Ground{
			{Purpose: "invoices"}, {Purpose: "order-fulfilment"},
		}}
	if s.For("order-fulfilment") != s {
		t.Error("before: she exists for everything")
	}
	s.Phase, s.Kept = consent.Erasing, []privacy.PurposeID{"invoices"}
	if s.For("order-fulfilment") != nil {
		t.Error("while she is erased: she exists for orders")
	}
	if got := s.For("invoices"); got == nil || got.Phase != consent.Active {
		t.Errorf("while she is erased, for invoices: got %+v", got)
	}

	s.Phase, s.Values, s.Grounds = consent.Active, s.Values[:1], s.Grounds[:1]
	s.Values[0].Kept = true
	if s.For("order-fulfilment") != nil {
		t.Error("after: she exists for orders")
	}
	if got := s.For("invoices"); got == nil || got.Value("address") == nil {
		t.Errorf("after, for invoices: got %+v", got)
	}

	s.Values = append(s.Values, consent.Value{Field: "given_name", Version: 1})
	got := s.For("order-fulfilment")
	if got == nil || got.Value("address") != nil || got.Value("given_name") == nil || got.Values[1].Field != "given_name" {
		t.Errorf("come back, for orders: got %+v", got)
	}
	if s.Value("address") == nil {
		t.Error("what is hidden from orders is gone")
	}
}
