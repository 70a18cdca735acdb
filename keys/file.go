package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// The keyring file:
//
//	bytes 0-13    "sayso-keyring\n"
//	byte  14      format version, 2
//	byte  15      kind of root key: 1 passphrase, 2 key file
//	bytes 16-19   Argon2id passes, big endian; 0 for a key file
//	bytes 20-23   Argon2id memory in KiB, big endian; 0 for a key file
//	byte  24      Argon2id lanes; 0 for a key file
//	bytes 25-56   salt
//	bytes 57-88   check
//	bytes 89-100  nonce
//	bytes 101-    the body encrypted with AES-256-GCM, then a tag of 16 bytes
//
// The root secret is Argon2id of the passphrase and the salt, or the key file's
// bytes. Of root secret and salt, HKDF-SHA256 makes the body's key (info
// "sayso/keyring/body") and the check (info "sayso/keyring/check" and bytes
// 0-56), which tells a wrong root key from a damaged body and fixes the one key
// that fits. The body's additional data is bytes 0-88.
//
// The body is the vault ID (16 bytes), then the keys by role and epoch, each of
// 53 bytes:
//
//	byte  0      role: 1 KEK, 2 blind index, 3 log, 4 token, 5 evidence,
//	             6 ledger, 7 client secrets, 8 places
//	bytes 1-4    epoch, big endian, from 1
//	bytes 5-12   since when, Unix seconds, big endian
//	bytes 13-20  until when; 0 for a key in use
//	bytes 21-52  the secret; of a retired signing key the public key
const (
	magic = "sayso-keyring\n"

	keyringVersion = 2 // 1 had no key of places

	saltLen     = 32
	checkLen    = 32
	preambleLen = len(magic) + 1 + 1 + 4 + 4 + 1 + saltLen
	headerLen   = preambleLen + checkLen
	keyRecord   = 1 + 4 + 8 + 8 + keyLen
	minBody     = 16 + int(lastRole)*keyRecord

	infoBody  = "sayso/keyring/body"
	infoCheck = "sayso/keyring/check"
)

// header is what a keyring file says before it is opened.
type header struct {
	root  rootKind
	p     Argon2
	salt  [saltLen]byte
	check [checkLen]byte
}

// parseHeader reads the start of a keyring file, or returns ErrFormat.
func parseHeader(b []byte) (h header, err error) {
	if !bytes.HasPrefix(b, []byte(magic)) || len(b) < headerLen {
		return header{}, fmt.Errorf("not a keyring: %w", ErrFormat)
	}
	b = b[len(magic):]
	if b[0] != keyringVersion {
		return header{}, fmt.Errorf("the keyring is of format %d, and this program knows format %d alone: %w: %w", b[0], keyringVersion, ErrFormat, ErrVersion)
	}
	h.root = rootKind(b[1])
	h.p = Argon2{Time: binary.BigEndian.Uint32(b[2:]), Memory: binary.BigEndian.Uint32(b[6:]), Threads: b[10]}
	copy(h.salt[:], b[11:])
	copy(h.check[:], b[11+saltLen:])
	switch h.root {
	case rootPassphrase:
		if !h.p.bounded() {
			return header{}, fmt.Errorf("keyring asks for too much or too little work: %w", ErrFormat)
		}
	case rootKeyFile:
		if h.p != (Argon2{}) {
			return header{}, fmt.Errorf("keyring under a key file asks for work: %w", ErrFormat)
		}
	default:
		return header{}, fmt.Errorf("keyring under an unknown kind of root key: %w", ErrFormat)
	}
	return h, nil
}

// preamble returns the file up to the check.
func (h header) preamble() []byte {
	out := append(make([]byte, 0, headerLen), magic...)
	out = append(out, keyringVersion, byte(h.root))
	out = binary.BigEndian.AppendUint32(out, h.p.Time)
	out = binary.BigEndian.AppendUint32(out, h.p.Memory)
	out = append(out, h.p.Threads)
	return append(out, h.salt[:]...)
}

func (h header) marshal() []byte { return append(h.preamble(), h.check[:]...) }

