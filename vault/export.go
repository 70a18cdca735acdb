package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// ExportRequest says what of the vault's records is taken out for an audit.
type ExportRequest struct {
	// From and To bound when it was recorded: From is in it, To is not. Zero is
	// no bound.
	From, To time.Time
	// Reason is why, as it is recorded; at most 500 bytes. May be empty.
	Reason string
}

// Exported is how an export came to its end.
type Exported struct {
	Lines uint64
	// Log and Record name the export's own record. What was recorded before it
	// is in the export, what came later is not.
	Log    string
	Record uint64
}

// exportRecord is the log's record of an export.
type exportRecord struct {
	Format  int        `json:"v"`
	At      time.Time  `json:"at"`
	Officer string     `json:"officer"`
	Export  string     `json:"export"` // register, consents, decisions or breach
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

const maxReason = 500

// recordExport records that an officer takes records out. It is durable before
// anything of them is shown.
func (v *Vault) recordExport(ctx context.Context, by Caller, what string, req ExportRequest) (*Exported, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	reason := strings.TrimSpace(req.Reason)
	if len(reason) > maxReason || !privacy.Plain(reason) {
		return nil, invalid("reason", "too_long", "expected why the export is made, at most 500 bytes of text")
	}
	if !req.From.IsZero() && !req.To.IsZero() && !req.From.Before(req.To) {
		return nil, invalid("to", "invalid_value", "expected a time after from")
	}
	at, _, _ := v.clock.now()
	record := exportRecord{Format: 1, At: at, Officer: by.Client.Officer, Export: what, Reason: reason}
	if !req.From.IsZero() {
		record.From = &req.From
	}
	if !req.To.IsZero() {
		record.To = &req.To
	}
	entry, err := v.entry(v.nobody, log.Export, privacy.NewID(at), record)
	if err != nil {
		return nil, v.refusal(err)
	}
	index, err := v.cfg.Store.Append(ctx, entry)
	if err != nil {
		return nil, v.refusal(fmt.Errorf("recording an export: %w", err))
	}
	return &Exported{Log: v.cfg.LogName, Record: index}, nil
}

// stillOfficer ends an export whose officer was removed, or whose secret was
// revoked, while it runs.
func (v *Vault) stillOfficer(by Caller) error {
	now, err := v.Client(by.Client.ID, by.Client.SecretID)
	if err == nil && now.Role != RoleOfficer {
		err = ErrInvalidClient
	}
	return err
}

// madeAt is when an ID was made, to the millisecond.
func madeAt(id privacy.ID) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// contains reports whether something recorded at a time is asked for. IDs keep
// milliseconds, so the bounds do: exports that follow each other share nothing
// and leave nothing out.
func (r *ExportRequest) contains(at time.Time) bool {
	return !at.Before(r.From.Truncate(time.Millisecond)) && (r.To.IsZero() || at.Before(r.To.Truncate(time.Millisecond)))
}

// exportLog gives the entries of the kinds asked for, in the order of the log, a
// page at a time: first those that open, into lines, then the page to some. It
// holds nothing of the store while some runs.
func exportLog[Line any](ctx context.Context, v *Vault, by Caller, req ExportRequest, end *Exported, kinds []log.Kind, line func(entry, *log.Opening) (*Line, error), some func([]Line) error) error {
	for next := uint64(0); next < end.Record; {
		if err := v.stillOfficer(by); err != nil {
			return err
		}
		page, after, err := v.exportPage(ctx, req, next, end.Record, kinds)
		if err != nil {
			return v.refusal(err)
		}
		next = after
		lines := make([]Line, 0, len(page))
		deks := map[privacy.SubjectID]*keys.DEK{}
		for _, e := range page {
			var opening *log.Opening
			if opening, e.lost, err = v.openEntry(ctx, e.Entry, deks); err != nil {
				return v.refusal(fmt.Errorf("opening log entry %d: %w", e.index, err))
			}
			l, err := line(e, opening)
			if err != nil {
				return v.refusal(fmt.Errorf("reading log entry %d: %w", e.index, err))
			}
			if l != nil {
				lines = append(lines, *l)
			}
		}
		if len(lines) == 0 {
			continue
		}
		end.Lines += uint64(len(lines))
		if err := some(lines); err != nil {
			return err
		}
	}
	return nil
}

// entry is an entry of the log with its place.
type entry struct {
	log.Entry
	index uint64
	lost  string // why its record cannot be told
}

// Why a record is told as a line without what it says.
const (
	LostErased  = "erased"  // with the person
	LostDamaged = "damaged" // it does not verify
)

// openEntry opens an entry with a person's history key, which is kept for the
// page. What cannot be opened for good is lost, and said to be.
func (v *Vault) openEntry(ctx context.Context, e log.Entry, deks map[privacy.SubjectID]*keys.DEK) (o *log.Opening, lost string, err error) {
	dek := deks[e.Subject]
	if dek == nil {
		dek, err = v.historyKey(ctx, e.Subject)
		deks[e.Subject] = dek
	}
	if err == nil {
		var opening log.Opening
		if opening, err = e.Open(dek, v.id); err == nil {
			return &opening, "", nil
		}
	}
	before, lookup := v.ofAnErasedLife(ctx, e.Subject, err)
	switch {
	case lookup != nil:
		return nil, "", lookup
	case before, errors.Is(err, log.ErrErased):
		return nil, LostErased, nil
	case errors.Is(err, keys.ErrIntegrity), errors.Is(err, keys.ErrFormat), errors.Is(err, log.ErrCommitment):
		return nil, LostDamaged, nil
	}
	return nil, "", err
}

// A page of an export ends after so many bytes, beside the bounds of any page.
const pageBytes = 1 << 20

// errPage ends the reading of a page.
var errPage = errors.New("the page is full")

// exportPage reads the entries asked for in [from, to), up to a page of them. It
// returns where the next page begins.
func (v *Vault) exportPage(ctx context.Context, req ExportRequest, from, to uint64, kinds []log.Kind) (page []entry, next uint64, err error) {
	began, size := time.Now(), 0
	next = from
	err = v.cfg.Store.Entries(ctx, from, to, func(index uint64, b []byte) error {
		e, err := log.ParseEntry(b)
		if err != nil {
			return fmt.Errorf("reading log entry %d: %w", index, err)
		}
		next = index + 1
		if slices.Contains(kinds, e.Kind) && req.contains(madeAt(e.ID)) {
			e.Sealed = bytes.Clone(e.Sealed)
			page = append(page, entry{Entry: e, index: index})
			size += len(b)
		}
		if len(page) == pageRows || size > pageBytes || next%64 == 0 && time.Since(began) > pageTime {
			return errPage
		}
		return nil
	})
	if errors.Is(err, errPage) {
		err = nil
	}
	if err == nil && next == from {
		err = fmt.Errorf("log entry %d is missing: %w", from, errIntegrity)
	}
	return page, next, err
}
