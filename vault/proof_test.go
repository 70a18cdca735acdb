package vault_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// proving is the crowd's shop, in which two channels open sessions.
var proving = strings.NewReplacer(
	"{id: web, kind: web,", "{id: web, kind: web, sessions: true,",
	"{id: app, kind: app,", "{id: app, kind: app, sessions: true,",
).Replace(crowd)

// shown returns the first name that whoever proves to have an identifier is shown
// after a login, "" if nobody is let in.
func shown(t *testing.T, v *vaulttest.Vault, field privacy.FieldName, value, from string) string {
	t.Helper()
	opened, err := v.LoginByIdentifier(t.Context(), vault.Login{Field: field, Value: privacy.NewSensitive([]byte(`"` + value + `"`)), How: "openid", From: from})
	var refused *vault.Error
	if errors.As(err, &refused) && refused.Code == vault.CodeUnknownSubject {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	by, err := v.Subject(t.Context(), opened.Token)
	if err != nil {
		t.Fatal(err)
	}
	me, err := v.Me(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range me.Values {
		if value.Field == "given_name" {
			return strings.Trim(string(value.Value.Reveal()), `"`)
		}
	}
	return "(nameless)"
}

// Mallory types Alice's address into the shop's form, beside a card of her own that
// the shop verifies. That makes her nobody but herself.
func TestTypingSomebodysAddressIsNotBeingThem(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: proving})
	alice := verified(t, v, "web", told("given_name", "Alice", "email", "alice@example.org"), "email")
	mallory := verified(t, v, "web", told("given_name", "Mallory", "email", "alice@example.org", "card", "666"), "card")
	if mallory.ID == alice.ID {
		t.Error("a verified card beside her address joined Alice")
	}
	if got := shown(t, v, "card", "666", ""); got != "Mallory" {
		t.Errorf("Mallory's card shows %q", got)
	}
	if got := shown(t, v, "email", "alice@example.org", ""); got != "Alice" {
		t.Errorf("Alice's address shows %q", got)
	}
	finds(t, v, vaulttest.By("email", "alice@example.org"), "Alice")

	// The other way round: with Alice's card, and an address of her own.
	card := verified(t, v, "web", told("given_name", "Carla", "email", "carla@example.org", "card", "4711"), "email")
	if got := verified(t, v, "web", told("card", "4711", "email", "mallory@example.org", "given_name", "Mallory II"), "email"); got.ID == card.ID {
		t.Error("a verified address beside her card joined Carla")
	}
	if got := shown(t, v, "email", "carla@example.org", ""); got != "Carla" {
		t.Errorf("Carla's address shows %q", got)
	}
}

// In two steps, and of somebody of whom nothing is verified yet.
func TestWhatWasOnlySaidIsNotVerifiedLater(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: proving})
	alice := v.As("web").Capture(told("given_name", "Alice", "email", "alice@example.org"))
	if got := verified(t, v, "web", told("email", "alice@example.org", "card", "666"), "card"); got.ID != alice.ID {
		t.Fatal("who shows up again with an address was made somebody new, though nobody had shown anything")
	}
	if got := shown(t, v, "card", "666", ""); got != "" {
		t.Errorf("the card that came with an address nobody verified shows %q", got)
	}
	if got := verified(t, v, "web", told("given_name", "Mallory", "card", "666"), "card"); got.ID == alice.ID {
		t.Error("the card that came later was verified of Alice by itself")
	}
	if got := shown(t, v, "card", "666", ""); got != "Mallory" {
		t.Errorf("Mallory's card shows %q", got)
	}
	// What Alice came with is hers to verify; what she verified says who she is.
	if got := verified(t, v, "web", told("email", "alice@example.org"), "email"); got.ID != alice.ID {
		t.Error("verifying what she came with made somebody else of Alice")
	}
	if got := verified(t, v, "web", told("email", "alice@example.org", "card", "4711"), "email", "card"); got.ID != alice.ID {
		t.Error("what she verified did not find Alice")
	}
	if got := shown(t, v, "card", "4711", ""); got != "Alice" {
		t.Errorf("Alice's card shows %q", got)
	}
}

// Mallory registers with Alice's address before Alice does.
func TestWhoCameFirstWithSomebodysAddressSeesNothingOfThem(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: proving})
	mallory := verified(t, v, "web", told("given_name", "Mallory", "email", "alice@example.org", "card", "666"), "card")
	alice := verified(t, v, "web", told("given_name", "Alice", "email", "alice@example.org"), "email")
	if alice.ID == mallory.ID {
		t.Error("Alice was taken for who had typed her address before")
	}
	if got := shown(t, v, "card", "666", ""); got != "Mallory" {
		t.Errorf("Mallory's card shows %q", got)
	}
	if got := shown(t, v, "email", "alice@example.org", ""); got != "Alice" {
		t.Errorf("Alice's address shows %q", got)
	}
	finds(t, v, vaulttest.By("email", "alice@example.org"), "Alice")
}

