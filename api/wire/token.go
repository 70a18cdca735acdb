package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// DetailType is the type of the authorization details (RFC 9396) that narrow a
// token to some of the client's purposes.
const DetailType = "sayso_profile"

// AuthorizationDetail narrows a token.
type AuthorizationDetail struct {
	Type     string              `json:"type"`
	Purposes []privacy.PurposeID `json:"purposes"`
}

// TokenRequest is the form sent to /oauth/token. The client's ID and secret
// come by HTTP Basic or as members of the form, not both.
type TokenRequest struct {
	GrantType            string `json:"grant_type" enum:"client_credentials"`
	ClientID             string `json:"client_id,omitempty"`
	ClientSecret         string `json:"client_secret,omitempty"`
	AuthorizationDetails string `json:"authorization_details,omitempty" doc:"JSON text: [{\"type\":\"sayso_profile\",\"purposes\":[…]}]"`
}

// TokenAnswer is an access token (RFC 6749).
type TokenAnswer struct {
	AccessToken          string                `json:"access_token"`
	TokenType            string                `json:"token_type"`
	ExpiresIn            int                   `json:"expires_in"`
	AuthorizationDetails []AuthorizationDetail `json:"authorization_details,omitempty"`
}

// OAuthError is how the token endpoint refuses (RFC 6749 §5.2).
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// Metadata is the authorization server's (RFC 8414).
type Metadata struct {
	Issuer                    string   `json:"issuer"`
	TokenEndpoint             string   `json:"token_endpoint"`
	JWKSURI                   string   `json:"jwks_uri"`
	ResponseTypes             []string `json:"response_types_supported"`
	GrantTypes                []string `json:"grant_types_supported"`
	TokenEndpointAuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
	AuthorizationDetailsTypes []string `json:"authorization_details_types_supported"`
}

// JWKS is a set of public keys (RFC 7517).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is an Ed25519 public key (RFC 8037).
type JWK struct {
	KeyType   string     `json:"kty"`
	Curve     string     `json:"crv"`
	X         string     `json:"x"`
	KeyID     string     `json:"kid"`
	Algorithm string     `json:"alg"`
	Use       string     `json:"use"`
	IssuedAt  *time.Time `json:"issued_at,omitempty"`
	RetiredAt *time.Time `json:"retired_at,omitempty"`
}

// Whoami is what the caller may do here.
type Whoami struct {
	Client   string                                    `json:"client"`
	Role     string                                    `json:"role"`
	Channel  privacy.ChannelID                         `json:"channel,omitempty"`
	Kind     string                                    `json:"kind,omitempty"`
	Purposes []privacy.PurposeID                       `json:"purposes"`
	Fields   map[privacy.PurposeID][]privacy.FieldName `json:"fields"`
	Captures []privacy.FieldName                       `json:"captures"`
	Obtains  []privacy.PurposeID                       `json:"obtains"`
	// Identifiers are those of Captures by which a person is known again.
	Identifiers []privacy.FieldName `json:"identifiers"`
	Limits      []Limit             `json:"limits"`
	Audiences   bool                `json:"audiences" doc:"whether it may ask for them"`
}

// Limit is what a client may still do before a moment.
type Limit struct {
	Name   string    `json:"name"`
	Limit  int       `json:"limit"`
	Left   int       `json:"left"`
	Resets time.Time `json:"resets"`
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}
