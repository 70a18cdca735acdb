package vault

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sayso-vault/sayso/vault/store"
)

// CredentialKind is by what an officer logs in.
type CredentialKind string

// The kinds of credentials of officers. All stand in the governance record, each
// with an ID by which it is revoked, and what rests on it ends with it.
const (
	CredentialSecret    CredentialKind = "secret"    // of the client, as init and officer add print it
	CredentialPasskey   CredentialKind = "passkey"   // WebAuthn
	CredentialIdentity  CredentialKind = "identity"  // at an OpenID provider
	CredentialEnrolment CredentialKind = "enrolment" // a link that works once
)

const (
	maxCredentials = 10 // of one officer that are live, of one kind
	// EnrolmentLasts is how long an enrolment link waits for its officer.
	EnrolmentLasts = 72 * time.Hour
	maxLabel       = 64
)

// CredentialView is a credential of an officer without what is secret of it.
type CredentialView struct {
	ID      string
	Kind    CredentialKind
	Label   string
	Created time.Time
	Revoked bool
	// Issuer is the provider of an identity; Until is when an enrolment link ends.
	Issuer string
	Until  time.Time
}

// Passkey is what the officers' console keeps of one.
type Passkey struct {
	ID         string          // of the credential, made here
	Credential json.RawMessage // as the WebAuthn library keeps it
}

// kind is what a record of before kinds means, too.
func (s *secretInfo) kind() CredentialKind {
	if s.Kind == "" {
		return CredentialSecret
	}
	return s.Kind
}

// alive reports whether it can still be logged in with.
func (s *secretInfo) alive(now time.Time) bool {
	return s.Revoked.IsZero() && (s.kind() != CredentialEnrolment || s.Hash != nil && now.Before(s.Until))
}

// livingOf counts the live credentials of a kind.
func (c *clientRecord) livingOf(kind CredentialKind) (n int) {
	for i := range c.Secrets {
		if s := &c.Secrets[i]; s.Revoked.IsZero() && s.kind() == kind {
			n++
		}
	}
	return n
}

// lasting counts the live credentials that are the officer's own, with which they
// can log in again and again.
func (c *clientRecord) lasting() (n int) {
	return c.livingOf(CredentialSecret) + c.livingOf(CredentialPasskey) + c.livingOf(CredentialIdentity)
}

func (c *clientRecord) kindOf(id string) CredentialKind {
	for i := range c.Secrets {
		if c.Secrets[i].ID == id {
			return c.Secrets[i].kind()
		}
	}
	return ""
}

// Credentials are an officer's own, those that are revoked left out.
func (v *Vault) Credentials(_ context.Context, by Caller) ([]CredentialView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := now.gov.officerStill(by); err != nil {
		return nil, err
	}
	views := []CredentialView{}
	for _, s := range now.gov.Officers[by.Client.Officer].Secrets {
		if s.Revoked.IsZero() && s.kind() != CredentialEnrolment {
			views = append(views, CredentialView{ID: s.ID, Kind: s.kind(), Label: s.Label, Created: s.Created, Issuer: s.Issuer})
		}
	}
	return views, nil
}

// UserHandle is the name that an authenticator knows an officer by: always the
// same, and telling nothing.
func (v *Vault) UserHandle(officer string) []byte {
	hash := v.keyring().SecretHash("webauthn user", officer)
	return hash[:]
}

// OfficerByHandle returns the officer of a user handle with their live passkeys, or
// ErrInvalidClient.
func (v *Vault) OfficerByHandle(_ context.Context, handle []byte) (officer string, passkeys []Passkey, err error) {
	now, err := v.current()
	if err != nil {
		return "", nil, err
	}
	for name := range now.gov.Officers {
		if subtle.ConstantTimeCompare(v.UserHandle(name), handle) == 1 {
			return name, now.gov.Officers[name].passkeys(), nil
		}
	}
	return "", nil, ErrInvalidClient
}

// Passkeys are an officer's own that are live.
func (v *Vault) Passkeys(_ context.Context, by Caller) ([]Passkey, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	if err := now.gov.officerStill(by); err != nil {
		return nil, err
	}
	return now.gov.Officers[by.Client.Officer].passkeys(), nil
}

func (c *clientRecord) passkeys() (all []Passkey) {
	for i := range c.Secrets {
		if s := &c.Secrets[i]; s.Revoked.IsZero() && s.kind() == CredentialPasskey {
			all = append(all, Passkey{ID: s.ID, Credential: slices.Clone(s.Passkey)})
		}
	}
	return all
}

