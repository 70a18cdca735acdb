package vault_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

var today = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// login begins a session for an officer and returns its token.
func login(t *testing.T, v *vaulttest.Vault, by vault.Caller) string {
	t.Helper()
	token, err := v.BeginSession(t.Context(), by.Client, "Firefox")
	if err != nil {
		t.Fatalf("logging in: %v", err)
	}
	return token
}

// letIn tells whether a session's token lets somebody in.
func letIn(t *testing.T, v *vaulttest.Vault, token string) bool {
	t.Helper()
	_, _, err := v.OfficerSession(t.Context(), token)
	if err != nil && !errors.Is(err, vault.ErrInvalidClient) {
		t.Fatal(err)
	}
	return err == nil
}

// A session ends when it is idle, when its time is over, when it is ended, and is
// still there after a restart.
func TestASessionOfAnOfficerEnds(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: today})
	idle, busy, ended, revoked := login(t, v, v.Officer), login(t, v, v.Officer), login(t, v, v.Officer), login(t, v, v.Officer)

	if letIn(t, v, "") || letIn(t, v, idle[:len(idle)-1]+"A") && letIn(t, v, idle[:len(idle)-1]+"B") {
		t.Error("a token that was made up lets somebody in")
	}
	if err := v.EndSession(t.Context(), ended); err != nil || letIn(t, v, ended) {
		t.Errorf("a session that was ended lets somebody in (%v)", err)
	}
	_, view, err := v.OfficerSession(t.Context(), revoked)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := v.Sessions(t.Context(), v.Officer); err != nil || len(all) != 3 || all[0].Agent != "Firefox" || all[0].How != vault.CredentialSecret {
		t.Errorf("the sessions are %+v, %v; want three of Firefox by a secret", all, err)
	}
	if err := v.RevokeSession(t.Context(), v.Officer, view.ID); err != nil || letIn(t, v, revoked) {
		t.Errorf("a session that was revoked lets somebody in (%v)", err)
	}
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		v.Tick(vault.SessionIdle - time.Minute)
		if !letIn(t, v, busy) {
			t.Fatal("a session that is used ended")
		}
	}
	if letIn(t, v, idle) {
		t.Error("an idle session goes on")
	}
	for range 24 {
		v.Tick(vault.SessionIdle - time.Minute)
		letIn(t, v, busy)
	}
	if letIn(t, v, busy) {
		t.Error("a session goes on beyond its time")
	}
}

// Who is removed, or whose credential is revoked, is out at once, whatever session
// they have.
func TestASessionEndsWithWhatItRestsOn(t *testing.T) {
	v := vaulttest.New(t, nil)
	beatrix := v.Second("beatrix")
	own, err := v.NewOfficerSecret(t.Context(), beatrix, "beatrix")
	if err != nil {
		t.Fatal(err)
	}
	other := v.Signed(*own.Credentials)
	first, second := login(t, v, beatrix), login(t, v, other)
	if err := v.RevokeOfficerSecret(t.Context(), other, "beatrix", beatrix.Client.SecretID); err != nil {
		t.Fatal(err)
	}
	if letIn(t, v, first) {
		t.Error("a session goes on whose secret was revoked")
	}
	if !letIn(t, v, second) {
		t.Fatal("a session ended whose secret is good")
	}
	if _, err := v.BeginSession(t.Context(), beatrix.Client, ""); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("a session with a revoked secret: got %v", err)
	}
	if made, err := v.RemoveOfficer(t.Context(), other, "beatrix"); err != nil || made.Status != vault.StatusRemoved {
		t.Fatalf("removing: %+v, %v", made, err)
	}
	if letIn(t, v, second) {
		t.Error("the session of somebody goes on who is an officer no more")
	}
}

