package command

import (
	"fmt"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// What invented people are made of.
var (
	inventedGiven  = []string{"Anahita", "Björn", "Chiara", "Dilnoza", "Émile", "Fátima", "Goran", "Hye-jin", "Ines", "Jürgen", "Kwame", "Łucja", "Mehmet", "Nadia", "Óscar", "Priya"}
	inventedFamily = []string{"Aaltonen", "Brandt", "Câmara", "Dvořák", "Eriksen", "Ferreira", "Grünwald", "Horvat", "Ivanova", "Jansen", "Kaya", "Lindqvist", "Moreau", "Nwosu", "O’Neill", "Quintero"}
	inventedStreet = []string{"Lindenweg", "Torstraße", "Am Alten Hafen", "Königsallee", "Gartenstraße", "Mühlenweg", "Bergstraße"}
	inventedTown   = [...][2]string{{"10119", "Berlin"}, {"20099", "Hamburg"}, {"50667", "Köln"}, {"80331", "München"}, {"04109", "Leipzig"}}
	inventedTier   = []string{"bronze", "silver", "gold"}
	inventedLocale = []string{"de", "de-AT", "en", "tr", "pl"}
)

// The purposes of benchregister.yaml that rest on say-so, and the others.
var (
	benchByConsent = []privacy.PurposeID{"newsletter", "sms-marketing"}
	benchOthers    = []privacy.PurposeID{"order-fulfilment", "customer-care", "fraud-prevention"}
)

// saidYes tells whether invented person i said yes to purpose n of those by
// consent: of four people one to both, one to neither, one each to one.
func saidYes(i, n int) bool { return i>>n&1 == 0 }

// invent makes up the i-th person, the same at each call.
func invent(i int) vault.CaptureRequest {
	mixed := int(uint32(i) * 2654435761 >> 8)
	pick := func(list []string, salt int) string { return list[(mixed>>salt)%len(list)] }
	given, family, town := pick(inventedGiven, 0), pick(inventedFamily, 4), inventedTown[(mixed>>8)%len(inventedTown)]
	told := vault.CaptureRequest{NoReceipts: true} // as an import asks
	tell := func(field privacy.FieldName, format string, args ...any) {
		told.Fields = append(told.Fields, vault.CapturedField{Field: field, Value: privacy.NewSensitive(fmt.Appendf(nil, format, args...))})
	}
	tell("given_name", "%q", given)
	tell("family_name", "%q", family)
	tell("email", `"person.%07d@example.org"`, i)
	tell("phone_number", `"+49151%08d"`, i)
	tell("birthdate", `"%04d-%02d-%02d"`, 1940+mixed%65, 1+mixed>>3%12, 1+mixed>>7%28)
	tell("address", `{"street_address":"%s %d","postal_code":"%s","locality":"%s","country":"DE"}`, pick(inventedStreet, 6), 1+mixed>>5%120, town[0], town[1])
	tell("locale", "%q", pick(inventedLocale, 9))
	tell("loyalty_tier", "%q", pick(inventedTier, 11))
	for n, purpose := range benchByConsent {
		if saidYes(i, n) {
			told.Consents = append(told.Consents, vault.ConsentRequest{Purpose: purpose, Status: privacy.StatusGiven, Method: "web_form"})
		}
	}
	return told
}

// purposeFor is what the i-th read asks for, and about whom near the one it
// would be about: in turn what nobody need say yes to, and what they did; each
// fifth is something that the person did not say yes to.
func purposeFor(i, near, people int) (who int, purpose privacy.PurposeID, denied bool) {
	n := i / 5 % len(benchByConsent)
	four := min(near, people-4) &^ 3 // one who said yes to both, and so on
	switch i % 5 {
	case 4:
		return four + 1<<n, benchByConsent[n], true
	case 3:
		return four, benchByConsent[n], false
	}
	return near, benchOthers[i%5], false
}
