// Package authn says who calls: it gives clients access tokens for their
// credentials and checks the tokens that come back.
//
// [Authority.Grant] is the token endpoint: client credentials (RFC 6749 §4.4)
// by HTTP Basic or form, narrowed by authorization_details (RFC 9396), answered
// by a JWT of RFC 9068. [Authority.Check] takes the bearer token of a request
// and returns the vault.Caller.
//
// A token is good for ten minutes at most and names the secret it was got with.
// What it says is believed; what may have changed since is not: Check asks the
// vault about the client at every request, so that revoking a secret or
// suspending a channel ends its tokens at once. Only the outcome of checking a
// signature is remembered, never the state of a client.
package authn
