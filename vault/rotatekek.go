package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// The KEK turns in five steps: the keyring gets the next KEK; keys.db says that
// nothing is wrapped under an older one from now on; all that is, is wrapped
// anew; the pages where it lay are cleared; the keyring loses the old KEK. That
// is last, and only after every row was seen to be under the new one: what it
// still wrapped would be lost.

// keys.db says under which KEK it is written, so that whoever wrapped a key just
// before the KEK turned wraps it again instead of storing it:
//
//	kek = 0x01 epoch(4)
const (
	bucketKEK store.Bucket = "kek"

	kekFormat = 1
	firstKEK  = 1 // what there is without a word
)

var keyKEK = []byte("epoch")

// keysEpoch returns the KEK epoch under which keys.db is written.
func keysEpoch(r store.Reader) (uint32, error) {
	said, err := r.Get(bucketKEK, keyKEK)
	switch {
	case err != nil:
		return 0, err
	case said == nil:
		return firstKEK, nil
	case len(said) != 1+4 || said[0] != kekFormat:
		return 0, fmt.Errorf("reading the epoch of keys.db: %w", errIntegrity)
	}
	return binary.BigEndian.Uint32(said[1:]), nil
}

// putKeys stores the wrapped keys of somebody new, under the KEK in use.
func (v *Vault) putKeys(tx store.Tx, p *person, row []byte) error {
	under, err := keysEpoch(tx)
	if err != nil {
		return err
	}
	ring := v.keyring()
	if under > ring.KEKEpoch() {
		return ErrOlderKeyring
	}
	if row, err = rewrapRow(p.ring, ring, p.id, row); err != nil {
		return err
	}
	return bucketDEKs.put(tx, p.at, row)
}

// rewrapRow returns a row of keys.db under a keyring's KEK: itself if it is. from
// opens it, and can be a keyring of before.
func rewrapRow(from, to *keys.Keyring, id privacy.SubjectID, row []byte) ([]byte, error) {
	d, err := unpackDEKs(row)
	if err != nil {
		return nil, fmt.Errorf("%w (of %s)", err, id)
	}
	if epoch, err := keys.WrappedUnder(d.wrapped); err == nil && epoch == to.KEKEpoch() {
		return row, nil
	}
	var both [2]*keys.DEK
	for i, kind := range []keys.DEKKind{keys.Values, keys.History} {
		if both[i], err = from.Unwrap(d.wrapped, id, kind); err != nil {
			return nil, fmt.Errorf("wrapping the %s key of %s anew: %w", kind, id, err)
		}
	}
	if d.wrapped, err = to.Wrap(id, both[0], both[1]); err != nil {
		return nil, fmt.Errorf("wrapping the keys of %s anew: %w", id, err)
	}
	return d.pack(), nil
}

func (r *rotation) turnKEK(ctx context.Context) error {
	v := r.v
	if ring := v.keyring(); ring.KEKEpoch() <= r.KEK.From {
		if err := r.swap(ring.WithNewKEK(v.cfg.Now())); err != nil {
			return err
		}
	}
	ring := v.keyring()
	r.KEK.To = ring.KEKEpoch()
	_, err := v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
		return tx.Put(bucketKEK, keyKEK, binary.BigEndian.AppendUint32([]byte{kekFormat}, r.KEK.To))
	})
	if err != nil {
		return err
	}
	if err := r.at("kek used"); err != nil {
		return err
	}
	for { // until nothing is left to do
		n, err := r.rewrap(ctx, ring)
		if err != nil {
			return err
		}
		r.report.Keys += n
		if n == 0 {
			break
		}
	}
	if err := r.at("keys wrapped"); err != nil {
		return err
	}
	if err := v.cfg.Keys.Scrub(ctx, func(done, of uint64) { r.progress("clearing", done, of) }); err != nil {
		return err
	}
	if err := r.at("keys cleared"); err != nil {
		return err
	}
	// Nobody sees a row from before any more, so nobody needs the old KEK.
	for _, epoch := range ring.KEKEpochs() {
		if epoch == r.KEK.To {
			break
		}
		if err := r.swap(v.keyring().DropKEK(epoch)); err != nil {
			return err
		}
	}
	r.KEK.Done = true
	return r.update(ctx, func(store.Tx) error { return nil })
}

// rewrap wraps every key that is under another KEK anew, and returns for how many
// people it did.
func (r *rotation) rewrap(ctx context.Context, ring *keys.Keyring) (changed uint64, err error) {
	v := r.v
	of, err := count(ctx, v.cfg.Keys, bucketDEKs.all())
	if err != nil {
		return 0, err
	}
	var done uint64
	err = pages(ctx, v.cfg.Keys, bucketDEKs.all(), func(rows []row) error {
		done += uint64(len(rows))
		r.progress("keys", min(done, of), of)
		anew, n := make([][]byte, len(rows)), uint64(0)
		for i, row := range rows {
			id, err := v.personAt(row.key)
			if err != nil {
				return fmt.Errorf("reading keys.db: %w", err)
			}
			next, err := rewrapRow(ring, ring, id, row.value)
			if err != nil {
				return err
			}
			if !bytes.Equal(next, row.value) {
				anew[i] = next
				n++
			}
		}
		if n == 0 {
			return nil
		}
		if err := r.at("page of keys"); err != nil {
			return err
		}
		changed += n
		_, err := v.cfg.Keys.Update(ctx, func(tx store.Tx) error {
			for i, row := range rows {
				now, err := bucketDEKs.get(tx, place{row.key})
				if err != nil {
					return err
				}
				if anew[i] == nil || !bytes.Equal(now, row.value) { // gone, or written since: the next pass looks
					continue
				}
				if err := bucketDEKs.put(tx, place{row.key}, anew[i]); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
	return changed, err
}
