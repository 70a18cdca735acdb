// Package vault is sayso's profile vault: what a person told once, held sealed,
// released field by field to a channel for a purpose by recorded say-so, and
// never without a record the person can check.
//
// Begin with [Vault.Read] in read.go: it is the door, the only place that
// releases personal data to a channel, and it reads top to bottom in one
// sitting. Every other verb has a file of its own: capture.go, consent.go,
// ground.go, register.go, policies.go, lookup.go.
//
// [Init] makes the records of a fresh vault, [Open] brings one up: it holds the
// ledger against the store, finishes what a crash left half done and refuses a
// store that is older than its log. The package knows no engine, no file and no
// HTTP: it is given stores, a ledger and a keyring, and keeps the promises of
// docs/promises.md with them.
package vault
