// Package keys holds the secrets of a vault and everything that is done with
// them: the keyring and its file, the two data-encryption keys of each person
// and how they are wrapped, the envelope around every sealed value, the
// signers, and the keyed hashes that let the vault find and compare without
// storing what it compares. It is pure: it reads no file, clock or network.
//
// The keys stand in three floors:
//
//	root key       a passphrase or a key file, kept by people; seals
//	  keyring      one file: KEKs, blind-index keys, signing keys; wraps
//	    DEKs       two per person, rows of keys.db; seal
//	      values   envelopes in vault.db and in the log
//
// Call [New] once in a vault's life and [Keyring.Seal] to get its file; from
// then on [Open]. [Keyring.NewDEK], [Keyring.Wrap] and [Keyring.Unwrap] handle a
// person's keys, [Seal] and [Unseal] the values under them. Destroying the
// wrapped DEKs of a person makes every copy of that person's values unreadable.
//
// The package promises that what is opened is what was sealed, for the same
// vault, person, field and version, or nothing: anything else is an error. Every
// format begins with its version, is parsed strictly, re-encodes to the same
// bytes and is pinned by the vectors in testdata. Secrets print as "[key]".
//
// A [Keyring] and a [DEK] never change and may be used by many goroutines.
package keys

import "errors"

// The errors of this package. None carries a secret or a personal value.
var (
	// ErrFormat: the bytes are not of a format or version this program knows.
	ErrFormat = errors.New("not in a format this program knows")
	// ErrVersion: a keyring file of a version this program does not know, which
	// the program that wrote it reads. It is ErrFormat too.
	ErrVersion = errors.New("of another version")
	// ErrIntegrity: the bytes are not what was sealed, or were sealed for
	// another vault, person, field, version or key. Nothing is returned of them.
	ErrIntegrity = errors.New("not what was sealed here")
	// ErrRootKey: the passphrase or key file is not the one the keyring was
	// sealed under.
	ErrRootKey = errors.New("wrong root key")
	// ErrEpoch: the keyring does not hold a key of that epoch: it was destroyed
	// when epochs turned, or never existed.
	ErrEpoch = errors.New("no key of that epoch")
)