// An enrolment code works once and for a while; what it begins is short and ends
// in a credential of one's own. Nobody can make a link for an officer who has
// something to log in with.
func TestAnOfficerEnrolsOnce(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: today})
	ctx := t.Context()
	made, err := v.InviteOfficer(ctx, v.Officer, "beatrix")
	if err != nil || made.Enrolment == "" || made.Credentials != nil {
		t.Fatalf("inviting: %+v, %v", made, err)
	}
	v.Tick(vault.EnrolmentLasts)
	if _, err := v.Enrol(ctx, made.Enrolment); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("a link whose time is over: got %v", err)
	}
	renewed, err := v.RenewEnrolment(ctx, v.Officer, "beatrix")
	if err != nil {
		t.Fatal(err)
	}
	if name, err := v.EnrolmentOf(ctx, renewed.Enrolment); err != nil || name != "beatrix" {
		t.Errorf("whose link it is: got %q, %v", name, err)
	}
	client, err := v.Enrol(ctx, renewed.Enrolment)
	if err != nil {
		t.Fatal(err)
	}
	for _, used := range []string{renewed.Enrolment, made.Enrolment, ""} {
		if _, err := v.Enrol(ctx, used); !errors.Is(err, vault.ErrInvalidClient) {
			t.Errorf("a link that was used, or none: got %v", err)
		}
	}
	enrolling := vault.Caller{Client: client}
	token := login(t, v, enrolling)
	passkey, err := v.AddPasskey(ctx, enrolling, "Laptop", []byte(`{"id":"AQ"}`))
	if err != nil {
		t.Fatal(err)
	}
	if letIn(t, v, token) {
		t.Error("what a link began goes on beside the credential that it was for")
	}
	if _, err := v.RenewEnrolment(ctx, v.Officer, "beatrix"); !refusedAs(err, vault.CodeWrongState) {
		t.Errorf("a link for somebody who can log in: got %v, want %s", err, vault.CodeWrongState)
	}
	beatrix, err := v.PasskeyUsed(ctx, "beatrix", passkey.ID, []byte(`{"id":"AQ","n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.RevokeOfficerSecret(ctx, vault.Caller{Client: beatrix}, "beatrix", passkey.ID); !refusedAs(err, vault.CodeWrongState) {
		t.Errorf("revoking the last credential: got %v, want %s", err, vault.CodeWrongState)
	}
	if _, err := v.PasskeyUsed(ctx, "beatrix", renewed.SecretID, nil); !errors.Is(err, vault.ErrInvalidClient) {
		t.Errorf("a passkey that is none: got %v", err)
	}
}

// A link is made for whom another officer approved, as a secret is.
func TestAnInvitationWaitsForAnotherOfficer(t *testing.T) {
	v := vaulttest.New(t, nil)
	beatrix := v.Second("beatrix")
	made, err := v.InviteOfficer(t.Context(), v.Officer, "carla")
	if err != nil || made.Status != vault.StatusPending || made.Enrolment != "" {
		t.Fatalf("inviting a third: %+v, %v", made, err)
	}
	if _, err := v.ApproveOfficer(t.Context(), v.Officer, "carla"); !refusedAs(err, vault.CodeFourEyes) {
		t.Errorf("approving the own invitation: got %v", err)
	}
	made, err = v.ApproveOfficer(t.Context(), beatrix, "carla")
	if err != nil || made.Enrolment == "" || made.Credentials != nil {
		t.Errorf("approving: %+v, %v; want a link", made, err)
	}
}

// An account at a provider is one officer's, and only at that provider.
func TestAnAccountIsOneOfficers(t *testing.T) {
	v := vaulttest.New(t, nil)
	ctx, beatrix := t.Context(), v.Second("beatrix")
	if _, err := v.AddIdentity(ctx, beatrix, "", "https://login.example.org", "b-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.AddIdentity(ctx, v.Officer, "", "https://login.example.org", "b-1"); !refusedAs(err, vault.CodeWrongState) {
		t.Errorf("another's account: got %v", err)
	}
	if client, err := v.OfficerByIdentity(ctx, "https://login.example.org", "b-1"); err != nil || client.Officer != "beatrix" {
		t.Errorf("logging in: got %+v, %v", client, err)
	}
	for _, wrong := range [][2]string{{"https://login.example.org", "b-2"}, {"https://elsewhere.example", "b-1"}} {
		if client, err := v.OfficerByIdentity(ctx, wrong[0], wrong[1]); !errors.Is(err, vault.ErrInvalidClient) {
			t.Errorf("the account %v lets in %+v, %v", wrong, client, err)
		}
	}
	// It is no secret of the client.
	if all, err := v.Officers(ctx, v.Officer); err != nil || len(all[0].Secrets) != 1 {
		t.Errorf("beatrix' secrets are %+v, %v", all, err)
	}
}

// What an officer works at is theirs alone, and gone with them.
func TestADeskIsTheOfficersOwn(t *testing.T) {
	v := vaulttest.New(t, nil)
	ctx, beatrix := t.Context(), v.Second("beatrix")
	mark := ""
	for _, work := range []string{"one", "two", "two"} {
		seen := mark
		if err := v.PutDesk(ctx, beatrix, []byte(work), seen); err != nil {
			t.Fatal(err)
		}
		held, is, err := v.Desk(ctx, beatrix)
		if err != nil || string(held) != work || is == seen {
			t.Fatalf("the desk holds %q, marked %q after %q, %v", held, is, seen, err)
		}
		// Her other page, which does not show that yet, takes nothing away.
		for _, late := range [][]byte{[]byte("late"), nil} {
			if err := v.PutDesk(ctx, beatrix, late, seen); !refusedAs(err, vault.CodeWrongState) {
				t.Errorf("laid on what is no more: got %v", err)
			}
		}
		mark = is
	}
	if work, _, err := v.Desk(ctx, beatrix); err != nil || string(work) != "two" {
		t.Errorf("the desk holds %q, %v", work, err)
	}
	if work, mark, err := v.Desk(ctx, v.Officer); err != nil || work != nil || mark != "" {
		t.Errorf("another's desk holds %q, %q, %v", work, mark, err)
	}
	if err := v.PutDesk(ctx, beatrix, make([]byte, 3<<20), mark); !refusedAs(err, vault.CodeInvalidRequest) {
		t.Errorf("too much work: got %v", err)
	}
	if _, err := v.RemoveOfficer(ctx, beatrix, "beatrix"); err != nil {
		t.Fatal(err)
	}
	if work, _, err := v.Desk(ctx, v.Second("beatrix")); err != nil || work != nil {
		t.Errorf("who comes anew finds %q, %v", work, err)
	}
}

func refusedAs(err error, code string) bool {
	var refused *vault.Error
	return errors.As(err, &refused) && refused.Code == code
}

// Who logged out after a copy was made is not logged in by the copy, nor anybody
// else.
func TestNobodyIsLoggedInByARestore(t *testing.T) {
	v := vaulttest.New(t, nil)
	token := login(t, v, v.Officer)
	yesterday := copyOf(t, v)
	if err := v.EndSession(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	restored, _ := mustRestore(t, v, remainsOf(v.Dir, yesterday))
	if letIn(t, restored, token) {
		t.Error("a session that had ended goes on after a restore")
	}
}
