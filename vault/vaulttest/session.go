package vaulttest

import (
	"context"
	"encoding/json"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Session is a person in a session of theirs.
type Session struct {
	v      *Vault
	Opened *vault.OpenedSession
	Caller vault.Caller
}

// Session opens a session of somebody by a channel.
func (c *Channel) Session(who Person) *Session {
	c.v.T.Helper()
	opened, err := c.v.OpenSession(context.Background(), c.Caller, who)
	if err != nil {
		c.v.T.Fatalf("%s opens a session: %v", c.Caller.Client.ID, err)
	}
	return c.v.Enter(opened)
}

// Login is the session of whoever proved to have an identifier.
func (v *Vault) Login(field privacy.FieldName, value string) *Session {
	v.T.Helper()
	raw, _ := json.Marshal(value)
	opened, err := v.LoginByIdentifier(context.Background(), vault.Login{Field: field, Value: privacy.NewSensitive(raw), How: "code"})
	if err != nil {
		v.T.Fatalf("logging in: %v", err)
	}
	return v.Enter(opened)
}

// Enter is a session that was opened.
func (v *Vault) Enter(opened *vault.OpenedSession) *Session {
	v.T.Helper()
	s := &Session{v: v, Opened: opened}
	var err error
	if s.Caller, err = v.Subject(context.Background(), opened.Token); err != nil {
		v.T.Fatalf("entering a session: %v", err)
	}
	return s
}

// Stands reports whether the session's token is still good.
func (s *Session) Stands() bool {
	_, err := s.v.Subject(context.Background(), s.Opened.Token)
	return err == nil
}

// Me is what the person is shown.
func (s *Session) Me() *vault.Me {
	s.v.T.Helper()
	me, err := s.v.Me(context.Background(), s.Caller)
	if err != nil {
		s.v.T.Fatalf("what is known of me: %v", err)
	}
	return me
}

// Values are the values that the person is shown, as JSON.
func (s *Session) Values() map[privacy.FieldName]string {
	s.v.T.Helper()
	values := map[privacy.FieldName]string{}
	for _, value := range s.Me().Values {
		values[value.Field] = string(value.Value.Reveal())
	}
	return values
}

// Says records what the person says to a purpose.
func (s *Session) Says(status privacy.ConsentStatus, purpose privacy.PurposeID) *vault.ConsentResult {
	s.v.T.Helper()
	res, err := s.v.ActOwn(context.Background(), s.Caller, vault.ConsentRequest{Purpose: purpose, Status: status, Method: "privacy_centre"})
	if err != nil {
		s.v.T.Fatalf("saying %s to %s: %v", status, purpose, err)
	}
	return res
}

// Accesses are all accesses that the person is shown, the latest first.
func (s *Session) Accesses() *vault.Accesses {
	s.v.T.Helper()
	all, err := s.v.Vault.Accesses(context.Background(), s.Caller, vault.AccessRequest{})
	if err != nil {
		s.v.T.Fatalf("who read what of me: %v", err)
	}
	return all
}
