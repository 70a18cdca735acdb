package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// apply applies a register as somebody.
func apply(t *testing.T, v *vaulttest.Vault, by vault.Caller, register string) *vault.Applied {
	t.Helper()
	applied, err := v.ApplyRegister(t.Context(), by, "register.yaml", []byte(register), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// acts returns what the log's records about a kind of thing say was done.
func acts(t *testing.T, v *vaulttest.Vault, kind string) (all []string) {
	t.Helper()
	err := v.Store.Entries(t.Context(), 0, v.Store.Size(), func(_ uint64, raw []byte) error {
		entry, record, err := v.OpenEntry(t.Context(), raw)
		if err == nil && entry.Kind.String() == kind {
			all = append(all, string(record))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	delivery = "basis: contract, fields: [given_name, family_name, email, phone_number, address]"
	birthday = "basis: contract, fields: [given_name, family_name, email, phone_number, address, birthdate]"
)

// As soon as there are two officers, a register that can show more waits for the
// other one, whole: what of it narrows waits too.
func TestARegisterThatWidensWaitsForASecondOfficer(t *testing.T) {
	v := vaulttest.New(t, nil)
	web := v.As("web").For("order-fulfilment")
	mina := v.As("web").Capture(map[string]any{"given_name": "Mina", "family_name": "Okafor", "email": "mina@example.org", "birthdate": "1990-04-01"})
	web.Read(mina).Released(map[string]any{"given_name": "Mina", "family_name": "Okafor", "email": "mina@example.org"})
	beatrix := v.Second("beatrix")

	// One that only narrows needs nobody.
	narrow := strings.Replace(vaulttest.Register, "family_name, email, phone_number, address], retention: P10Y", "email, phone_number, address], retention: P10Y", 1)
	if a := apply(t, v, v.Officer, narrow); a.Status != vault.StatusActive || a.Revision != 2 {
		t.Fatalf("narrowing: got %+v, want it in force", a)
	}
	web.Read(mina).Released(map[string]any{"given_name": "Mina", "email": "mina@example.org"})

	// A mixed one waits whole: given_name would go, birthdate and a channel come.
	mixed := strings.Replace(strings.Replace(narrow, "fields: [given_name, email, phone_number, address]", "fields: [email, phone_number, address, birthdate]", 1),
		"  - {id: sms,", "  - {id: app, kind: app, purposes: [order-fulfilment]}\n  - {id: sms,", 1)
	a := apply(t, v, v.Officer, mixed)
	if a.Status != vault.StatusPending || a.Revision != 3 || len(a.Channels) > 0 {
		t.Fatalf("mixed: got %+v, want it pending, without secrets", a)
	}
	for _, c := range a.Changes {
		if want := c.Op == "added"; c.Widens != want || c.Why == "" {
			t.Errorf("%s %s: got widens %v because %q, want %v", c.Op, c.Path, c.Widens, c.Why, want)
		}
	}
	web.Read(mina).Released(map[string]any{"given_name": "Mina", "email": "mina@example.org"})
	if again := apply(t, v, v.Officer, mixed); again.Revision != 3 || again.Status != vault.StatusPending {
		t.Errorf("the same again: got %+v, want revision 3 to wait as before", again)
	}
	_, err := v.ApproveRegister(t.Context(), v.Officer, 3)
	refusedWith(t, err, vault.CodeFourEyes)
	_, err = v.ApproveRegister(t.Context(), beatrix, 2)
	refusedWith(t, err, vault.CodeWrongState)
	_, err = v.ApproveRegister(t.Context(), beatrix, 9)
	refusedWith(t, err, vault.CodeNotFound)

	// It waits over a restart, and is shown to whoever is to approve it.
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	view, err := v.Register(t.Context(), beatrix)
	if err != nil || view.Revision != 2 || view.Pending == nil || view.Pending.Revision != 3 || view.Pending.By != "first" || string(view.Pending.YAML) != mixed {
		t.Fatalf("what waits: got %+v, %v", view, err)
	}

	// A later one takes its place: nobody approves what they did not look at.
	wider := strings.Replace(mixed, "  - {id: app,", "  - {id: kiosk, kind: store, purposes: [order-fulfilment]}\n  - {id: app,", 1)
	if a := apply(t, v, v.Officer, wider); a.Status != vault.StatusPending || a.Revision != 4 {
		t.Fatalf("a later one: got %+v", a)
	}
	_, err = v.ApproveRegister(t.Context(), beatrix, 3)
	refusedWith(t, err, vault.CodeWrongState)
	approved, err := v.ApproveRegister(t.Context(), beatrix, 4)
	if err != nil || approved.Status != vault.StatusActive || len(approved.Channels) > 0 {
		t.Fatalf("approving: got %+v, %v", approved, err)
	}
	web.Read(mina).Released(map[string]any{"birthdate": "1990-04-01", "email": "mina@example.org"})
	if _, err := v.NewSecret(t.Context(), v.Officer, "app"); err != nil {
		t.Errorf("a secret for the new channel: %v", err)
	}
	if got := strings.Join(acts(t, v, "register"), "\n"); !strings.Contains(got, `"act":"approved","revision":4`) || !strings.Contains(got, `"proposed":"first"`) || !strings.Contains(got, `"replaced":3`) {
		t.Errorf("the log: got %s", got)
	}
}

// A narrowing change drops what waits: it was made from another register.
func TestWhatNarrowsMeanwhileEndsWhatWaits(t *testing.T) {
	v := vaulttest.New(t, nil)
	beatrix := v.Second("beatrix")
	apply(t, v, v.Officer, strings.Replace(vaulttest.Register, delivery, birthday, 1))
	apply(t, v, beatrix, strings.Replace(vaulttest.Register, delivery, "basis: contract, fields: [given_name]", 1))
	view, err := v.Register(t.Context(), beatrix)
	if err != nil || view.Pending != nil || view.Revision != 3 {
		t.Errorf("got %+v, %v, want revision 3 and nothing that waits", view, err)
	}
}

func TestARegisterIsRejectedWithWords(t *testing.T) {
	v := vaulttest.New(t, nil)
	beatrix := v.Second("beatrix")
	apply(t, v, v.Officer, strings.Replace(vaulttest.Register, delivery, birthday, 1))
	if a, err := v.RejectRegister(t.Context(), beatrix, 2, "birthdays are not needed for delivery"); err != nil || a.Status != vault.StatusRejected {
		t.Fatalf("got %+v, %v", a, err)
	}
	_, err := v.ApproveRegister(t.Context(), beatrix, 2)
	refusedWith(t, err, vault.CodeWrongState)
	if got := strings.Join(acts(t, v, "register"), "\n"); !strings.Contains(got, "birthdays are not needed for delivery") {
		t.Errorf("the log lacks the words: %s", got)
	}
	// The number is gone; the next register has its own, and the old ones are told of whole.
	if a := apply(t, v, v.Officer, strings.Replace(vaulttest.Register, delivery, "basis: contract, fields: [given_name]", 1)); a.Revision != 3 {
		t.Errorf("the next: got revision %d, want 3", a.Revision)
	}
	var revisions []uint64
	_, err = v.ExportRegister(t.Context(), beatrix, vault.ExportRequest{}, func(lines []vault.RegisterLine) error {
		revisions = append(revisions, lines[0].Revision)
		return nil
	})
	if err != nil || !slices.Equal(revisions, []uint64{1, 3}) {
		t.Errorf("exported: got revisions %v, %v, want those that were in force", revisions, err)
	}
}

// Who works from an older revision is shown what others did since, and what their
// own change would have done.
func TestAConflictShowsBothSides(t *testing.T) {
	v := vaulttest.New(t, nil)
	apply(t, v, v.Officer, strings.Replace(vaulttest.Register, delivery, birthday, 1))
	from := uint64(1)
	_, err := v.ApplyRegister(t.Context(), v.Officer, "register.yaml", []byte(strings.Replace(vaulttest.Register, "kind: web,", "kind: shop,", 1)), &from, false)
	var conflict *vault.RevisionConflict
	if !errors.As(err, &conflict) || conflict.Revision != 2 || conflict.By != "first" ||
		len(conflict.Theirs) != 1 || conflict.Theirs[0].To != "birthdate" || len(conflict.Yours) != 1 || conflict.Yours[0].Path != "channels.web.kind" {
		t.Errorf("got %+v", err)
	}
}

// The second officer is made at once, each other one and each removal when
// another officer approved it.
func TestOfficersComeAndGoByTwo(t *testing.T) {
	v := vaulttest.New(t, nil)
	ctx := t.Context()
	_, err := v.RemoveOfficer(ctx, v.Officer, "first")
	refusedWith(t, err, vault.CodeWrongState)
	beatrix := v.Second("beatrix")
	if carla, err := v.AddOfficer(ctx, v.Officer, "carla"); err != nil || carla.Status != vault.StatusPending || carla.Credentials != nil {
		t.Fatalf("a third: got %+v, %v, want it pending", carla, err)
	}
	_, err = v.ApproveOfficer(ctx, v.Officer, "carla")
	refusedWith(t, err, vault.CodeFourEyes)
	made, err := v.ApproveOfficer(ctx, beatrix, "carla")
	if err != nil || made.Credentials == nil {
		t.Fatalf("approving carla: %+v, %v", made, err)
	}
	carla := v.Signed(*made.Credentials)

	// Who was added takes a secret of their own and revokes the one that was seen.
	_, err = v.NewOfficerSecret(ctx, beatrix, "carla")
	refusedWith(t, err, vault.CodeForbidden)
	own, err := v.NewOfficerSecret(ctx, carla, "carla")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.RevokeOfficerSecret(ctx, carla, "carla", made.SecretID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Authenticate(made.Credentials.ClientID, made.Credentials.ClientSecret); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("the secret that was seen: got %v, want it revoked", err)
	}
	carla = v.Signed(*own.Credentials)
	refusedWith(t, v.RevokeOfficerSecret(ctx, carla, "carla", own.SecretID), vault.CodeWrongState)

	// Of three, another than who asked approves; of two, who is to go.
	if gone, err := v.RemoveOfficer(ctx, carla, "carla"); err != nil || gone.Status != vault.StatusPending {
		t.Fatalf("one of three leaves: got %+v, %v, want it pending", gone, err)
	}
	if _, err := v.RejectOfficer(ctx, beatrix, "carla", "please stay"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.RemoveOfficer(ctx, v.Officer, "carla"); err != nil {
		t.Fatal(err)
	}
	if gone, err := v.ApproveOfficer(ctx, beatrix, "carla"); err != nil || gone.Status != vault.StatusRemoved {
		t.Fatalf("removing carla: %+v, %v", gone, err)
	}
	if _, err := v.Client(carla.Client.ID, carla.Client.SecretID); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("carla's token: got %v, want it ended", err)
	}
	_, err = v.SuspendChannel(ctx, carla, "web") // who was let in a moment before
	if !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("carla goes on: got %v", err)
	}
	if _, err := v.RemoveOfficer(ctx, v.Officer, "beatrix"); err != nil {
		t.Fatal(err)
	}
	_, err = v.ApproveOfficer(ctx, v.Officer, "beatrix")
	refusedWith(t, err, vault.CodeFourEyes)
	if _, err := v.ApproveOfficer(ctx, beatrix, "beatrix"); err != nil {
		t.Fatalf("beatrix agrees to go: %v", err)
	}
	// One is left, and needs nobody again.
	if a := apply(t, v, v.Officer, strings.Replace(vaulttest.Register, delivery, birthday, 1)); a.Status != vault.StatusActive {
		t.Errorf("alone again: got %+v", a)
	}
	log := strings.Join(acts(t, v, "client"), "\n")
	for _, act := range []string{"addition proposed", `"act":"made"`, "please stay", "removal proposed", `"act":"removed"`, "secret revoked"} {
		if !strings.Contains(log, act) {
			t.Errorf("the log lacks %s", act)
		}
	}
	if report, err := v.VerifyLog(ctx, func(string, uint64, uint64) {}); err != nil || report == nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// Who is locked out gets in by the root key, and the log says so.
func TestALockOutIsMendedByTheRootKey(t *testing.T) {
	v := vaulttest.New(t, nil)
	v.Second("beatrix")
	mended, err := v.MendOfficers(t.Context(), "first")
	if err != nil || mended.Credentials == nil {
		t.Fatalf("got %+v, %v", mended, err)
	}
	if _, err := v.Client(v.Officer.Client.ID, v.Officer.Client.SecretID); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("the secret before: got %v, want it revoked", err)
	}
	first := v.Signed(*mended.Credentials)
	if gone, err := v.MendRemoveOfficer(t.Context(), "beatrix"); err != nil || gone.Status != vault.StatusRemoved {
		t.Fatalf("removing: %+v, %v", gone, err)
	}
	_, err = v.MendRemoveOfficer(t.Context(), "first")
	refusedWith(t, err, vault.CodeWrongState)
	if all, err := v.Officers(t.Context(), first); err != nil || len(all) != 1 {
		t.Errorf("officers: %+v, %v", all, err)
	}
	if log := strings.Join(acts(t, v, "client"), "\n"); strings.Count(log, "(root key)") != 2 {
		t.Errorf("the log does not say by whom: %s", log)
	}
}

const (
	noAddress = "package sayso.rules\n\nwithhold contains {\"field\": \"address\", \"reason\": \"Addresses stay with the store\"} if input.channel.id == \"web\"\n"
	noEmail   = "package sayso.rules\n\nwithhold contains {\"field\": \"email\", \"reason\": \"No mail\"} if input.channel.id == \"web\"\n"
)

// draft keeps rules as a draft.
func draft(t *testing.T, v *vaulttest.Vault, modules map[string]string) string {
	t.Helper()
	set, err := v.DraftPolicy(t.Context(), v.Officer, modules, "")
	if err != nil {
		t.Fatal(err)
	}
	return set.ID
}

// Rules that narrow are activated by one; what widens, another set or a rollback,
// waits for the other officer.
func TestRulesThatWidenWaitForASecondOfficer(t *testing.T) {
	v := vaulttest.New(t, nil)
	ctx := t.Context()
	web := v.As("web").For("order-fulfilment")
	mina := v.As("web").Capture(map[string]any{"email": "mina@example.org", "address": map[string]any{"locality": "Berlin", "country": "DE"}})
	beatrix := v.Second("beatrix")
	first := draft(t, v, map[string]string{"rules.rego": noAddress})
	web.Read(mina).Released(map[string]any{"address": map[string]any{"country": "DE", "locality": "Berlin"}, "email": "mina@example.org"})
	if set, err := v.ActivatePolicy(ctx, v.Officer, first); err != nil || set.Status != vault.StatusActive || set.ID != first {
		t.Fatalf("narrowing: %+v, %v", set, err)
	}
	web.Read(mina).Released(map[string]any{"email": "mina@example.org"}).Withheld("address", privacy.CodePolicy)
	_, err := v.ActivatePolicy(ctx, v.Officer, first)
	refusedWith(t, err, vault.CodeWrongState)

	// Another set that lacks the rule.
	other := draft(t, v, map[string]string{"rules.rego": noEmail})
	change, err := v.SubmitPolicy(ctx, v.Officer, other)
	if err != nil || change.Status != vault.StatusPending || change.ID == other || change.Change == nil {
		t.Fatalf("submitting: %+v, %v", change, err)
	}
	shown, err := v.PolicyByID(ctx, beatrix, change.ID)
	if err != nil || shown.Status != vault.StatusPending || len(shown.Change.Effects) != 2 || !shown.Change.Effects[0].Widens || shown.Change.Effects[1].Widens {
		t.Fatalf("what waits: %+v, %v", shown, err)
	}
	_, err = v.ActivatePolicy(ctx, beatrix, other)
	refusedWith(t, err, vault.CodeWrongState)
	_, err = v.ApprovePolicy(ctx, v.Officer, change.ID)
	refusedWith(t, err, vault.CodeFourEyes)
	web.Read(mina).Withheld("address", privacy.CodePolicy)
	if set, err := v.ApprovePolicy(ctx, beatrix, change.ID); err != nil || set.Status != vault.StatusActive || set.ID != other {
		t.Fatalf("approving: %+v, %v", set, err)
	}
	web.Read(mina).Released(map[string]any{"address": map[string]any{"country": "DE", "locality": "Berlin"}})
	_, err = v.ApprovePolicy(ctx, beatrix, change.ID)
	refusedWith(t, err, vault.CodeWrongState)

	// A rollback.
	back, err := v.RollbackPolicy(ctx, v.Officer, first)
	if err != nil || back.Status != vault.StatusPending {
		t.Fatalf("rolling back: %+v, %v", back, err)
	}
	if set, err := v.RejectPolicy(ctx, beatrix, back.ID, "the couriers need addresses"); err != nil || set.Status != vault.StatusRejected {
		t.Fatalf("rejecting: %+v, %v", set, err)
	}
	back, err = v.RollbackPolicy(ctx, beatrix, vault.Guardrails)
	if err != nil || back.Status != vault.StatusPending {
		t.Fatalf("to the first of all: %+v, %v", back, err)
	}
	if _, err := v.ApprovePolicy(ctx, v.Officer, back.ID); err != nil {
		t.Fatal(err)
	}
	web.Read(mina).Released(map[string]any{"address": map[string]any{"country": "DE", "locality": "Berlin"}, "email": "mina@example.org"})
	if got := strings.Join(acts(t, v, "policy"), "\n"); !strings.Contains(got, "the couriers need addresses") || !strings.Contains(got, `"act":"approved"`) {
		t.Errorf("the log: %s", got)
	}
}

// What was submitted against other rules than are in force now is looked at again.
func TestAnApprovalIsOfWhatWasShown(t *testing.T) {
	v := vaulttest.New(t, nil)
	ctx := t.Context()
	beatrix := v.Second("beatrix")
	v.Activate(noAddress)
	change, err := v.RollbackPolicy(ctx, v.Officer, vault.Guardrails)
	if err != nil {
		t.Fatal(err)
	}
	both := draft(t, v, map[string]string{"rules.rego": noAddress, "more.rego": noEmail})
	if set, err := v.ActivatePolicy(ctx, beatrix, both); err != nil || set.Status != vault.StatusActive {
		t.Fatalf("%+v, %v", set, err)
	}
	_, err = v.ApprovePolicy(ctx, beatrix, change.ID)
	refusedWith(t, err, vault.CodeWrongState)
	again, err := v.RollbackPolicy(ctx, v.Officer, vault.Guardrails)
	if err != nil || again.ID == change.ID {
		t.Fatalf("submitted again: %+v, %v", again, err)
	}
	if _, err := v.ApprovePolicy(ctx, beatrix, again.ID); err != nil {
		t.Error(err)
	}
}

// Tests travel with the rules: a set whose tests fail is not put in force.
func TestRulesWhoseTestsFailStayOut(t *testing.T) {
	v := vaulttest.New(t, nil)
	ctx := t.Context()
	id := draft(t, v, map[string]string{"rules.rego": noAddress,
		"rules_test.rego": "package sayso.rules_test\n\nimport data.sayso.rules\n\ntest_the_store if count(rules.withhold) == 1 with input as {\"channel\": {\"id\": \"store\"}}\n"})
	test, err := v.TestPolicy(ctx, v.Officer, id)
	if err != nil || test.Failed != 1 || test.Status != vault.PolicyDraft {
		t.Fatalf("testing: %+v, %v", test, err)
	}
	for _, act := range []func() (*vault.Policy, error){
		func() (*vault.Policy, error) { return v.ActivatePolicy(ctx, v.Officer, id) },
		func() (*vault.Policy, error) { return v.SubmitPolicy(ctx, v.Officer, id) },
	} {
		_, err := act()
		refusedWith(t, err, vault.CodeWrongState)
	}
	if set, err := v.RejectPolicy(ctx, v.Officer, id, "the test is wrong"); err != nil || set.Status != vault.StatusRejected {
		t.Fatalf("%+v, %v", set, err)
	}
	_, err = v.ActivatePolicy(ctx, v.Officer, id)
	refusedWith(t, err, vault.CodeWrongState)
}

// What an officer writes stands on another's screen when they decide: nothing in
// it may make the screen show something else.
func TestWhatOfficersWriteIsPlain(t *testing.T) {
	v := vaulttest.New(t, nil)
	mina := v.As("web").Capture(map[string]any{"given_name": "Mina", "email": "mina@example.org"})
	beatrix := v.Second("beatrix")
	narrow := map[string]string{"a.rego": "package sayso.rules\n"}
	set, err := v.DraftPolicy(t.Context(), v.Officer, narrow, "Nothing\nat all: Größe, عربي")
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"\x1b[2J", "\u009b2J", "\u202efine", "one\u2028two", "\a", "\xff"} {
		for what, try := range map[string]func() error{
			"a note":            func() error { _, err := v.DraftPolicy(t.Context(), v.Officer, narrow, words); return err },
			"why rules are not": func() error { _, err := v.RejectPolicy(t.Context(), beatrix, set.ID, words); return err },
			"why a person is": func() error {
				_, err := v.Lookup(t.Context(), v.Officer, vault.SubjectRef{ID: mina.ID}, words)
				return err
			},
			"why nothing goes": func() error {
				_, err := v.PlaceHold(t.Context(), v.Officer, vault.HoldRequest{Subject: vault.SubjectRef{ID: mina.ID}, Reason: words})
				return err
			},
			"why somebody is out": func() error { _, err := v.RejectOfficer(t.Context(), v.Officer, "carl", words); return err },
		} {
			var refused *vault.Error
			if err := try(); !errors.As(err, &refused) || refused.Code != vault.CodeInvalidRequest {
				t.Errorf("%s: %q: got %v, want that it is refused", what, words, err)
			}
		}
	}
}