// Whoever has Alice's password at the shop, or stands at its counter, can have a
// number of their own written down there. A login with it is no step up.
func TestWhatAChannelWroteDownLaterIsNoStepUp(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: proving})
	token := func(who vaulttest.Person) string { t.Helper(); return v.As("web").Session(who).Opened.Token }
	write := func(who vaulttest.Person, field, value string) {
		t.Helper()
		req := vaulttest.CaptureRequest(t, told(field, value))
		ref := who
		req.Subject = &ref
		if _, err := v.Capture(t.Context(), v.As("web").Caller, req); err != nil {
			t.Fatal(err)
		}
	}
	alice := verified(t, v, "web", told("given_name", "Alice", "email", "alice@example.org"), "email")
	write(alice, "card", "666")
	if got := shown(t, v, "card", "666", token(alice)); got != "" {
		t.Errorf("a card beside a verified address steps up, and shows %q", got)
	}
	if got := shown(t, v, "email", "alice@example.org", token(alice)); got != "Alice" {
		t.Errorf("her own address shows %q", got)
	}
	write(alice, "email", "mallory@example.org")
	if got := shown(t, v, "email", "mallory@example.org", token(alice)); got != "" {
		t.Errorf("an address that was put in the place of hers steps up, and shows %q", got)
	}
	// What she came with is enough while nothing is verified.
	bea := v.As("web").Capture(told("given_name", "Bea", "email", "bea@example.org"))
	write(bea, "card", "42")
	if got := shown(t, v, "card", "42", token(bea)); got != "" {
		t.Errorf("a card that came later steps up, and shows %q", got)
	}
	if got := shown(t, v, "email", "bea@example.org", token(bea)); got != "Bea" {
		t.Errorf("the address she came with shows %q", got)
	}
}

// Whatever two honest channels are told: who types the identifiers of somebody else
// and shows only their own never gets to see what the other told when they showed
// theirs.
func TestNoStoryMakesSomebodyElseOfWhoTypes(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: proving})
	rng := rand.New(rand.NewPCG(7, 7))
	for story := range 150 {
		ids := map[string]map[privacy.FieldName]string{}
		for _, who := range []string{"Alice", "Mallory"} {
			ids[who] = map[privacy.FieldName]string{"email": fmt.Sprintf("%s%d@example.org", strings.ToLower(who), story), "card": fmt.Sprintf("%s-%d", who, story)}
		}
		var lines, secrets []string
		for step := range 2 + rng.IntN(5) {
			who := []string{"Alice", "Mallory"}[rng.IntN(2)]
			ch := []privacy.ChannelID{"web", "web", "app"}[rng.IntN(3)]
			name := fmt.Sprintf("%s %d.%d", who, story, step)
			values := map[string]any{"given_name": name}
			var showed []privacy.FieldName
			for _, f := range []privacy.FieldName{"email", "card"} {
				switch own := ids[who][f]; {
				case rng.IntN(2) == 0:
				case who == "Mallory" && rng.IntN(2) == 0:
					values[string(f)] = ids["Alice"][f]
				default:
					values[string(f)] = own
					if rng.IntN(2) == 0 {
						showed = append(showed, f)
					}
				}
			}
			if len(values) == 1 {
				continue
			}
			req := vaulttest.CaptureRequest(t, values)
			req.Verified = showed
			_, err := v.Capture(t.Context(), v.As(ch).Caller, req)
			lines = append(lines, fmt.Sprint(ch, " ", values, " verified ", showed, " ", err))
			if err == nil && who == "Alice" && len(showed) > 0 {
				secrets = append(secrets, name)
			}
		}
		for f, value := range ids["Mallory"] {
			opened, err := v.LoginByIdentifier(t.Context(), vault.Login{Field: f, Value: privacy.NewSensitive([]byte(`"` + value + `"`)), How: "openid"})
			if err != nil {
				continue
			}
			if everything := takesAll(t, v, opened.Token); slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(everything, `"`+s+`"`) }) {
				t.Fatalf("Mallory logs in with her %s and sees what Alice told:\n%s", f, strings.Join(lines, "\n"))
			}
		}
	}
}

// takesAll returns the copy of everything that a session gives, past values too.
func takesAll(t *testing.T, v *vaulttest.Vault, token string) string {
	t.Helper()
	by, err := v.Subject(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	all, err := v.Export(t.Context(), by, vault.ScopeAccess)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, value := range all.Values {
		b.Write(value.Value.Reveal())
	}
	for _, value := range all.Past {
		b.Write(value.Value.Reveal())
	}
	return b.String()
}
