package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// Lookup finds a person for an officer who states a reason. It shows no value;
// that it was done stands in the person's list of accesses.
func (v *Vault) Lookup(ctx context.Context, by Caller, subject SubjectRef, reason string) (privacy.SubjectID, error) {
	if err := v.mustOfficer(by); err != nil {
		return privacy.Nobody, err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > 500 || !privacy.Plain(reason) {
		return privacy.Nobody, invalid("reason", "empty", "expected why the person is looked up, at most 500 bytes of plain text; the person sees it")
	}
	for range attempts {
		found, err := v.lookup(ctx, by, subject, reason)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return privacy.Nobody, v.refusal(err)
		}
		if found == privacy.Nobody {
			return found, refuse(CodeUnknownSubject, "nobody is known by this identifier")
		}
		return found, nil
	}
	return privacy.Nobody, unavailable("the person kept changing; try again")
}

func (v *Vault) lookup(ctx context.Context, by Caller, subject SubjectRef, reason string) (privacy.SubjectID, error) {
	var entry []byte
	var on []store.Condition
	var found privacy.SubjectID
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.regime(ctx, s)
		if err != nil {
			return err
		}
		ref, err := v.reference(now.register, nil, subject)
		if err != nil {
			return err
		}
		p, err := v.find(ctx, s, ref)
		if err != nil {
			return err
		}
		if p == nil {
			p = v.nobody
		}
		found = p.id
		on = []store.Condition{s.Unchanged(bucketStanding.all(), p.at.key)}
		at, _, _ := v.clock.now()
		id := privacy.NewDecisionID(at)
		entry, err = v.entry(p, log.Lookup, privacy.ID(id), accessRecord{Format: 1, At: at, Decision: id, Officer: by.Client.Officer, Reason: reason,
			Policy: now.gov.Policy, Register: now.register.Revision, Standing: p.standing.Version})
		return err
	})
	if err != nil {
		return privacy.Nobody, err
	}
	if _, err := v.cfg.Store.Append(ctx, entry, on...); err != nil {
		return privacy.Nobody, fmt.Errorf("recording a lookup: %w", err)
	}
	return found, nil
}

// ConsentState says whether a channel may use a purpose for a person now.
type ConsentState struct {
	Subject privacy.SubjectID // as asked
	Purpose privacy.PurposeID
	Allowed bool
	Until   time.Time // when what allows it ends; zero: not known to end
}

// ConsentState asks whether anything may be released to the channel for a
// purpose it holds. It passes the same door as a read and is recorded like one,
// but opens no value. Never given, withdrawn, restricted and unknown look
// alike.
func (v *Vault) ConsentState(ctx context.Context, by Caller, id privacy.SubjectID, purpose privacy.PurposeID) (*ConsentState, error) {
	req := ReadRequest{Subject: SubjectRef{ID: id}, Purpose: purpose}
	a, err := v.decide(ctx, by, req, whether)
	if a, err = v.keepRecord(ctx, by, req, whether, a, err); err != nil {
		return nil, err
	}
	var refused *Error
	if errors.As(a.refused, &refused) && refused.Code != CodeUnknownSubject {
		return nil, a.refused
	}
	return &ConsentState{Subject: id, Purpose: purpose, Allowed: a.allowed, Until: a.until}, nil
}
