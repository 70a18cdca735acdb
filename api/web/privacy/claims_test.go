package privacy

import (
	"testing"

	"github.com/sayso-vault/sayso/api/authn/openid"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// A provider that vouches for an address and a number, in a register with two
// fields for each: who they lead to is not left to chance.
func TestWhatAProviderVouchesForIsTriedInOneOrder(t *testing.T) {
	known := &titles{fields: map[privacy.FieldName]vault.FieldTitle{
		"work_email":   {Unique: true, Type: privacy.TypeEmail},
		"phone_number": {Unique: true, Type: privacy.TypePhone},
		"landline":     {Type: privacy.TypePhone},
		"email":        {Unique: true, Type: privacy.TypeEmail},
		"card":         {Unique: true, Type: privacy.TypeString},
		"call_me_at":   {Unique: true, Type: privacy.TypePhone},
	}}
	who := &openid.Identity{Email: "mia@example.org", EmailVerified: true, Phone: "+4930901820", PhoneVerified: true}
	for range 30 {
		var tried []privacy.FieldName
		for _, claim := range known.claims(who) {
			tried = append(tried, claim.Field)
		}
		if len(tried) != 4 || tried[0] != "email" || tried[1] != "phone_number" || tried[2] != "call_me_at" || tried[3] != "work_email" {
			t.Fatalf("tried %v, want email, phone_number, call_me_at, work_email", tried)
		}
	}
	who.EmailVerified = false
	if claims := known.claims(who); len(claims) != 2 || claims[0].Field != "phone_number" {
		t.Errorf("without the address: %v", claims)
	}
}
