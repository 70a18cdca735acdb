package vault

import (
	"bytes"
	"testing"
	"time"
)

// An entry of the ledger reads as it was written, or not at all.
func FuzzLedgerEntry(f *testing.F) {
	at := time.UnixMicro(1_772_332_200_000_000).UTC()
	bare := ledgerEntry{Kind: ledgerWithdrawn, ID: [16]byte{1}, Written: at, At: at, Subject: [16]byte{2}, Purpose: [16]byte{3}, Size: 4, Tree: 5}
	noted := bare
	noted.Sealed = []byte("sealed")
	anew := bare
	anew.Kind = ledgerLogAnew
	for _, e := range []ledgerEntry{bare, noted, anew} {
		f.Add(e.marshal())
		f.Add(e.marshal()[1:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseLedgerEntry(b)
		if err != nil {
			return
		}
		if got := e.marshal(); !bytes.Equal(got, b) {
			t.Errorf("got %x, want %x", got, b)
		}
	})
}
