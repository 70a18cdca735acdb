package log

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unsafe"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Kind says what an entry records. Its number stands on disk for ever.
type Kind byte

// The kinds of entries.
const (
	Access   Kind = 1 + iota // the decision of a read, released or refused
	Capture                  // what a person told
	Consent                  // a consent record
	Ground                   // a ground begun or ended
	Register                 // a register revision
	Policy                   // a rule set put in force
	Key                      // a key made, turned or destroyed
	Client                   // a channel's or an officer's credentials
	Lookup                   // an officer found or saw a person, for a stated reason
	Start                    // the vault was made, or its log begun anew
	Clock                    // an officer's word on the clock
	Export                   // an officer took records out, for an audit
	Backup                   // copies of the vault were made
	Erasure                  // somebody was erased, or is to be
	Hold                     // an officer forbade erasing somebody, or no longer does
	Touch                    // what a channel had to do with a person: a contact, an order, a question
	Session                  // a session of a person: opened, or something shown in it
	Request                  // what a person asked for by right, or came of it: a restriction, an objection
	lastKind = Request
)

var kindNames = [...]string{"", "access", "capture", "consent", "ground", "register", "policy", "key", "client", "lookup", "start", "clock", "export", "backup", "erasure", "hold", "touch", "session", "request"}

// String returns the kind's name, which is part of what an opening is bound to.
func (k Kind) String() string {
	if !k.Known() {
		return fmt.Sprintf("kind(%d)", byte(k))
	}
	return kindNames[k]
}

// Known reports whether the number is a kind's.
func (k Kind) Known() bool { return k >= Access && k <= lastKind }

// Trailed reports whether entries of this kind are access records, which a
// person's trail counts.
func (k Kind) Trailed() bool { return k == Access || k == Lookup || k == Session }

// Errors of entries.
var (
	// ErrEntry: not an entry, or of a version this program does not know.
	ErrEntry = errors.New("not a log entry")
	// ErrCommitment: the opening is not the one the entry commits to.
	ErrCommitment = errors.New("opening does not match its commitment")
	// ErrErased is what a caller's key function returns for a person whose keys
	// were destroyed: the openings are gone with them, the leaves stay.
	ErrErased = errors.New("keys were destroyed by erasure")
)

// Entry is one entry of the log. Only its commitment goes into the tree and to
// strangers; the rest stays in the vault. On disk, numbers big endian:
//
//	version     1  0x01
//	kind        1
//	subject    16  zero for entries about nobody
//	id         16
//	commitment 32
//	sealed     the rest: envelope of salt ‖ record under the subject's history
//	           key, bound to vault, subject, kind and id
type Entry struct {
	Kind       Kind
	Subject    privacy.SubjectID
	ID         privacy.ID
	Commitment [32]byte
	Sealed     []byte
}

// Opening is what an entry commits to. Who holds it and the leaf can check it
// with [Commit].
type Opening struct {
	Salt   [saltSize]byte
	Record []byte
}

const (
	entryVersion = 1
	saltSize     = 32

	kindAt       = 1
	subjectAt    = 2
	idAt         = subjectAt + 16
	commitmentAt = idAt + 16
	headerSize   = commitmentAt + 32
)

const commitDomain = "sayso log commitment v1\x00"

// Commit returns the commitment to an opening:
//
//	SHA-256("sayso log commitment v1" ‖ 0 ‖ salt ‖ kind ‖ subject ‖ id ‖ record)
//
// All but the record have fixed sizes, so no two openings share an encoding.
// The salt is 32 random bytes: without it nothing about the rest can be tried.
func Commit(kind Kind, s privacy.SubjectID, id privacy.ID, o Opening) [32]byte {
	var head [len(commitDomain) + saltSize + 1 + 16 + 16]byte
	b := append(head[:0], commitDomain...)
	b = append(b, o.Salt[:]...)
	b = append(b, byte(kind))
	b = append(b, s[:]...)
	b = append(b, id[:]...)
	h := sha256.New()
	_, _ = h.Write(b)
	_, _ = h.Write(o.Record)
	var c [32]byte
	h.Sum(c[:0])
	return c
}

// New commits to record with a fresh salt and seals the opening under dek, the
// history key of s (of [privacy.Nobody] for what is about nobody).
func New(dek *keys.DEK, vault keys.VaultID, kind Kind, s privacy.SubjectID, id privacy.ID, record []byte) (Entry, error) {
	b, err := Finish(append(Draft(nil), record...), dek, vault, kind, s, id)
	if err != nil {
		return Entry{}, err
	}
	return ParseEntry(b)
}