// secrets returns the key of the body and the check that r gives for h.
func (h header) secrets(r Root) (body, check []byte, err error) {
	root, err := r.derive(h.p, h.salt[:])
	if err != nil {
		return nil, nil, err
	}
	body, err = hkdf.Key(sha256.New, root, h.salt[:], infoBody, keyLen)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving keys: %w", err)
	}
	check, err = hkdf.Key(sha256.New, root, h.salt[:], infoCheck+string(h.preamble()), checkLen)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving keys: %w", err)
	}
	return body, check, nil
}

// Seal returns the keyring file under r. Each call uses a fresh salt, so two
// files of one keyring have nothing in common; sealing under another root key
// is how a passphrase is changed, and the old file still opens with the old one.
func (k *Keyring) Seal(r Root) ([]byte, error) {
	h := header{root: r.kind(), p: r.params()}
	if h.root == rootPassphrase && !h.p.bounded() {
		return nil, fmt.Errorf("sealing keyring: work out of bounds: %w", ErrFormat)
	}
	if _, err := rand.Read(h.salt[:]); err != nil {
		return nil, fmt.Errorf("sealing keyring: %w", err)
	}
	body, check, err := h.secrets(r)
	if err != nil {
		return nil, fmt.Errorf("sealing keyring: %w", err)
	}
	copy(h.check[:], check)
	aead, err := newAEAD(body)
	if err != nil {
		return nil, fmt.Errorf("sealing keyring: %w", err)
	}
	start, nonce := h.marshal(), make([]byte, nonceLen)
	if err := drawNonce(nonce); err != nil {
		return nil, fmt.Errorf("sealing keyring: %w", err)
	}
	return aead.Seal(slices.Concat(start, nonce), nonce, marshalBody(k.vault, k.keys), start), nil
}

// Open reads a keyring file. The wrong passphrase or key, or the wrong kind of
// root key, is ErrRootKey; a file that is not a keyring of a known version
// ErrFormat; one whose root key is right and whose rest is not ErrIntegrity.
func Open(file []byte, r Root) (*Keyring, error) {
	h, err := parseHeader(file)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	if h.root != r.kind() {
		return nil, fmt.Errorf("opening keyring: it is sealed under a %v, not a %v: %w", h.root, r.kind(), ErrRootKey)
	}
	body, check, err := h.secrets(r)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	if !hmac.Equal(check, h.check[:]) {
		return nil, fmt.Errorf("opening keyring: %w", ErrRootKey)
	}
	aead, err := newAEAD(body)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	nonce, sealed := file[headerLen:min(len(file), headerLen+nonceLen)], file[min(len(file), headerLen+nonceLen):]
	if len(nonce) < nonceLen {
		return nil, fmt.Errorf("opening keyring: %w", ErrIntegrity)
	}
	plain, err := aead.Open(nil, nonce, sealed, file[:headerLen])
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", ErrIntegrity)
	}
	vault, all, err := parseBody(plain)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	k, err := assemble(vault, all)
	if err != nil {
		return nil, fmt.Errorf("opening keyring: %w", err)
	}
	return k, nil
}

func marshalBody(v VaultID, all []key) []byte {
	out := append(make([]byte, 0, len(v)+len(all)*keyRecord), v[:]...)
	for _, e := range all {
		out = append(out, byte(e.role))
		out = binary.BigEndian.AppendUint32(out, e.epoch)
		out = binary.BigEndian.AppendUint64(out, uint64(e.since))
		out = binary.BigEndian.AppendUint64(out, uint64(e.until))
		out = append(out, e.material[:]...)
	}
	return out
}

func parseBody(b []byte) (v VaultID, all []key, err error) {
	if len(b) < minBody || (len(b)-len(v))%keyRecord != 0 {
		return VaultID{}, nil, fmt.Errorf("its keys: %w", ErrFormat)
	}
	copy(v[:], b)
	for b = b[len(v):]; len(b) > 0; b = b[keyRecord:] {
		all = append(all, key{
			role:     role(b[0]),
			epoch:    binary.BigEndian.Uint32(b[1:]),
			since:    int64(binary.BigEndian.Uint64(b[5:])),
			until:    int64(binary.BigEndian.Uint64(b[13:])),
			material: [keyLen]byte(b[21:keyRecord]),
		})
	}
	return v, all, nil
}
