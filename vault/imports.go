package vault

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// ImportID names an import to the channel that does it: a hash of the file and
// of how it is read.
type ImportID [32]byte

// Import is how far an import is. It is kept in the transaction of the rows
// themselves, and for as long as the vault: so whoever asks knows which rows are
// in, whatever was killed, lost or put back, and no row is ever in twice.
type Import struct {
	ID       ImportID
	Rows     uint64 // of the whole file
	Next     uint64 // rows that are done with, from the first on
	Created  uint64 // of them, people new to the channel
	Known    uint64
	Rejected uint64 // by the vault; rows that were left out are counted nowhere
	Began    time.Time
	Changed  time.Time
}

// ImportRequest is rows of an import, in their order.
type ImportRequest struct {
	ID   ImportID
	Of   uint64 // rows of the whole file
	From uint64 // rows before the first of these
	Rows []ImportRow
}

// ImportRow is one row: a capture, or why it is none, or neither for one that is
// left out.
type ImportRow struct {
	Capture *CaptureRequest
	Wrong   *Error
}

// Reject is what is wrong with one row, never with a value. Rows count from 1.
type Reject struct {
	Row    uint64 `json:"row"`
	Field  string `json:"field,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// rejects tells a refusal as rejects of a row.
func rejects(row uint64, e *Error) []Reject {
	if len(e.Fields) == 0 {
		return []Reject{{Row: row, Code: e.Code, Detail: e.Detail}}
	}
	all := make([]Reject, len(e.Fields))
	for i, f := range e.Fields {
		all[i] = Reject{Row: row, Field: f.Field, Code: f.Code, Detail: f.Detail}
	}
	return all
}

// ImportRows captures the next rows of an import, all that are accepted in one
// transaction with how far the import is by then. Rows that come before their
// turn wait for those before them; rows that are done with, or do not follow
// those that are, are refused with wrong_state, and nothing of them is kept.
//
// Consents get no receipts: they can be asked for.
func (v *Vault) ImportRows(ctx context.Context, by Caller, req ImportRequest) (*Import, []Reject, error) {
	if len(req.Rows) == 0 || len(req.Rows) > MaxImportRows {
		return nil, nil, invalid("rows", "invalid_value", "expected 1 to %d rows", MaxImportRows)
	}
	key := v.importKey(by, req.ID)
	turn, err := v.importing.enter(key, req.From)
	if err != nil {
		return nil, nil, err
	}
	defer v.importing.leave(key, turn)
	asks := make([]CaptureRequest, 0, len(req.Rows))
	for i := range req.Rows {
		if c := req.Rows[i].Capture; c != nil {
			asks = append(asks, *c)
			asks[len(asks)-1].NoReceipts = true
		}
	}
	for attempt := range attempts {
		b, err := v.prepareBatch(ctx, by, asks, attempt)
		if err != nil {
			if errors.Is(err, errAgain) {
				continue
			}
			return nil, nil, v.refusal(err)
		}
		var now *Import
		var wrong []Reject
		err = v.importing.wait(ctx, key, turn, func() (uint64, error) { return v.importedRows(ctx, key) })
		if err == nil {
			err = b.commit(ctx, func(tx store.Tx) error {
				now, wrong, err = v.keepRows(tx, key, req, b)
				if err != nil {
					return err
				}
				return by.Once.keep(tx, ImportedRows{now, wrong})
			})
		} else {
			b.drop(ctx)
		}
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return nil, nil, v.refusal(err)
		}
		return now, wrong, nil
	}
	return nil, nil, unavailable("what is in force kept changing; try again")
}

// ImportedRows is the result of ImportRows, as a [Once] is told it.
type ImportedRows struct {
	Import  *Import
	Rejects []Reject
}

var errImportElsewhere = refuse(CodeWrongState, "these rows do not follow those that are imported; GET /v1/imports/{import} tells how far it is")

// keepRows moves the import on by the rows of a request.
func (v *Vault) keepRows(tx store.Tx, key [32]byte, req ImportRequest, b *batch) (*Import, []Reject, error) {
	now, err := v.importAt(tx, key)
	if err != nil {
		return nil, nil, err
	}
	if now == nil {
		now = &Import{ID: req.ID, Rows: req.Of, Began: b.now}
	}
	if now.Next != req.From || now.Rows != req.Of || req.Of-req.From < uint64(len(req.Rows)) {
		return nil, nil, errImportElsewhere
	}
	var wrong []Reject
	outcomes := b.outcomes
	for i, row := range req.Rows {
		n := req.From + uint64(i) + 1
		switch {
		case row.Wrong != nil:
			now.Rejected++
			wrong = append(wrong, rejects(n, row.Wrong)...)
		case row.Capture != nil:
			o := outcomes[0]
			outcomes = outcomes[1:]
			var refused *Error
			switch {
			case errors.As(o.Err, &refused):
				now.Rejected++
				wrong = append(wrong, rejects(n, refused)...)
			case o.Result.Created:
				now.Created++
			default:
				now.Known++
			}
		}
	}
	now.Next, now.Changed = req.From+uint64(len(req.Rows)), b.now
	if err := v.putImport(tx, key, now); err != nil {
		return nil, nil, err
	}
	if len(wrong) > 0 {
		err = v.putRejects(tx, key, req.From, wrong)
	}
	return now, wrong, err
}

// The records of imports, sealed with the vault's own key. They hold nobody:
//
//	imports          keyed hash of channel and import (32)                → 0x01 rows done with (8), envelope
//	imports/rejects  that hash (32) ‖ rows before those it is of (8)      → 0x01, envelope
const importFormat = 1

func (v *Vault) importKey(by Caller, id ImportID) [32]byte {
	return v.keyring().MAC("import", []byte(by.Client.Channel), id[:])
}

func (v *Vault) importAt(r store.Reader, key [32]byte) (*Import, error) {
	row, err := r.Get(bucketImports, key[:])
	if row == nil || err != nil {
		return nil, err
	}
	if len(row) < 9 || row[0] != importFormat {
		return nil, fmt.Errorf("reading how far an import is: %w", errIntegrity)
	}
	now := new(Import)
	if err := v.unsealOwn("import/"+hex.EncodeToString(key[:]), binary.BigEndian.Uint64(row[1:]), row[9:], now); err != nil {
		return nil, fmt.Errorf("opening how far an import is: %w", err)
	}
	return now, nil
}

func (v *Vault) putImport(tx store.Tx, key [32]byte, now *Import) error {
	sealed, err := v.sealOwn("import/"+hex.EncodeToString(key[:]), now.Next, now)
	if err != nil {
		return err
	}
	return tx.Put(bucketImports, key[:], append(binary.BigEndian.AppendUint64([]byte{importFormat}, now.Next), sealed...))
}

func rejectsKey(key [32]byte, from uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Clone(key[:]), from)
}

func (v *Vault) putRejects(tx store.Tx, key [32]byte, from uint64, wrong []Reject) error {
	sealed, err := v.sealOwn("rejects/"+hex.EncodeToString(key[:]), from, wrong)
	if err != nil {
		return err
	}
	return tx.Put(bucketImportRejects, rejectsKey(key, from), append([]byte{importFormat}, sealed...))
}

func (v *Vault) importedRows(ctx context.Context, key [32]byte) (next uint64, err error) {
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.importAt(s, key)
		if now != nil {
			next = now.Next
		}
		return err
	})
	return next, err
}

// Import tells how far an import of the channel is.
func (v *Vault) Import(ctx context.Context, by Caller, id ImportID) (*Import, error) {
	var now *Import
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		now, err = v.importAt(s, v.importKey(by, id))
		return err
	})
	if err == nil && now == nil {
		err = refuse(CodeNotFound, "no row of this import is done with")
	}
	if err != nil {
		return nil, v.refusal(err)
	}
	return now, nil
}

// MaxImportRows is how many rows may be imported at once.
const MaxImportRows = 10_000

// ImportRejects returns rejects of an import's rows behind one: those of as many
// rows as were sent at once, and behind which to ask for more; 0 for none.
func (v *Vault) ImportRejects(ctx context.Context, by Caller, id ImportID, behind uint64) (page []Reject, next uint64, err error) {
	key := v.importKey(by, id)
	err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		now, err := v.importAt(s, key)
		if err != nil {
			return err
		}
		if now == nil {
			return refuse(CodeNotFound, "no row of this import is done with")
		}
		first := rejectsKey(key, behind-min(behind, MaxImportRows))
		return s.Scan(bucketImportRejects, first, after(key[:]), func(k, row []byte) error {
			if len(page) > 0 {
				next = page[len(page)-1].Row
				return store.ErrStop
			}
			if len(k) != len(key)+8 || len(row) == 0 || row[0] != importFormat {
				return fmt.Errorf("reading the rejects of an import: %w", errIntegrity)
			}
			var some []Reject
			if err := v.unsealOwn("rejects/"+hex.EncodeToString(key[:]), binary.BigEndian.Uint64(k[len(key):]), row[1:], &some); err != nil {
				return fmt.Errorf("opening the rejects of an import: %w", err)
			}
			page = slices.DeleteFunc(some, func(r Reject) bool { return r.Row <= behind })
			return nil
		})
	})
	if err != nil {
		return nil, 0, v.refusal(err)
	}
	return page, next, nil
}

// CheckRows tells which rows would be rejected, as far as that can be told
// without looking anybody up, and keeps nothing.
func (v *Vault) CheckRows(ctx context.Context, by Caller, from uint64, rows []ImportRow) ([]Reject, error) {
	found := make([][]Reject, len(rows))
	b := &batch{v: v, by: by, captures: make([]*capture, len(rows)), outcomes: make([]CaptureOutcome, len(rows))}
	err := b.begin(ctx)
	if err == nil {
		err = v.side(ctx, len(rows), func(s store.Snapshot, i int) error {
			wrong := rows[i].Wrong
			if c := rows[i].Capture; c != nil {
				if err := b.check(s, i, *c); err != nil {
					return err
				}
				errors.As(b.outcomes[i].Err, &wrong)
			}
			if wrong != nil {
				found[i] = rejects(from+uint64(i)+1, wrong)
			}
			return nil
		})
	}
	if err != nil {
		return nil, v.refusal(err)
	}
	return slices.Concat(found...), nil
}

// importing lets the rows of one import be made ready beside each other, and
// committed in their order.
type importing struct {
	mu   sync.Mutex // guards rows
	rows map[[32]byte]*waiting
}

// waiting are the requests of one import, by where their rows begin.
type waiting struct {
	from    map[uint64]bool
	changed chan struct{} // closed and made anew when one comes or goes
}

// importPatience is how long rows wait for those before them if nobody has sent
// these yet.
const importPatience = 5 * time.Second

func (i *importing) enter(key [32]byte, from uint64) (uint64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.rows[key]
	if w == nil {
		w = &waiting{from: map[uint64]bool{}, changed: make(chan struct{})}
		if i.rows == nil {
			i.rows = map[[32]byte]*waiting{}
		}
		i.rows[key] = w
	}
	if w.from[from] {
		return 0, refuse(CodeInProgress, "these rows are being imported by another request")
	}
	w.from[from] = true
	w.tell()
	return from, nil
}

func (i *importing) leave(key [32]byte, from uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.rows[key]
	delete(w.from, from)
	w.tell()
	if len(w.from) == 0 {
		delete(i.rows, key)
	}
}

func (w *waiting) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait returns when the rows from this one on are next.
func (i *importing) wait(ctx context.Context, key [32]byte, from uint64, next func() (uint64, error)) error {
	patience := time.NewTimer(importPatience)
	defer patience.Stop()
	for {
		i.mu.Lock()
		w := i.rows[key]
		changed, before := w.changed, false
		for other := range w.from {
			before = before || other < from
		}
		i.mu.Unlock()
		now, err := next()
		if err != nil || now == from {
			return err
		}
		if now > from {
			return errImportElsewhere
		}
		if before { // however long they take
			patience.Reset(importPatience)
		}
		select {
		case <-changed:
		case <-patience.C:
			if !before {
				return errImportElsewhere
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
