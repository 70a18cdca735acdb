package vault

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ErasurePreview says what an erasure of the person would leave, and what is in
// its way, before they ask for it.
type ErasurePreview struct {
	Remains []Stay // purposes that a law demands, with what they need (Art. 17(3)(b))
	// Held says that an officer forbade erasing the person, for a claim (Art.
	// 17(3)(e)): the request would wait for the end of that.
	Held bool
	// KeyBackupDays is for how many days a backup of keys that was kept may open an
	// old copy still.
	KeyBackupDays int
	// Begins is when it would begin, asked for now, and until when it could be taken
	// back: zero, if it would at once. Waits says that it was asked for, and then does.
	Begins time.Time
	Waits  bool
	// Told are the channels that were shown something of the person, who are told
	// (Art. 19).
	Told []privacy.ChannelID
	// ToldLater is how many more there are that the person is shown later.
	ToldLater int
	// NeverContact is how many keyed hashes would stay, one of each identifier, if the
	// person asks never to be contacted again.
	NeverContact int
}

// PreviewErasure says what an erasure would leave, in a session of the person's
// own.
func (v *Vault) PreviewErasure(ctx context.Context, by Caller) (*ErasurePreview, error) {
	s, err := v.mustFull(by)
	if err != nil {
		return nil, err
	}
	if s.Subject == privacy.Nobody {
		return nil, errNothingKnown
	}
	preview := &ErasurePreview{Remains: []Stay{}}
	err = v.cfg.Store.View(ctx, func(snap store.Snapshot) error {
		r, p, err := v.self(ctx, snap, s)
		if err != nil {
			return err
		}
		now, _, _ := v.clock.now()
		if stays := staysOf(r.register, p.standing, now); stays != nil {
			preview.Remains = stays
		}
		values, err := v.openAll(snap, p)
		if err != nil {
			return err
		}
		preview.NeverContact = len(foundWith(r.register, p.standing, values))
		preview.Held, preview.KeyBackupDays = len(p.standing.Holds) > 0, r.register.KeyBackupDays()
		if grace := r.register.Settings.Erasure.Grace; !grace.IsZero() {
			preview.Begins = v.graceEnds(now, grace)
		}
		q, err := v.waitingFor(snap, s.Subject)
		if q != nil {
			preview.Begins, preview.Waits = q.Begins, true
		}
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	all, later, err := v.recipients(ctx, s)
	if err != nil {
		return nil, v.refusal(err)
	}
	if later != nil {
		preview.ToldLater = later.Channels
	}
	for _, one := range all {
		preview.Told = append(preview.Told, one.Channel)
	}
	return preview, nil
}

// RequestLink returns what a link to the status of a request ends with. Whoever
// has it is told how far the request is and no more; it outlives sessions and the
// person, and the request's ID alone is not enough.
func (v *Vault) RequestLink(id privacy.RequestID) string {
	sum := v.keyring().MAC("request link", id[:])
	return base64.RawURLEncoding.EncodeToString(append(id[:], sum[:16]...))
}

// RequestByLink tells how far a request is to whoever has its link: nothing of the
// person, of the reason or of the officers.
func (v *Vault) RequestByLink(ctx context.Context, link string) (*Request, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(link)
	if err != nil || len(raw) != 32 {
		return nil, errNoRequest
	}
	id := privacy.RequestID(raw[:16])
	if sum := v.keyring().MAC("request link", id[:]); subtle.ConstantTimeCompare(sum[:16], raw[16:]) != 1 {
		return nil, errNoRequest
	}
	var q *requestRecord
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		q, err = v.requestOf(s, id)
		return err
	})
	if err != nil {
		return nil, v.refusal(err)
	}
	if q == nil {
		return nil, errNoRequest
	}
	view := &Request{ID: q.ID, Kind: q.Kind, Status: q.Status, Why: v.inTheWay(q), ReceivedAt: q.Received, DueAt: q.Due, CompletedAt: q.Done,
		Kept: q.Stays, Certificate: q.Certificate}
	view.Sent, view.Confirmed = confirmed(q.Told)
	if q.waits() {
		view.BeginsAt = q.Begins
	}
	return view, nil
}

var errNoRequest = refuse(CodeNotFound, "no request of this link")
