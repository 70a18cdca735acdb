package keys

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Root is the key at the top, which seals the keyring file: a passphrase or a
// key file. It is kept by people and never by the vault.
type Root interface {
	kind() rootKind
	// params returns what is written into the file for derive; zero for roots
	// that need no stretching.
	params() Argon2
	// derive returns the secret that the keyring file's own keys come from.
	derive(p Argon2, salt []byte) ([]byte, error)
}

type rootKind byte

const (
	rootPassphrase rootKind = 1
	rootKeyFile    rootKind = 2
)

func (k rootKind) String() string {
	switch k {
	case rootPassphrase:
		return "passphrase"
	case rootKeyFile:
		return "key file"
	}
	return "unknown kind of root key"
}

// Argon2 is how much work Argon2id makes of a passphrase. It is stored in the
// keyring file, so each file opens with what it was sealed with.
type Argon2 struct {
	Time    uint32 // passes over the memory
	Memory  uint32 // in KiB
	Threads uint8
}

// What a file may ask for: a forged one must not take a machine's memory or
// minutes before it is refused.
const (
	maxTime    = 32
	maxMemory  = 1 << 20
	maxThreads = 64
)

func (p Argon2) bounded() bool {
	return p.Time >= 1 && p.Time <= maxTime &&
		p.Threads >= 1 && p.Threads <= maxThreads &&
		p.Memory >= 8*uint32(p.Threads) && p.Memory <= maxMemory
}

// Passphrase returns the root key of a passphrase, stretched by Argon2id with
// the second recommended choice of RFC 9106: 3 passes, 64 MiB, 4 lanes. An
// empty passphrase neither seals nor opens.
func Passphrase(secret []byte) Root {
	return PassphraseWith(secret, Argon2{Time: 3, Memory: 64 << 10, Threads: 4})
}

// PassphraseWith is Passphrase with other work, for tests and other machines.
// Less work means that a stolen keyring file is guessed open sooner. The work
// counts when sealing; a file opens with its own.
func PassphraseWith(secret []byte, p Argon2) Root {
	return &passphrase{secret: bytes.Clone(secret), p: p}
}

type passphrase struct {
	hidden
	secret []byte
	p      Argon2
}

func (*passphrase) kind() rootKind   { return rootPassphrase }
func (r *passphrase) params() Argon2 { return r.p }

func (r *passphrase) derive(p Argon2, salt []byte) ([]byte, error) {
	if len(r.secret) == 0 {
		return nil, fmt.Errorf("the passphrase is empty: %w", ErrRootKey)
	}
	return argon2.IDKey(r.secret, salt, p.Time, p.Memory, p.Threads, keyLen), nil
}

// KeyFile returns the root key of a key file's 32 random bytes. Another length
// is ErrFormat.
func KeyFile(key []byte) (Root, error) {
	if len(key) != keyLen {
		return nil, fmt.Errorf("key file has %d bytes, not %d: %w", len(key), keyLen, ErrFormat)
	}
	return &keyFile{key: bytes.Clone(key)}, nil
}

type keyFile struct {
	hidden
	key []byte
}

func (*keyFile) kind() rootKind                              { return rootKeyFile }
func (*keyFile) params() Argon2                              { return Argon2{} }
func (r *keyFile) derive(_ Argon2, _ []byte) ([]byte, error) { return r.key, nil }
