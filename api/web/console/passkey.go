package console

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
)

// passkeys are the ceremonies in which a passkey is made or used. Where no
// browser would take part, because the console is reached by an address and not
// by a name, there are none.
type passkeys struct {
	party *webauthn.WebAuthn // nil: no passkeys
	host  string             // under which they work
	now   func() time.Time

	mu      sync.Mutex // guards pending
	pending map[string]ceremony
}

// ceremony is one that was begun: its challenge works once, for a while.
type ceremony struct {
	data    webauthn.SessionData
	officer string // who registers; "": a login
	until   time.Time
}

const (
	ceremonyLasts = 5 * time.Minute
	maxCeremonies = 1024
)

func newPasskeys(origin *url.URL, now func() time.Time) (*passkeys, error) {
	p := &passkeys{now: now, pending: map[string]ceremony{}, host: origin.Host}
	name := origin.Hostname()
	if ip := net.ParseIP(name); ip != nil {
		if !ip.IsLoopback() {
			return p, nil
		}
		name = "localhost" // a name for the same machine, at the same port
		p.host = name
		if port := origin.Port(); port != "" {
			p.host = net.JoinHostPort(name, port)
		}
	} else if origin.Scheme != "https" && name != "localhost" {
		return p, nil // browsers make passkeys in secure places only
	}
	party, err := webauthn.New(&webauthn.Config{
		RPID: name, RPDisplayName: "sayso", RPOrigins: []string{origin.Scheme + "://" + p.host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	p.party = party
	return p, err
}

// at reports whether passkeys work where r was sent to.
func (p *passkeys) at(r *http.Request) bool { return p.party != nil && r.Host == p.host }

// begin remembers a ceremony and returns its name for the browser's cookie.
func (p *passkeys) begin(data *webauthn.SessionData, officer string) string {
	var random [16]byte
	_, _ = rand.Read(random[:])
	name := base64.RawURLEncoding.EncodeToString(random[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) >= maxCeremonies {
		for name, c := range p.pending {
			if !p.now().Before(c.until) {
				delete(p.pending, name)
			}
		}
		if len(p.pending) >= maxCeremonies {
			clear(p.pending)
		}
	}
	p.pending[name] = ceremony{data: *data, officer: officer, until: p.now().Add(ceremonyLasts)}
	return name
}

// take returns a ceremony, once.
func (p *passkeys) take(name, officer string) (webauthn.SessionData, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.pending[name]
	delete(p.pending, name)
	return c.data, ok && c.officer == officer && p.now().Before(c.until)
}

// person is an officer as the WebAuthn library wants to see one.
type person struct {
	handle      []byte
	name        string
	credentials []webauthn.Credential
	ids         []string // the vault's, in the same order
}

func (p *person) WebAuthnID() []byte                         { return p.handle }
func (p *person) WebAuthnName() string                       { return p.name }
func (p *person) WebAuthnDisplayName() string                { return p.name }
func (p *person) WebAuthnCredentials() []webauthn.Credential { return p.credentials }

func personOf(handle []byte, name string, all []vault.Passkey) (*person, error) {
	p := &person{handle: handle, name: name}
	for _, k := range all {
		var c webauthn.Credential
		if err := json.Unmarshal(k.Credential, &c); err != nil {
			return nil, err
		}
		p.credentials, p.ids = append(p.credentials, c), append(p.ids, k.ID)
	}
	return p, nil
}

// id is the vault's ID of a credential.
func (p *person) id(credential []byte) string {
	for i := range p.credentials {
		if bytes.Equal(p.credentials[i].ID, credential) {
			return p.ids[i]
		}
	}
	return ""
}

// answerJSON answers a script of the console's own.
func (v *visit) answerJSON(status int, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_, err = v.w.Write(text)
	return err
}

// wentTo answers a script with the page to go to.
func (v *visit) wentTo(path string) error {
	return v.answerJSON(http.StatusOK, map[string]string{"go": path})
}

// refusedPasskey answers a script that a ceremony came to nothing. Why is not told.
func (v *visit) refusedPasskey() error {
	return v.answerJSON(http.StatusUnauthorized, map[string]string{"problem": v.say("passkey.refused")})
}

func (v *visit) putCeremony(name string) {
	v.jar.Put(v.w, ceremonyCookie, name, ceremonyLasts)
}

func (v *visit) takeCeremony(officer string) (webauthn.SessionData, bool) {
	name := v.jar.Value(v.r, ceremonyCookie)
	if name == "" {
		return webauthn.SessionData{}, false
	}
	v.jar.Forget(v.w, ceremonyCookie)
	return v.passkeys.take(name, officer)
}

func passkeyLoginOptions(v *visit) error {
	if !v.passkeys.at(v.r) {
		return errNotFound
	}
	if !v.tries.allow(v.r, "passkey") {
		return v.answerJSON(http.StatusTooManyRequests, map[string]string{"problem": v.say("login.too_often")})
	}
	options, data, err := v.passkeys.party.BeginDiscoverableLogin()
	if err != nil {
		return err
	}
	v.putCeremony(v.passkeys.begin(data, ""))
	return v.answerJSON(http.StatusOK, options)
}

// passkeyLogin lets in the officer whose passkey signed the challenge.
func passkeyLogin(v *visit) error {
	data, ok := v.takeCeremony("")
	if !ok || !v.passkeys.at(v.r) {
		return v.refusedPasskey()
	}
	response, err := protocol.ParseCredentialRequestResponseBody(v.r.Body)
	if err != nil {
		return v.refusedPasskey()
	}
	var officer *person
	_, used, err := v.passkeys.party.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		name, all, err := v.vault.OfficerByHandle(v.ctx, handle)
		if err != nil {
			return nil, err
		}
		officer, err = personOf(handle, name, all)
		return officer, err
	}, data, response)
	if err != nil || used.Authenticator.CloneWarning {
		return v.refusedPasskey()
	}
	kept, err := json.Marshal(used)
	if err != nil {
		return err
	}
	client, err := v.vault.PasskeyUsed(v.ctx, officer.name, officer.id(used.ID), kept)
	if errors.Is(err, vault.ErrInvalidClient) {
		return v.refusedPasskey()
	}
	if err != nil {
		return err
	}
	if err := v.begin(client); err != nil {
		return err
	}
	return v.wentTo(next(v.r.URL.Query().Get("next")))
}

// passkeyOptions begins to make an officer a passkey.
func passkeyOptions(v *visit) error {
	if !v.passkeys.at(v.r) {
		return errNotFound
	}
	all, err := v.vault.Passkeys(v.ctx, v.by)
	if err != nil {
		return err
	}
	officer, err := personOf(v.vault.UserHandle(v.by.Client.Officer), v.by.Client.Officer, all)
	if err != nil {
		return err
	}
	options, data, err := v.passkeys.party.BeginRegistration(officer,
		webauthn.WithExclusions(webauthn.Credentials(officer.credentials).CredentialDescriptors()))
	if err != nil {
		return err
	}
	v.putCeremony(v.passkeys.begin(data, v.by.Client.Officer))
	return v.answerJSON(http.StatusOK, options)
}

// addPasskey keeps a passkey that the officer's authenticator made.
func addPasskey(v *visit) error {
	data, ok := v.takeCeremony(v.by.Client.Officer)
	if !ok || !v.passkeys.at(v.r) {
		return v.refusedPasskey()
	}
	response, err := protocol.ParseCredentialCreationResponseBody(v.r.Body)
	if err != nil {
		return v.refusedPasskey()
	}
	officer := &person{handle: v.vault.UserHandle(v.by.Client.Officer), name: v.by.Client.Officer}
	made, err := v.passkeys.party.CreateCredential(officer, data, response)
	if err != nil {
		return v.refusedPasskey()
	}
	kept, err := json.Marshal(made)
	if err != nil {
		return err
	}
	credential, err := v.vault.AddPasskey(v.ctx, v.by, v.r.URL.Query().Get("label"), kept)
	var refused *vault.Error
	if errors.As(err, &refused) {
		return v.answerJSON(http.StatusConflict, map[string]string{"problem": v.say("problem."+problemOf(err).Code) + " " + refused.Detail})
	}
	if err != nil {
		return err
	}
	if err := v.rest(credential.ID); err != nil {
		return err
	}
	v.site.PutFlash(v.w, v.jar, page.Flash{Key: "passkey_added"})
	return v.wentTo("/console/you")
}