// AddPasskey keeps a passkey that an officer registered. A session that an
// enrolment link began rests on it from then on: see BeginSession.
func (v *Vault) AddPasskey(ctx context.Context, by Caller, label string, credential json.RawMessage) (*CredentialView, error) {
	return v.addCredential(ctx, by, secretInfo{Kind: CredentialPasskey, Label: label, Passkey: credential}, "passkey added")
}

// AddIdentity keeps by which account at an OpenID provider an officer logs in.
// One account is one officer's.
func (v *Vault) AddIdentity(ctx context.Context, by Caller, label, issuer, subject string) (*CredentialView, error) {
	hash := v.identityHash(issuer, subject)
	return v.addCredential(ctx, by, secretInfo{Kind: CredentialIdentity, Label: label, Issuer: issuer, Hash: hash[:]}, "identity added")
}

func (v *Vault) identityHash(issuer, subject string) [32]byte {
	return v.keyring().SecretHash("identity "+issuer, subject)
}

func (v *Vault) addCredential(ctx context.Context, by Caller, info secretInfo, act string) (*CredentialView, error) {
	label, err := labelOf(info.Label)
	if err != nil {
		return nil, err
	}
	_, err = v.changeOfficers(ctx, by, func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		record, err := gov.own(by, by.Client.Officer)
		if err != nil {
			return nil, err
		}
		if record.livingOf(info.Kind) >= maxCredentials {
			return nil, refuse(CodeWrongState, "you have %d of these; revoke one first", maxCredentials)
		}
		if info.Kind == CredentialIdentity {
			for _, other := range gov.Officers {
				if other.byIdentity(info.Hash) != nil {
					return nil, refuse(CodeWrongState, "this account is an officer's already")
				}
			}
		}
		if record.kindOf(by.Client.SecretID) == CredentialEnrolment { // it has done its part
			record.endEnrolments(event.At)
		}
		info.ID, info.Label, info.Created = newCredentialID(event.At), label, event.At
		record.Secrets = append(record.Secrets, info)
		event.Act, event.Client, event.Secret = act, by.Client.ID, info.ID
		return &OfficerChange{Name: by.Client.Officer, Status: StatusActive}, nil
	})
	if err != nil {
		return nil, err
	}
	return &CredentialView{ID: info.ID, Kind: info.Kind, Label: info.Label, Created: info.Created, Issuer: info.Issuer}, nil
}

// labelOf checks what an officer calls a credential.
func labelOf(label string) (string, error) {
	label = strings.TrimSpace(label)
	if utf8.RuneCountInString(label) > maxLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, unicode.IsControl) {
		return "", invalid("label", "too_long", "expected at most %d characters of text", maxLabel)
	}
	return label, nil
}

func newCredentialID(at time.Time) string { return namedID("", at)[10:] }

func (c *clientRecord) byIdentity(hash []byte) *secretInfo {
	for i := range c.Secrets {
		s := &c.Secrets[i]
		if s.kind() == CredentialIdentity && s.Revoked.IsZero() && subtle.ConstantTimeCompare(s.Hash, hash) == 1 {
			return s
		}
	}
	return nil
}

// PasskeyUsed returns the client whose passkey was just used, and keeps what
// changed of it, such as how often it signed.
func (v *Vault) PasskeyUsed(ctx context.Context, officer, id string, credential json.RawMessage) (Client, error) {
	client := Client{ID: officerPrefix + officer, Role: RoleOfficer, Officer: officer, SecretID: id}
	_, err := v.officersUpdate(ctx, officer, func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		if err := gov.officerStill(Caller{Client: client}); err != nil {
			return nil, err
		}
		for i := range gov.Officers[officer].Secrets {
			s := &gov.Officers[officer].Secrets[i]
			if s.ID == id && string(s.Passkey) != string(credential) {
				s.Passkey = credential
				event.Act, event.Client, event.Secret = "passkey used", client.ID, id
			}
		}
		return &OfficerChange{}, nil
	})
	if err != nil {
		return Client{}, err
	}
	return client, nil
}

