package vault_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// diary keeps what the observer is told.
type diary struct {
	mu   sync.Mutex // guards seen
	seen []vault.Observation
}

func (d *diary) Observe(_ context.Context, o vault.Observation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, o)
}

// take returns what was told since the last time.
func (d *diary) take() []vault.Observation {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

// Anahita is read, masked, denied and refused: the observer is told each once,
// with purpose, codes and time, and never who she is.
func TestTheObserverIsToldOfEveryQuestion(t *testing.T) {
	var d diary
	v := vaulttest.New(t, &vaulttest.Options{Observer: &d, Register: vaulttest.Register +
		"matrix:\n  - {purpose: order-fulfilment, channel: store, field: family_name, as: mask}\n"})
	her := v.As("web").Capture(map[string]any{"given_name": "Anahita", "family_name": "Quintero", "phone_number": "+4930901820"})
	nobody := vaulttest.By("phone_number", "+4930901821")
	type story struct {
		what     string
		do       func()
		purpose  privacy.PurposeID
		outcome  vault.Outcome
		withheld []privacy.Code
		peek     bool
		reused   bool
	}
	read := func(channel privacy.ChannelID, purpose privacy.PurposeID, who vaulttest.Person, fields ...privacy.FieldName) func() {
		return func() { v.As(channel).For(purpose).Read(who, fields...) }
	}
	for _, s := range []story{
		{"a read", read("web", "order-fulfilment", her, "given_name"), "order-fulfilment", vault.Released, nil, false, false},
		{"the same again", read("web", "order-fulfilment", her, "given_name"), "order-fulfilment", vault.Released, nil, false, true},
		{"a masked one", read("store", "order-fulfilment", her, "given_name", "family_name"), "order-fulfilment", vault.Masked, nil, false, false},
		{"one that lists no such field", read("web", "order-fulfilment", her, "given_name", "birthdate"), "order-fulfilment", vault.Released,
			[]privacy.Code{privacy.CodeFieldNotInPurpose}, false, false},
		{"no say-so", read("sms", "sms-marketing", her, "phone_number"), "sms-marketing", vault.Denied, []privacy.Code{privacy.CodeNoConsent}, false, false},
		{"nobody", read("sms", "sms-marketing", nobody, "phone_number"), "sms-marketing", vault.Denied, []privacy.Code{privacy.CodeNoConsent}, false, false},
		{"not the channel's purpose", read("web", "sms-marketing", her), "sms-marketing", vault.Refused, nil, false, true},
		{"nobody's purpose", read("web", "anahita.quintero@example.org", her), "", vault.Refused, nil, false, true},
		{"only whether", func() { v.ConsentState(t.Context(), v.As("sms").Caller, her.ID, "sms-marketing") }, "sms-marketing", vault.Denied,
			[]privacy.Code{privacy.CodeNoConsent, privacy.CodeNoConsent}, true, false},
		{"what is missing", func() { v.Missing(t.Context(), v.As("web").Caller, her.ID, "order-fulfilment") }, "order-fulfilment", vault.Released, nil, true, false},
		{"a batch", func() {
			v.ReadBatch(t.Context(), v.As("web").Caller, []vault.ReadRequest{{Subject: her, Purpose: "order-fulfilment", Fields: []privacy.FieldName{"given_name"}}})
		}, "order-fulfilment", vault.Released, nil, false, true},
	} {
		d.take()
		before := time.Now()
		s.do()
		seen := d.take()
		if len(seen) != 1 {
			t.Errorf("%s: the observer was told %d times, want once", s.what, len(seen))
			continue
		}
		o := seen[0]
		var codes []privacy.Code
		for _, w := range o.Withheld {
			codes = append(codes, w.Code)
		}
		if o.Purpose != s.purpose || o.Outcome != s.outcome || o.Peek != s.peek || o.Reused != s.reused || o.Attempts != 1 || !reflect.DeepEqual(codes, s.withheld) {
			t.Errorf("%s: got %s for %q, codes %v, peek %v, reused %v, attempts %d; want %s for %q, %v, %v, %v, 1", s.what,
				o.Outcome, o.Purpose, codes, o.Peek, o.Reused, o.Attempts, s.outcome, s.purpose, s.withheld, s.peek, s.reused)
		}
		if s.outcome != vault.Refused {
			for stage := range vault.Stages {
				if o.Took[stage] <= 0 || o.Took[stage] > time.Since(before) {
					t.Errorf("%s: %s took %v of %v", s.what, stage, o.Took[stage], time.Since(before))
				}
			}
		}
		if text := fmt.Sprintf("%+v", o); strings.Contains(text, her.ID.String()) || strings.Contains(strings.ToLower(text), "anahita") ||
			strings.Contains(text, "Quintero") || strings.Contains(text, "901820") {
			t.Errorf("%s: the observer is told of a person: %s", s.what, text)
		}
	}
}

// fickle lets the state change under the first append of a read.
type fickle struct {
	store.LogEngine
	once sync.Once
	fail error
}

func (f *fickle) Append(ctx context.Context, entry []byte, on ...store.Condition) (uint64, error) {
	err := f.fail
	if err == store.ErrConflict {
		err = nil
		f.once.Do(func() { err = store.ErrConflict })
	}
	if err != nil {
		return 0, err
	}
	return f.LogEngine.Append(ctx, entry, on...)
}

// What was decided twice is one question; one that could not be recorded is a
// failure, which no code hides.
func TestTheObserverIsToldOfAttemptsAndFailures(t *testing.T) {
	var d diary
	var f *fickle
	v := vaulttest.New(t, &vaulttest.Options{Observer: &d, Store: func(s store.LogEngine) store.LogEngine { f = &fickle{LogEngine: s}; return f }})
	her := v.As("web").Capture(map[string]any{"given_name": "Anahita"})
	f.fail = store.ErrConflict
	v.As("web").For("order-fulfilment").Read(her, "given_name")
	if seen := d.take(); len(seen) != 1 || seen[0].Attempts != 2 || seen[0].Outcome != vault.Released {
		t.Errorf("state that changed meanwhile: got %+v, want one question of two attempts", seen)
	}
	f.fail = context.DeadlineExceeded
	v.As("web").For("order-fulfilment").Read(her, "given_name")
	f.fail = nil
	if seen := d.take(); len(seen) != 1 || seen[0].Outcome != vault.Failed {
		t.Errorf("no record: got %+v, want one failure", seen)
	}
}

// A vault tells its state in numbers.
func TestTheVaultInNumbers(t *testing.T) {
	v := vaulttest.New(t, nil)
	v.As("web").Capture(map[string]any{"given_name": "Anahita"})
	if _, err := v.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := v.Stats()
	if s.Records == 0 || s.Checkpoint > s.Records || s.KEKEpoch != 1 || s.IndexEpoch != 1 || s.Register != 1 || !s.Believed || len(s.Purposes) != 2 || s.Behind < 0 || s.Behind > time.Minute {
		t.Errorf("got %+v", s)
	}
}
