// Package openid lets people and officers log in with a provider of OpenID
// Connect that a company already runs: the authorization code flow with PKCE,
// state and nonce, the issuer checked in every place it stands.
//
// [New] makes a [Provider] of a [Config]. [Provider.Begin] sends a browser to
// the provider and leaves a short-lived cookie, sealed, with what belongs to
// this one login; [Provider.Finish] takes it when the browser is back, redeems
// the code and returns an [Identity], of which every claim is the provider's own.
//
// A provider is not asked before somebody wants to log in, so a vault starts
// while its provider is down.
package openid
