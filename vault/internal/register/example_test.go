package register_test

import (
	"os"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The example shop is what a newcomer reads first: it must be in order, and
// speak both of its languages throughout.
func TestTheExampleShopIsInOrder(t *testing.T) {
	text, err := os.ReadFile("../../../examples/shop/register.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shop := parse(t, string(text))
	speaks := func(what string, text privacy.Text) {
		if text != nil && (text["en"] == "" || text["de"] == "" || len(text) != 2) {
			t.Errorf("%s: got %v, want a text in en and in de", what, text)
		}
	}
	bases := map[privacy.LegalBasis]bool{}
	for _, f := range shop.Fields {
		speaks(string(f.Name), f.Title)
	}
	for _, p := range shop.Purposes {
		bases[p.Basis] = true
		speaks(string(p.ID), p.Title)
		speaks(string(p.ID), p.Benefit)
		if p.Consent != nil {
			speaks(string(p.ID), p.Consent.Notice.Text)
		}
	}
	for _, c := range shop.Channels {
		speaks(string(c.ID), c.Title)
	}
	for _, b := range []privacy.LegalBasis{privacy.Contract, privacy.Consent, privacy.LegitimateInterests, privacy.LegalObligation, privacy.OptOut} {
		if !bases[b] {
			t.Errorf("the shop has no purpose that rests on %s", b)
		}
	}
	for _, id := range []privacy.ChannelID{"web", "app", "store", "sms", "mail", "call-centre"} {
		if _, ok := shop.Channel(id); !ok {
			t.Errorf("the shop has no channel %s", id)
		}
	}
}
