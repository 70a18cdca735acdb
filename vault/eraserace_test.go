package vault_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Sixty-four ask about Ana without end, by ID and by e-mail, for her orders and for
// offers, when she is erased. Each gets all of what was asked, with a record that
// stands in the log before the record that she is to be erased, or gets nothing;
// and nobody who asked after her erasure was answered gets anything. It is the same
// where her invoices keep something of her.
func TestReadsRacingAnErasureAnswerInFullOrNotAtAll(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: lives})
	for round := range 6 {
		email := fmt.Sprintf("ana.%d@example.org", round)
		values := told("given_name", "Anahita", "family_name", "Quintero", "email", email)
		ana := v.As("web").Capture(values)
		if kept := round%2 == 1; kept {
			req := vaulttest.CaptureRequest(t, told("family_name", "Quintero"))
			req.Subject = &ana
			if _, err := v.Capture(t.Context(), v.As("books").Caller, req); err != nil {
				t.Fatal(err)
			}
		}
		v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
		race := &erasureRace{v: v, t: t, told: map[privacy.FieldName]string{"given_name": "Anahita", "family_name": "Quintero", "email": email}}
		race.run(ana)
		race.inOrder(ana.ID)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying the log: %v", err)
	}
}

// erasureRace is one erasure, and what readers got meanwhile.
type erasureRace struct {
	v    *vaulttest.Vault
	t    *testing.T
	told map[privacy.FieldName]string

	answered      atomic.Bool // her erasure was
	full, refused atomic.Int64

	mu      sync.Mutex // guards records
	records []record
}

// record is where a decision stands in the log.
type record struct {
	decision privacy.DecisionID
	index    uint64
}

// run lets readers read until her erasure was answered and each of them asked once
// more.
func (r *erasureRace) run(ana vaulttest.Person) {
	asks := []struct {
		by   vault.Caller
		what vault.ReadRequest
	}{
		{r.v.As("web").Caller, vault.ReadRequest{Subject: ana, Purpose: "order-fulfilment", Fields: []privacy.FieldName{"given_name", "family_name", "email"}}},
		{r.v.As("web").Caller, vault.ReadRequest{Subject: vaulttest.By("email", r.told["email"]), Purpose: "order-fulfilment", Fields: []privacy.FieldName{"family_name", "email"}}},
		{r.v.As("sms").Caller, vault.ReadRequest{Subject: ana, Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name"}}},
		{r.v.As("sms").Caller, vault.ReadRequest{Subject: vaulttest.By("email", r.told["email"]), Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name"}}},
	}
	const readers = 64
	var begun, over sync.WaitGroup
	begun.Add(readers)
	for n := range readers {
		over.Go(func() {
			ask := asks[n%len(asks)]
			for first := true; ; first = false {
				late := r.answered.Load()
				res, err := r.v.Read(context.Background(), ask.by, ask.what)
				if !r.took(&ask.what, res, err, late) || late {
					if first {
						begun.Done()
					}
					return
				}
				if first {
					begun.Done()
				}
			}
		})
	}
	begun.Wait() // everybody was answered once
	if _, err := r.v.Erase(context.Background(), r.v.Officer, vault.EraseRequest{Subject: ana, Reason: "She asked for it"}); err != nil {
		r.t.Errorf("erasing: %v", err)
	}
	r.answered.Store(true)
	over.Wait()
	if r.full.Load() < readers || r.refused.Load() < readers {
		r.t.Errorf("%d got all and %d nothing: too few to tell anything", r.full.Load(), r.refused.Load())
	}
}

// took takes an answer, and reports whether it was one that may be.
func (r *erasureRace) took(asked *vault.ReadRequest, res *vault.ReadResult, err error, late bool) bool {
	var denied *vault.DeniedError
	var refused *vault.Error
	switch {
	case errors.As(err, &denied), errors.As(err, &refused) && (refused.Code == vault.CodeUnknownSubject || refused.Code == vault.CodeUnavailable):
		r.refused.Add(1)
		return true
	case err != nil:
		r.t.Errorf("a read failed: %v", err)
		return false
	case late:
		r.t.Errorf("who asked after her erasure was answered got %d fields", len(res.Fields))
		return false
	case len(res.Fields) != len(asked.Fields):
		r.t.Errorf("somebody got %d of %d fields", len(res.Fields), len(asked.Fields))
		return false
	}
	for _, f := range res.Fields {
		if got := string(f.Value.Reveal()); got != fmt.Sprintf("%q", r.told[f.Field]) {
			r.t.Errorf("%s: got %s", f.Field, got)
			return false
		}
	}
	r.full.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record{res.Decision, res.LogIndex})
	return true
}

// inOrder looks in the log whether every answer's record stands where it was said
// to, before all that tells of the erasure.
func (r *erasureRace) inOrder(id privacy.SubjectID) {
	first, accesses := uint64(0), map[record]bool{}
	err := r.v.Store.Entries(r.t.Context(), 0, r.v.Store.Size(), func(index uint64, raw []byte) error {
		e, err := log.ParseEntry(raw)
		if err != nil || e.Subject != id {
			return err
		}
		switch {
		case e.Kind == log.Access:
			accesses[record{privacy.DecisionID(e.ID), index}] = true
		case e.Kind == log.Erasure && first == 0:
			first = index
		}
		return nil
	})
	if err != nil || first == 0 {
		r.t.Fatalf("reading the log: %v; the erasure stands at %d", err, first)
	}
	for _, rec := range r.records {
		if !accesses[rec] || rec.index > first {
			r.t.Errorf("%s was answered with record %d; she is to be erased since record %d, and that the log has it is %v", rec.decision, rec.index, first, accesses[rec])
		}
	}
}
