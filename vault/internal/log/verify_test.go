package log

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

func TestVerifyNamesTheFirstBadEntry(t *testing.T) {
	whole := newHouse(t, newMemory(), 3)
	entries := whole.happen(700)
	whole.settle()
	if r := whole.sound(); r.Entries != 700 || r.Hashed != 700 || r.Opened != 700 || r.Trails != 4 {
		t.Fatalf("report of a sound log: %+v", r)
	}
	set := func(m *memory, b store.Bucket, key, value []byte) { _ = memoryTx{m}.Put(b, key, value) }
	get := func(m *memory, b store.Bucket, key []byte) []byte { v, _ := memoryTx{m}.Get(b, key); return v }
	del := func(m *memory, b store.Bucket, key []byte) { _ = memoryTx{m}.Delete(b, key) }
	replace := func(h *house, at int, e Entry) { h.mem().log[at] = e.Marshal() }
	rowOf := func(e Entry, i uint64) row { return makeRow(e.ID, i, e.Kind) }
	cellOf := func(h *house, i int) []byte {
		block := get(h.mem(), cellBucket, cellKey(uint64(i)))
		return block[i%256*cellSize:][:cellSize]
	}
	rowBefore := func(upTo int) func(h *house) { // a person put back, consistently
		return func(h *house) {
			h.trail(entries[2].Subject, entries, upTo, nil)
			row := get(h.mem(), personBucket, entries[2].Subject[:])
			last := uint64(0)
			for i, e := range entries[:upTo] {
				if e.Subject == entries[2].Subject {
					last = uint64(i)
				}
			}
			set(h.mem(), personBucket, entries[2].Subject[:], makePerson(last, row[trailAt:]))
		}
	}
	person := entries[2].Subject // people[2]: entries 2, 6, 10, …

	for _, c := range []struct {
		name   string
		damage func(h *house)
		want   uint64
	}{
		{"flipped bit in an opening", func(h *house) { h.mem().log[301][headerSize+20] ^= 1 }, 301},
		{"flipped bit in a commitment", func(h *house) { h.mem().log[301][commitmentAt] ^= 1 }, 301},
		{"flipped bit in an identifier", func(h *house) { h.mem().log[301][idAt+9] ^= 1 }, 301},
		{"entry of another kind", func(h *house) { h.mem().log[301][kindAt] = byte(Lookup) }, 301},
		{"entry of no kind", func(h *house) { h.mem().log[301][kindAt] = 99 }, 301},
		{"swapped entries", func(h *house) {
			h.mem().log[40], h.mem().log[500] = h.mem().log[500], h.mem().log[40]
		}, 40},
		{"swapped entries of one person", func(h *house) {
			h.mem().log[42], h.mem().log[46] = h.mem().log[46], h.mem().log[42]
		}, 42},
		{"replayed entry", func(h *house) { h.mem().log[46] = h.mem().log[42] }, 46},
		{"record rewritten by who has the keys", func(h *house) {
			e := entries[46]
			e, err := New(h.deks[e.Subject], h.ring.VaultID(), e.Kind, e.Subject, e.ID, []byte("harmless"))
			if err != nil {
				t.Fatal(err)
			}
			replace(h, 46, e)
		}, 46},
		{"edited leaf tile", func(h *house) { get(h.mem(), tileBucket, tileKey(0, 1))[10*32+3] ^= 1 }, 266},
		{"edited partial tile", func(h *house) { get(h.mem(), tileBucket, tileKey(0, 2))[32] ^= 1 }, 513},
		{"edited upper tile", func(h *house) { get(h.mem(), tileBucket, tileKey(1, 0))[32] ^= 1 }, 256},
		{"missing tile", func(h *house) { del(h.mem(), tileBucket, tileKey(0, 1)) }, 256},
		{"short tile", func(h *house) {
			set(h.mem(), tileBucket, tileKey(0, 2), get(h.mem(), tileBucket, tileKey(0, 2))[:32*100])
		}, 612},
		{"missing row of an identifier", func(h *house) { r := rowOf(entries[333], 333); del(h.mem(), idBucket, r.key()) }, 333},
		{"row of another kind", func(h *house) {
			r := rowOf(entries[333], 333)
			set(h.mem(), idBucket, r.key(), []byte{byte(Consent)})
		}, 333},
		{"cell that leads to another person", func(h *house) { putCell(cellOf(h, 333), 328, entries[333].Kind) }, 333},
		{"cell that leaves one out", func(h *house) { putCell(cellOf(h, 333), 325, entries[333].Kind) }, 333},
		{"cell that leads to nothing", func(h *house) { putCell(cellOf(h, 333), none, entries[333].Kind) }, 333},
		{"cell of another kind", func(h *house) { cellOf(h, 333)[8] = byte(Consent) }, 333},
		{"missing cells", func(h *house) { del(h.mem(), cellBucket, cellKey(256)) }, 256},
		{"short block of cells", func(h *house) {
			set(h.mem(), cellBucket, cellKey(512), get(h.mem(), cellBucket, cellKey(512))[:cellSize*10])
		}, 522},
		{"missing row of a person", func(h *house) { del(h.mem(), personBucket, person[:]) }, 698},
		{"row of a person that is none", func(h *house) { set(h.mem(), personBucket, person[:], []byte{9}) }, 698},
		{"row of a person that leads to another's", func(h *house) {
			set(h.mem(), personBucket, person[:], get(h.mem(), personBucket, h.people[3][:]))
		}, 699},
		{"row of a person that leads behind the end", func(h *house) { set(h.mem(), personBucket, person[:], makePerson(9000, nil)) }, 9000},
		{"row of a person the log does not know", func(h *house) {
			s := privacy.NewSubjectID()
			set(h.mem(), personBucket, s[:], makePerson(77, nil))
		}, 77},
		{"person put back, row and trail", rowBefore(400), 402},
		{"person put back to a day before the last entry", rowBefore(698), 698},
		{"row too many of an identifier", func(h *house) {
			r := rowOf(entries[5], 444)
			set(h.mem(), idBucket, r.key(), r.value())
		}, 444},
		{"row behind the end", func(h *house) {
			r := rowOf(entries[5], 9000)
			set(h.mem(), idBucket, r.key(), r.value())
		}, 9000},
		{"cut log", func(h *house) { h.mem().durable = 650 }, 650},
		{"trail of another person", func(h *house) {
			h.setTrail(person, get(h.mem(), personBucket, h.people[1][:])[trailAt:])
		}, 2},
		{"trail put back to an older one", func(h *house) { h.trail(person, entries, 400, nil) }, 406},
		{"trail that knows of more", func(h *house) {
			h.trail(person, entries, 700, func(x *Trail) { x.next(701, &tlog.Hash{}) })
		}, 698},
		{"trail with another head", func(h *house) {
			h.trail(person, entries, 700, func(x *Trail) { x.Head[0] ^= 1 })
		}, 698},
		{"missing trail", func(h *house) { h.setTrail(person, nil) }, 2},
		{"key that is missing without an erasure", func(h *house) { h.deks[person] = nil }, 2},
		{"two damages", func(h *house) {
			h.mem().log[600][headerSize+20] ^= 1
			get(h.mem(), tileBucket, tileKey(0, 0))[32*9] ^= 1
		}, 9},
		{"two damages in one tile", func(h *house) {
			h.mem().log[90][headerSize+20] ^= 1
			r := rowOf(entries[80], 80)
			del(h.mem(), idBucket, r.key())
		}, 80},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := whole.clone(t)
			c.damage(h)
			_, err := h.verify()
			var bad *BadIndexError
			if !errors.As(err, &bad) || bad.Index != c.want {
				t.Fatalf("got %v, want entry %d named", err, c.want)
			}
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%v is no ErrDamaged", err)
			}
		})
	}
}

