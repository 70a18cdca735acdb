package vault

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/store"
)

// When values were removed because their time was over, old copies of keys.db
// still open them until the KEK turns. The mark says since when that is wanted.
//
//	meta "swept" → 0x01 KEK epoch(4) time(8, µs)
type sweptMark struct {
	kek uint32
	at  time.Time // of the first removal since the last turn
}

const sweptFormat = 1

var keySwept = []byte("swept")

// sweptMark returns the mark, nil if nothing was removed yet.
func (v *Vault) sweptMark(r store.Reader) (*sweptMark, error) {
	row, err := r.Get(bucketMeta, keySwept)
	if row == nil || err != nil {
		return nil, err
	}
	if len(row) != 1+4+8 || row[0] != sweptFormat {
		return nil, fmt.Errorf("reading when values were removed: %w", errIntegrity)
	}
	return &sweptMark{kek: binary.BigEndian.Uint32(row[1:]), at: time.UnixMicro(int64(binary.BigEndian.Uint64(row[5:]))).UTC()}, nil
}

// markSwept notes that values keys were replaced.
func (v *Vault) markSwept(tx store.Tx) error {
	before, err := v.sweptMark(tx)
	if err != nil {
		return err
	}
	ring := v.keyring()
	now, _, _ := v.clock.now()
	mark := sweptMark{kek: ring.KEKEpoch(), at: now}
	if before != nil && ring.KEKEpochs()[0] <= before.kek { // it still waits
		mark.at = before.at
	}
	row := binary.BigEndian.AppendUint32([]byte{sweptFormat}, mark.kek)
	return tx.Put(bucketMeta, keySwept, binary.BigEndian.AppendUint64(row, uint64(mark.at.UnixMicro())))
}
