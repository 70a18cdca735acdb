package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Recipient is a channel that was shown something of a person: the actual
// recipients of Art. 15(1)(c), by the records of what was released.
type Recipient struct {
	Channel   privacy.ChannelID
	Title     privacy.Text
	Recipient string // the third party that reads there; "": the controller
	Purposes  []privacy.PurposeID
	Fields    []privacy.FieldName // of which anything was shown, masked or not
	First     time.Time
	Last      time.Time
	Reads     uint64
}

// recipients lists who was shown something of the person of a session, by channel.
// What is confidential still is left out until it no longer is, and counted.
func (v *Vault) recipients(ctx context.Context, s *ownSession) ([]Recipient, *Later, error) {
	own, err := v.ownAccess(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	later, hidden := &Later{}, map[privacy.ChannelID]bool{}
	seen := map[privacy.ChannelID]*Recipient{}
	err = v.eachAccess(ctx, own.p, func(r *accessRecord) error {
		if !r.disclosed() {
			return nil // a takeout is to the person, and would change the next
		}
		if from := own.shownFrom(r); !from.IsZero() {
			later.add(from)
			hidden[r.Channel] = true
			return nil
		}
		one := seen[r.Channel]
		if one == nil {
			one = &Recipient{Channel: r.Channel, Last: r.At}
			if ch, ok := own.regime.register.Channel(r.Channel); ok {
				one.Title, one.Recipient = ch.Title, ch.Recipient
			}
			seen[r.Channel] = one
		}
		one.First = r.At // the latest come first
		one.Reads++
		if r.Purpose != "" && !slices.Contains(one.Purposes, r.Purpose) {
			one.Purposes = append(one.Purposes, r.Purpose)
		}
		for _, f := range slices.Concat(r.Released, slices.Collect(maps.Keys(r.Masked))) {
			if !slices.Contains(one.Fields, f) {
				one.Fields = append(one.Fields, f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	all := []Recipient{}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		slices.Sort(seen[id].Purposes)
		slices.Sort(seen[id].Fields)
		all = append(all, *seen[id])
		delete(hidden, id)
	}
	later.Channels = len(hidden)
	return all, later.some(), nil
}

// eachAccess goes through the access records of a person, the latest first.
func (v *Vault) eachAccess(ctx context.Context, p *person, each func(*accessRecord) error) error {
	for before := uint64(log.Newest); ; {
		found, err := v.follower.BySubject(ctx, p.id, before, accessesLook)
		if err != nil {
			return err
		}
		for _, f := range found {
			before = f.Index
			if !f.Entry.Kind.Trailed() {
				continue
			}
			r, err := v.openAccess(ctx, p, f.Index, f.Entry)
			if err == nil && r != nil {
				err = each(r)
			}
			if err != nil {
				return err
			}
		}
		if len(found) < accessesLook {
			return nil
		}
	}
}

// openAccess opens an access record: nil if it is of a life of the person before
// this one.
func (v *Vault) openAccess(ctx context.Context, p *person, index uint64, e log.Entry) (*accessRecord, error) {
	opening, err := e.Open(p.history, v.id)
	if errors.Is(err, keys.ErrIntegrity) {
		lost, err := v.ofAnErasedLife(ctx, p.id, err)
		if lost || err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("opening log entry %d: %w", index, errIntegrity)
	}
	if err != nil {
		return nil, err
	}
	r := new(accessRecord)
	if err := json.Unmarshal(opening.Record, r); err != nil {
		return nil, fmt.Errorf("reading log entry %d: %w", index, errIntegrity)
	}
	return r, nil
}