// trail seals a trail for a person as it was after so many entries, changed.
func (h *house) trail(s privacy.SubjectID, entries []Entry, upTo int, change func(*Trail)) {
	var x Trail
	for i, e := range entries[:upTo] {
		if e.Subject == s && e.Kind.Trailed() {
			leaf := leafHash(&e.Commitment)
			x.next(uint64(i), &leaf)
		}
	}
	if change != nil {
		change(&x)
	}
	sealed, err := x.seal(h.deks[s], h.ring.VaultID(), s)
	if err != nil {
		h.t.Fatal(err)
	}
	h.setTrail(s, sealed)
}

// setTrail puts another trail in a person's row.
func (h *house) setTrail(s privacy.SubjectID, sealed []byte) {
	row, _ := memoryTx{h.mem()}.Get(personBucket, s[:])
	last, _, err := parsePerson(row)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = memoryTx{h.mem()}.Put(personBucket, s[:], makePerson(last, sealed))
}

func TestALogRewrittenWholeIsFoundByItsCheckpoints(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	h.happen(300)
	h.settle()
	f := h.follow()
	held, err := f.Checkpoint(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	kept := h.mem().rows[stateBucket]

	// Somebody with the disk and all people's keys, but not the log key, leaves
	// out entry 100 and lets a follower of his own do the rest.
	forged := newHouse(t, newMemory(), 0)
	forged.people, forged.deks = h.people, h.deks
	log := append(append([][]byte{}, h.mem().log[:100]...), h.mem().log[101:]...)
	forged.mem().log, forged.mem().durable = log, 299
	vault := forged.ring
	forged.ring = h.ring
	f, err = Follow(forged.ctx, forged.config(vault.LogSigner()))
	if err != nil {
		t.Fatal(err)
	}
	forged.catchUp(f)
	_ = f.Close()

	if _, err := Verify(h.ctx, VerifyConfig{Store: forged.store, Vault: h.ring.VaultID(), VerifierKey: h.vkey, HistoryKey: h.historyKey}, nil); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("signed by another key: got %v, want ErrCheckpoint", err)
	}
	forged.mem().rows[stateBucket] = kept
	if _, err := Verify(h.ctx, VerifyConfig{Store: forged.store, Vault: h.ring.VaultID(), VerifierKey: h.vkey, HistoryKey: h.historyKey}, nil); err == nil {
		t.Error("the old checkpoint over another log verifies")
	}
	// With the log key too, only what is held outside tells.
	again := newHouse(t, newMemory(), 0)
	again.people, again.deks, again.ring, again.vkey = h.people, h.deks, h.ring, h.vkey
	again.mem().log, again.mem().durable = log, 299
	again.settle()
	again.sound()
	var bad *BadIndexError
	if _, err := again.verify(held); !errors.As(err, &bad) || bad.Index != 299 {
		t.Errorf("shorter than a checkpoint held outside: got %v, want entry 299 named", err)
	}
	again.happen(1)
	again.settle()
	if _, err := again.verify(held); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("as long as a checkpoint held outside: got %v, want ErrCheckpoint", err)
	}
	h.happen(5)
	h.settle()
	h.sound(held)
}