// recordAt is where the record of an entry is written, before it is sealed there.
const recordAt = headerSize + keys.Room + saltSize

// Draft begins an entry in space, which may be nil: append the record, and
// [Finish] it. So an entry takes one piece of memory.
func Draft(space []byte) []byte {
	var before [recordAt]byte
	return append(space[:0], before[:]...)
}

// Finish makes of a draft and the record behind it what Marshal returns of the
// entry that New makes of it, in the same memory if there is some to spare.
func Finish(draft []byte, dek *keys.DEK, vault keys.VaultID, kind Kind, s privacy.SubjectID, id privacy.ID) ([]byte, error) {
	if !kind.Known() {
		return nil, fmt.Errorf("making a log entry: %w: unknown kind %d", ErrEntry, byte(kind))
	}
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:])
	e := Entry{Kind: kind, Subject: s, ID: id, Commitment: Commit(kind, s, id, Opening{Salt: salt, Record: draft[recordAt:]})}
	copy(draft[recordAt-saltSize:], salt[:])
	e.appendHeader(draft[:0])
	var space [fieldSize]byte
	sealed, err := keys.SealOver(dek, e.bindingIn(space[:0], vault), draft[headerSize:])
	if err != nil {
		return nil, fmt.Errorf("sealing a log entry: %w", err)
	}
	if headerSize+len(sealed) > store.MaxEntry {
		return nil, fmt.Errorf("making a log entry: %w: its record is too long", ErrEntry)
	}
	return append(draft[:headerSize], sealed...), nil // where it lies already, mostly
}

// Open unseals the entry's opening and checks it against the commitment. It
// returns the error of keys.Unseal, or ErrCommitment.
func (e Entry) Open(dek *keys.DEK, vault keys.VaultID) (Opening, error) {
	plain, err := keys.Unseal(dek, e.binding(vault), e.Sealed)
	if err != nil {
		return Opening{}, fmt.Errorf("opening a log entry: %w", err)
	}
	if len(plain) < saltSize {
		return Opening{}, fmt.Errorf("opening a log entry: %w", ErrCommitment)
	}
	o := Opening{Salt: [saltSize]byte(plain), Record: plain[saltSize:]}
	if Commit(e.Kind, e.Subject, e.ID, o) != e.Commitment {
		return Opening{}, fmt.Errorf("opening a log entry: %w", ErrCommitment)
	}
	return o, nil
}

// fieldSize is enough for the name of any place.
const fieldSize = 64

// binding ties the opening to its place: "log/access/" and the id in hex. Each
// id is sealed once per kind, so there is no version to tell apart.
func (e *Entry) binding(vault keys.VaultID) keys.Binding {
	return e.bindingIn(make([]byte, 0, fieldSize), vault)
}

// bindingIn is binding with the place's name written in space, which nobody may
// write to while the binding is used.
func (e *Entry) bindingIn(space []byte, vault keys.VaultID) keys.Binding {
	field := append(space, "log/"...)
	field = append(field, e.Kind.String()...)
	field = append(field, '/')
	field = hex.AppendEncode(field, e.ID[:])
	//nolint:gosec // field is whole, and nobody writes to it any more
	return keys.Binding{Vault: vault, Subject: e.Subject, Field: unsafe.String(unsafe.SliceData(field), len(field))}
}

// Marshal returns the entry as it is on disk.
func (e Entry) Marshal() []byte {
	return append(e.appendHeader(make([]byte, 0, headerSize+len(e.Sealed))), e.Sealed...)
}

func (e *Entry) appendHeader(b []byte) []byte {
	b = append(b, entryVersion, byte(e.Kind))
	b = append(b, e.Subject[:]...)
	b = append(b, e.ID[:]...)
	return append(b, e.Commitment[:]...)
}

// ParseEntry reads what Marshal writes, or returns ErrEntry. Sealed is part of
// b, not a copy.
func ParseEntry(b []byte) (Entry, error) {
	switch {
	case len(b) <= headerSize:
		return Entry{}, fmt.Errorf("%w: too short", ErrEntry)
	case b[0] != entryVersion:
		return Entry{}, fmt.Errorf("%w: unknown version %d", ErrEntry, b[0])
	case !Kind(b[kindAt]).Known():
		return Entry{}, fmt.Errorf("%w: unknown kind %d", ErrEntry, b[kindAt])
	}
	return Entry{
		Kind:       Kind(b[kindAt]),
		Subject:    privacy.SubjectID(b[subjectAt:idAt]),
		ID:         privacy.ID(b[idAt:commitmentAt]),
		Commitment: [32]byte(b[commitmentAt:headerSize]),
		Sealed:     b[headerSize:],
	}, nil
}
