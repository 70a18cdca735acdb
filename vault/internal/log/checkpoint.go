package log

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrCheckpoint: a checkpoint is not this log's, or says another tree than the
// log holds.
var ErrCheckpoint = errors.New("checkpoint is not of this log")

// Checkpoint is the head of the log that a signed note (C2SP tlog-checkpoint)
// speaks of:
//
//	origin
//	size in decimal
//	root hash in base64
//
//	— origin signature
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
}

// text returns the body that is signed.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// OpenCheckpoint checks a signed checkpoint with the log's verifier key and
// returns what it says, or ErrCheckpoint.
func OpenCheckpoint(signed []byte, verifierKey string) (Checkpoint, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("reading the verifier key: %w", err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != verifier.Name() {
		return Checkpoint{}, fmt.Errorf("%w: its origin is another", ErrCheckpoint)
	}
	return c, nil
}

// parseCheckpoint reads exactly what text writes.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("%w: not three lines", ErrCheckpoint)
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: size is not a number", ErrCheckpoint)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("%w: root is not a hash", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root)}
	if c.text() != text {
		return Checkpoint{}, fmt.Errorf("%w: not in canonical form", ErrCheckpoint)
	}
	return c, nil
}

// VerifierKey returns the C2SP signed-note verifier key of a log: what a
// stranger needs to check its checkpoints. It errs if the key is not ed25519 or
// the origin is not fit to be a name (no spaces, no plus).
func VerifierKey(origin string, public crypto.PublicKey) (string, error) {
	key, ok := public.(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("log key is a %T, not ed25519", public)
	}
	vkey, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", fmt.Errorf("log key: %w", err)
	}
	if _, err := note.NewVerifier(vkey); err != nil {
		return "", fmt.Errorf("log key of this origin: %w", err)
	}
	return vkey, nil
}

// signer signs notes with a key that may live elsewhere.
type signer struct {
	note.Verifier // of its own key: name and hash
	key           crypto.Signer
}

func newSigner(origin string, key crypto.Signer) (*signer, string, error) {
	vkey, err := VerifierKey(origin, key.Public())
	if err != nil {
		return nil, "", err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, "", fmt.Errorf("log key: %w", err)
	}
	return &signer{Verifier: verifier, key: key}, vkey, nil
}

// Sign implements note.Signer.
func (s *signer) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}

func (s *signer) checkpoint(c Checkpoint) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return signed, nil
}