func TestVerifyHoldsTheVaultsStateAgainstTheLog(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	entries := h.happen(20)
	h.settle()
	var told []uint64
	_, err := Verify(h.ctx, VerifyConfig{
		Store: h.store, Vault: h.ring.VaultID(), VerifierKey: h.vkey, HistoryKey: h.historyKey,
		Each: func(index uint64, e Entry, o *Opening, _ bool) error {
			told = append(told, index)
			if e.ID != entries[index].ID || string(o.Record) != string(record(int(index))) {
				t.Errorf("entry %d: got another", index)
			}
			if index == 12 {
				return errors.New("standing has another version")
			}
			return nil
		},
	}, nil)
	var bad *BadIndexError
	if !errors.As(err, &bad) || bad.Index != 12 || fmt.Sprint(told) != "[0 1 2 3 4 5 6 7 8 9 10 11 12]" {
		t.Errorf("got %v after %v, want entry 12 named", err, told)
	}
}

func TestWhatIsNotHashedYetIsOpenedAndCounted(t *testing.T) {
	h := newHouse(t, newMemory(), 2)
	h.happen(20)
	h.settle()
	h.happen(300)
	if r := h.sound(); r.Entries != 320 || r.Hashed != 20 || r.Opened != 320 {
		t.Errorf("got %+v, want 320 entries, 20 of them hashed", r)
	}
	h.mem().log[310][headerSize+20] ^= 1
	var bad *BadIndexError
	if _, err := h.verify(); !errors.As(err, &bad) || bad.Index != 310 {
		t.Errorf("got %v, want entry 310 named", err)
	}
}

func TestALiveLogVerifies(t *testing.T) {
	h := newHouse(t, newMemory(), 4)
	h.happen(600)
	f := h.follow()
	h.catchUp(f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			h.happen(1)
		}
	}()
	for range 5 {
		h.sound()
	}
	<-done
	h.catchUp(f)
	h.sound()
}