// OfficerByIdentity returns the officer who logs in by an account at an OpenID
// provider, or ErrInvalidClient.
func (v *Vault) OfficerByIdentity(_ context.Context, issuer, subject string) (Client, error) {
	now, err := v.current()
	if err != nil {
		return Client{}, err
	}
	hash := v.identityHash(issuer, subject)
	for name, record := range now.gov.Officers {
		if s := record.byIdentity(hash[:]); s != nil {
			return Client{ID: officerPrefix + name, Role: RoleOfficer, Officer: name, SecretID: s.ID}, nil
		}
	}
	return Client{}, ErrInvalidClient
}

// InviteOfficer makes another officer, as AddOfficer does and on the same
// conditions, who gets no secret but an enrolment code: it works once, so nobody
// else can have used it without the officer finding out.
func (v *Vault) InviteOfficer(ctx context.Context, by Caller, name string) (*OfficerChange, error) {
	return v.addOfficer(ctx, by, name, true)
}

// RenewEnrolment makes a new enrolment code for an officer who has nothing to log
// in with: who never came, or came and kept nothing. The code before ends.
func (v *Vault) RenewEnrolment(ctx context.Context, by Caller, name string) (*OfficerChange, error) {
	return v.changeOfficers(ctx, by, func(tx store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		record := gov.Officers[name]
		switch {
		case record == nil:
			return nil, refuse(CodeNotFound, "there is no officer of this name")
		case record.lasting() > 0 || !record.invited():
			return nil, refuse(CodeWrongState, "this officer can log in; who could make them a link could be them")
		}
		record.endEnrolments(event.At)
		return v.addEnrolment(record, event, name), by.Once.keepSecret(tx)
	})
}

// invited reports whether an officer came by a link and never had anything else.
func (c *clientRecord) invited() bool {
	return !slices.ContainsFunc(c.Secrets, func(s secretInfo) bool { return s.kind() != CredentialEnrolment })
}

func (c *clientRecord) endEnrolments(at time.Time) {
	for i := range c.Secrets {
		if s := &c.Secrets[i]; s.kind() == CredentialEnrolment && s.Revoked.IsZero() {
			s.Revoked = at
		}
	}
}

func (v *Vault) addEnrolment(record *clientRecord, event *clientEvent, name string) *OfficerChange {
	var random [32]byte
	_, _ = rand.Read(random[:])
	code := base64.RawURLEncoding.EncodeToString(random[:])
	hash := v.enrolmentHash(code)
	info := secretInfo{ID: newCredentialID(event.At), Kind: CredentialEnrolment, Hash: hash[:], Created: event.At, Until: event.At.Add(EnrolmentLasts)}
	record.Secrets = append(record.Secrets, info)
	event.Act, event.Client, event.Secret = "enrolment link made", officerPrefix+name, info.ID
	return &OfficerChange{Name: name, Status: StatusActive, Enrolment: code, SecretID: info.ID, Until: info.Until}
}

func (v *Vault) enrolmentHash(code string) [32]byte { return v.keyring().SecretHash("enrolment", code) }

// EnrolmentOf returns whose an enrolment code is, without using it, or
// ErrInvalidClient.
func (v *Vault) EnrolmentOf(_ context.Context, code string) (officer string, err error) {
	now, err := v.current()
	if err != nil {
		return "", err
	}
	name, _ := now.gov.enrolment(v.enrolmentHash(code), micro(v.cfg.Now()))
	if name == "" {
		return "", ErrInvalidClient
	}
	return name, nil
}

func (gov *governance) enrolment(hash [32]byte, now time.Time) (string, *secretInfo) {
	for name, record := range gov.Officers {
		for i := range record.Secrets {
			s := &record.Secrets[i]
			if s.kind() == CredentialEnrolment && s.alive(now) && subtle.ConstantTimeCompare(s.Hash, hash[:]) == 1 {
				return name, s
			}
		}
	}
	return "", nil
}

// Enrol uses an enrolment code up, and returns its officer, who can begin a short
// session to make a credential of their own.
func (v *Vault) Enrol(ctx context.Context, code string) (Client, error) {
	hash := v.enrolmentHash(code)
	var client Client
	_, err := v.officersUpdate(ctx, "", func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		name, s := gov.enrolment(hash, event.At)
		if name == "" {
			return nil, ErrInvalidClient
		}
		s.Hash = nil // works once
		event.Officer, event.Act, event.Client, event.Secret = name, "enrolled", officerPrefix+name, s.ID
		client = Client{ID: officerPrefix + name, Role: RoleOfficer, Officer: name, SecretID: s.ID}
		return &OfficerChange{}, nil
	})
	if err != nil {
		return Client{}, err
	}
	return client, nil
}
