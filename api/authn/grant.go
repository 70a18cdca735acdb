package authn

import (
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// MaxForm is the size of the largest form the token endpoint reads, in bytes.
const MaxForm = 16 << 10

// GrantError is a refused token request, as RFC 6749 §5.2 has it.
type GrantError struct {
	Status      int
	Code        string // invalid_request, invalid_client, …
	Description string
	// Challenge is set if the client tried HTTP Basic.
	Challenge bool
}

// Error returns the code and the description.
func (e *GrantError) Error() string { return e.Code + ": " + e.Description }

func badRequest(description string) *GrantError {
	return &GrantError{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

// Grant answers a request to the token endpoint. It returns a *GrantError if
// the request is refused, and another error if the vault cannot say.
func (a *Authority) Grant(r *http.Request) (*wire.TokenAnswer, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	switch form.Get("grant_type") {
	case "client_credentials":
	case "":
		return nil, badRequest("grant_type is missing")
	default:
		return nil, &GrantError{Status: http.StatusBadRequest, Code: "unsupported_grant_type", Description: "only client_credentials is supported"}
	}
	if form.Get("scope") != "" {
		return nil, &GrantError{Status: http.StatusBadRequest, Code: "invalid_scope", Description: "there are no scopes here: a token is narrowed by authorization_details"}
	}
	client, err := a.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	details, err := narrow(client, form.Get("authorization_details"))
	if err != nil {
		return nil, err
	}
	token, err := a.issue(client, details)
	if err != nil {
		return nil, err
	}
	return &wire.TokenAnswer{AccessToken: token, TokenType: "Bearer", ExpiresIn: int(a.cfg.Lifetime.Seconds()), AuthorizationDetails: details}, nil
}

// readForm reads the form strictly: nothing comes twice, nothing by the URL,
// which ends in logs.
func readForm(r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badRequest("the body must be application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, badRequest("parameters belong in the body, not in the URL")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, MaxForm)
	if err := r.ParseForm(); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, &GrantError{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "the form is too large"}
		}
		return nil, badRequest("the form cannot be read")
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, badRequest("a parameter comes twice")
		}
	}
	return r.PostForm, nil
}

// authenticate finds the client by HTTP Basic or by the form, not by both.
func (a *Authority) authenticate(r *http.Request, form url.Values) (vault.Client, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	basic := len(r.Header["Authorization"]) > 0
	refused := &GrantError{Status: http.StatusUnauthorized, Code: "invalid_client", Description: vault.ErrInvalidClient.Error(), Challenge: basic}
	if basic {
		if secret != "" {
			return vault.Client{}, badRequest("the client authenticates in two ways at once")
		}
		user, pass, ok := r.BasicAuth()
		if !ok || len(r.Header["Authorization"]) > 1 {
			return vault.Client{}, refused
		}
		// RFC 6749 §2.3.1: both are form-urlencoded before they are joined.
		basicID, err1 := url.QueryUnescape(user)
		basicSecret, err2 := url.QueryUnescape(pass)
		if err1 != nil || err2 != nil {
			return vault.Client{}, refused
		}
		if id != "" && id != basicID {
			return vault.Client{}, badRequest("client_id is not the client that authenticates")
		}
		id, secret = basicID, basicSecret
	}
	if id == "" || secret == "" {
		return vault.Client{}, refused
	}
	client, err := a.cfg.Clients.Authenticate(id, secret)
	switch {
	case errors.Is(err, vault.ErrInvalidClient):
		return vault.Client{}, refused
	case err != nil:
		return vault.Client{}, fmt.Errorf("authenticating a client: %w", err)
	case client.Suspended:
		return vault.Client{}, refused
	}
	return client, nil
}

// narrow reads authorization_details: which of its purposes the client wants in
// the token. None at all means all; an empty list is not none.
func narrow(client vault.Client, text string) ([]wire.AuthorizationDetail, error) {
	if text == "" {
		return nil, nil
	}
	refuse := func(description string) ([]wire.AuthorizationDetail, error) {
		return nil, &GrantError{Status: http.StatusBadRequest, Code: "invalid_authorization_details", Description: description}
	}
	var asked []wire.AuthorizationDetail
	if err := json.Unmarshal([]byte(text), &asked, json.RejectUnknownMembers(true)); err != nil || len(asked) == 0 || len(asked) > 64 {
		return refuse(`an array of objects with exactly "type" and "purposes" was expected`)
	}
	granted := wire.AuthorizationDetail{Type: wire.DetailType}
	for _, d := range asked {
		if d.Type != wire.DetailType {
			return refuse("the only type is " + wire.DetailType)
		}
		if len(d.Purposes) == 0 {
			return refuse("purposes are missing")
		}
		for _, p := range d.Purposes {
			if client.Role != vault.RoleChannel || !slices.Contains(client.Purposes, p) {
				return refuse("a purpose is asked for that the client does not hold")
			}
			if !slices.Contains(granted.Purposes, p) {
				granted.Purposes = append(granted.Purposes, p)
			}
		}
	}
	return []wire.AuthorizationDetail{granted}, nil
}

// claims are those of RFC 9068, the secret the token was got with, and what it
// was narrowed to.
type claims struct {
	jwt.RegisteredClaims
	ClientID string                     `json:"client_id"`
	SecretID string                     `json:"secret_id"`
	Details  []wire.AuthorizationDetail `json:"authorization_details,omitempty"`
}

func (a *Authority) issue(client vault.Client, details []wire.AuthorizationDetail) (string, error) {
	now := a.cfg.Now().Truncate(1e9)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    a.issuer,
			Subject:   client.ID,
			Audience:  jwt.ClaimStrings{a.issuer},
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(a.cfg.Lifetime)),
			ID:        rand.Text(),
		},
		ClientID: client.ID,
		SecretID: client.SecretID,
		Details:  details,
	})
	token.Header["typ"] = tokenType
	token.Header["kid"] = a.kid
	signed, err := token.SignedString(a.cfg.Key)
	if err != nil {
		return "", fmt.Errorf("signing an access token: %w", err)
	}
	if len(signed) > MaxToken {
		return "", &GrantError{Status: http.StatusBadRequest, Code: "invalid_authorization_details", Description: "too many purposes for one token"}
	}
	return signed, nil
}

// purposes returns what the details narrow to; nil if they do not narrow.
func purposes(details []wire.AuthorizationDetail) []privacy.PurposeID {
	var all []privacy.PurposeID
	for _, d := range details {
		all = append(all, d.Purposes...)
	}
	return all
}

// sameType compares media types of tokens, which ignore case and may carry
// their prefix (RFC 9068 §4).
func sameType(typ string) bool {
	return strings.TrimPrefix(strings.ToLower(typ), "application/") == tokenType
}
