package vault_test

import (
	"slices"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Two channels know somebody by one e-mail, and neither verified it: they know two
// people, and officers see that these may be one – until one of them has another
// e-mail, or is erased. Nobody but officers does.
func TestOfficersSeeWhoMayBeOne(t *testing.T) {
	v := newCrowd(t)
	matches := func(want ...[]vaulttest.Person) {
		t.Helper()
		var all []vault.Match
		var after vault.Pair
		for { // a pair a page
			some, err := v.Matches(t.Context(), v.Officer, after, 1)
			if err != nil || len(some) > 1 {
				t.Fatalf("%v %v", some, err)
			}
			if len(some) == 0 {
				break
			}
			all, after = append(all, some...), some[0].Pair
		}
		if len(all) != len(want) {
			t.Errorf("got %v, want %d pairs", all, len(want))
		}
		for _, pair := range want {
			if !slices.ContainsFunc(all, func(m vault.Match) bool {
				return slices.Contains(m.Pair[:], pair[0].ID) && slices.Contains(m.Pair[:], pair[1].ID) && slices.Equal(m.Fields, []privacy.FieldName{"email"})
			}) {
				t.Errorf("%v are not told by their e-mail: %v", pair, all)
			}
		}
	}
	matches()
	web := v.As("web").Capture(told("email", "a@example.org", "given_name", "Anahita", "phone_number", "+49 30 901820"))
	app := v.As("app").Capture(told("email", "A@example.org", "given_name", "Ana"))
	desk := v.As("desk").Capture(told("email", "a@example.org", "phone_number", "+49 30 901820"))
	v.As("app").Capture(told("email", "b@example.org", "phone_number", "+49 30 901820")) // a number may be a household's
	matches([]vaulttest.Person{web, app}, []vaulttest.Person{web, desk}, []vaulttest.Person{app, desk})

	changed := vaulttest.CaptureRequest(t, told("email", "ana@example.org"))
	changed.Subject = &app
	if _, err := v.Capture(t.Context(), v.As("app").Caller, changed); err != nil {
		t.Fatal(err)
	}
	matches([]vaulttest.Person{web, desk})

	if _, err := v.Erase(t.Context(), v.Officer, vault.EraseRequest{Subject: desk}); err != nil {
		t.Fatal(err)
	}
	matches()
	_, err := v.Matches(t.Context(), v.As("web").Caller, vault.Pair{}, 1)
	refusedWith(t, err, vault.CodeForbidden)
}
