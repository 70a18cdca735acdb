package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// BadIndexError names the first entry of the log that is not what was written.
type BadIndexError = log.BadIndexError

// proofFormat is the version that a bundle begins with.
const proofFormat = "sayso-proof/1"

// Proof is a bundle by which a stranger checks, with nothing but the log's
// verifier key, that a record stands in the log: the leaf, the way from it to
// the root of a signed checkpoint, and what the leaf commits to. Who is given a
// bundle reads the record in it; it holds no value of a person.
type Proof struct {
	Format     string      `json:"format"`
	Index      uint64      `json:"index"`
	Leaf       []byte      `json:"leaf"`  // the commitment
	Proof      []tlog.Hash `json:"proof"` // RFC 6962 inclusion proof
	Checkpoint string      `json:"checkpoint"`
	Opening    Opening     `json:"opening"`
}

// Opening is what a leaf commits to:
//
//	SHA-256("sayso log commitment v1" ‖ 0 ‖ salt ‖ kind ‖ subject ‖ id ‖ record)
type Opening struct {
	Kind    string            `json:"kind"`
	Subject privacy.SubjectID `json:"subject"`
	ID      string            `json:"id"` // dec_…, con_… or req_…
	Salt    []byte            `json:"salt"`
	Record  string            `json:"record"` // JSON, byte for byte as committed to
}

// ErrProof is returned for a bundle that proves nothing.
var ErrProof = errors.New("the bundle does not prove that its record is in the log")

// Prove makes the bundle of a decision (dec_…), a consent record (con_…) or an
// erasure (req_…), by the record that says what it removed and orphaned. It
// returns an *Error not_found, or gone if the record's opening was erased.
func (v *Vault) Prove(ctx context.Context, id string) (*Proof, error) {
	raw, err := parseProvable(id)
	if err != nil {
		return nil, err
	}
	index, err := v.follower.Find(ctx, raw)
	if errors.Is(err, log.ErrNotFound) {
		return nil, refuse(CodeNotFound, "the log has no record of this ID")
	}
	if err != nil {
		return nil, err
	}
	entry, err := v.follower.Entry(ctx, index)
	if err != nil {
		return nil, err
	}
	p, err := v.loadKeys(ctx, entry.Subject)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, refuse(CodeGone, "the person this record was about was erased")
	}
	opening, err := entry.Open(p.history, v.id)
	if lost, err := v.ofAnErasedLife(ctx, entry.Subject, err); lost || err != nil {
		return nil, errors.Join(err, refuse(CodeGone, "the person this record was about was erased"))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the record of %s: %w", id, err)
	}
	signed, err := v.follower.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	head, err := log.OpenCheckpoint(signed, v.VerifierKey())
	if err != nil {
		return nil, err
	}
	way, err := v.follower.Proof(ctx, index, head.Size)
	if err != nil {
		return nil, err
	}
	return &Proof{
		Format: proofFormat, Index: index, Leaf: entry.Commitment[:], Proof: append([]tlog.Hash{}, way...), Checkpoint: string(signed),
		Opening: Opening{Kind: entry.Kind.String(), Subject: entry.Subject, ID: id, Salt: opening.Salt[:], Record: string(opening.Record)},
	}, nil
}

// CheckProof checks a bundle offline against the log's verifier key, which has
// to come from somewhere else than the bundle. It returns ErrProof, with the
// step that failed.
func CheckProof(p *Proof, verifierKey string) error {
	if err := p.check(verifierKey); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}

func (p *Proof) check(verifierKey string) error {
	if p.Format != proofFormat {
		return fmt.Errorf("its format is not %s", proofFormat)
	}
	head, err := log.OpenCheckpoint([]byte(p.Checkpoint), verifierKey)
	if err != nil {
		return err
	}
	if p.Index >= head.Size {
		return errors.New("its checkpoint does not reach the record")
	}
	if err := tlog.CheckRecord(p.Proof, int64(head.Size), head.Root, int64(p.Index), tlog.RecordHash(p.Leaf)); err != nil {
		return errors.New("the leaf is not under its checkpoint")
	}
	id, err := parseProvable(p.Opening.ID)
	if err != nil {
		return err
	}
	kind, ok := kindNamed(p.Opening.Kind)
	o := log.Opening{Record: []byte(p.Opening.Record)}
	if !ok || len(p.Opening.Salt) != len(o.Salt) {
		return errors.New("its opening is not whole")
	}
	copy(o.Salt[:], p.Opening.Salt)
	if commitment := log.Commit(kind, p.Opening.Subject, id, o); string(commitment[:]) != string(p.Leaf) {
		return errors.New("the leaf does not commit to this record")
	}
	return nil
}

func kindNamed(name string) (log.Kind, bool) {
	for k := log.Access; k.Known(); k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

func parseProvable(id string) (privacy.ID, error) {
	var decision privacy.DecisionID
	var consent privacy.ConsentID
	var request privacy.RequestID
	switch {
	case strings.HasPrefix(id, "dec_") && decision.UnmarshalText([]byte(id)) == nil:
		return privacy.ID(decision), nil
	case strings.HasPrefix(id, "con_") && consent.UnmarshalText([]byte(id)) == nil:
		return privacy.ID(consent), nil
	case strings.HasPrefix(id, "req_") && request.UnmarshalText([]byte(id)) == nil:
		return privacy.ID(request), nil
	}
	return privacy.ID{}, refuse(CodeNotFound, "expected the ID of a decision (dec_…), of a consent record (con_…) or of an erasure (req_…)")
}
