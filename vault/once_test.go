package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// named makes a request's caller one whose write has a key, answered with the
// result as JSON; or it tells what the vault said instead.
func named(t *testing.T, v *vaulttest.Vault, by vault.Caller, key, asked string) (vault.Caller, *vault.Once, *vault.Answer, error) {
	t.Helper()
	once, before, err := v.Once(t.Context(), by, vault.OnceRequest{Route: "POST /v1/writes", Key: key, Asked: [][]byte{[]byte(asked)}})
	if once != nil {
		by.Once = once.Answering(func(result any) (vault.Answer, error) {
			body, err := json.Marshal(result)
			return vault.Answer{Status: 201, Header: map[string]string{"Content-Type": "application/json"}, Body: body}, err
		})
	}
	return by, once, before, err
}

// entries counts the rows of a bucket.
func entries(t *testing.T, v *vaulttest.Vault, b store.Bucket) (all [][2]string) {
	t.Helper()
	err := v.Store.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan(b, nil, nil, func(k, value []byte) error {
			all = append(all, [2]string{string(k), string(value)})
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The shop's line drops after it sent what Anahita told: it asks again with the
// same key, before and after a restart, and finds what was done; she is one
// person with one record of it.
func TestAWriteWithAKeyHappensOnce(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	by, once, before, err := named(t, v, v.As("store").Caller, "key-1", "ask")
	if err != nil || before != nil {
		t.Fatalf("the first: got %v, %v", before, err)
	}
	if _, _, _, err := named(t, v, v.As("store").Caller, "key-1", "ask"); !errors.Is(err, &vault.Error{Code: vault.CodeInProgress}) {
		t.Errorf("while it runs: got %v, want %s", err, vault.CodeInProgress)
	}
	req := vaulttest.CaptureRequest(t, map[string]any{"given_name": "Anahita"})
	req.Consents = []vault.ConsentRequest{{Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "paper_form"}}
	done, err := v.Capture(t.Context(), by, req)
	if err != nil {
		t.Fatal(err)
	}
	if !once.Kept() {
		t.Error("the answer was not kept with the act")
	}
	once.Close()
	want, _ := json.Marshal(done)

	for _, when := range []string{"before", "after"} {
		by, again, before, err := named(t, v, v.As("store").Caller, "key-1", "ask")
		if err != nil || again != nil || by.Once != nil {
			t.Fatalf("%s a restart: got %v, %v", when, again, err)
		}
		if before.Status != 201 || before.Header["Content-Type"] != "application/json" || !bytes.Equal(before.Body, want) {
			t.Errorf("%s a restart: got %d %v %s, want what was answered", when, before.Status, before.Header, before.Body)
		}
		if when == "before" {
			restart(t, v)
		}
	}
	if _, _, _, err := named(t, v, v.As("store").Caller, "key-1", "another"); !errors.Is(err, &vault.Error{Code: vault.CodeKeyReused}) {
		t.Errorf("for another request: got %v, want %s", err, vault.CodeKeyReused)
	}
	for _, other := range []vault.Caller{v.As("web").Caller, v.Officer} {
		if _, once, before, err := named(t, v, other, "key-1", "ask"); err != nil || before != nil {
			t.Errorf("another client's key: got %v, %v", before, err)
		} else {
			once.Close()
		}
	}

	// What lies there says nothing, and leads from her to her answers.
	rows := entries(t, v, "answers")
	for _, row := range rows {
		for _, word := range []string{"key-1", "ask", done.Subject.String(), string(done.Subject[:]), done.Consents[0].Receipt[:20], "subject"} {
			if strings.Contains(row[0]+row[1], word) {
				t.Errorf("the answer lies there with %.12q in it", word)
			}
		}
	}
	if of := entries(t, v, "answers/of"); len(rows) != 1 || len(of) != 1 || of[0][0] != string(done.Subject[:])+rows[0][0] {
		t.Errorf("her answers: got %d rows, %d of hers", len(rows), len(of))
	}
	key := []byte(rows[0][0])
	putRow(t, v, "answers", key, append([]byte(rows[0][1][:20]), append([]byte{rows[0][1][20] ^ 1}, rows[0][1][21:]...)...))
	if _, _, before, err := named(t, v, v.As("store").Caller, "key-1", "ask"); before != nil || err == nil {
		t.Errorf("an answer somebody changed: got %v, %v, want it refused", before, err)
	}
}

// together is a store that notes which transactions kept an answer, and whether
// the same recorded an act.
type together struct {
	store.LogEngine

	mu   sync.Mutex // guards the rest
	full bool       // no transaction can be made
	kept []bool     // one for each that kept an answer: whether it recorded an act
}

func (w *together) Update(ctx context.Context, fn func(store.Tx) error) ([]uint64, error) {
	w.mu.Lock()
	full := w.full
	w.mu.Unlock()
	if full {
		return nil, errPulled
	}
	var seen *seenTx
	indexes, err := w.LogEngine.Update(ctx, func(tx store.Tx) error {
		seen = &seenTx{Tx: tx}
		return fn(seen)
	})
	if err == nil && seen.answer {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.kept = append(w.kept, seen.record)
	}
	return indexes, err
}

type seenTx struct {
	store.Tx
	answer, record bool
}

func (s *seenTx) Put(b store.Bucket, key, value []byte) error {
	s.answer = s.answer || b == "answers"
	return s.Tx.Put(b, key, value)
}

func (s *seenTx) Record(entry []byte) error {
	s.record = true
	return s.Tx.Record(entry)
}

// Either both are durable or neither is: the answer lies in the transaction of
// the act, and an act that fails leaves no answer.
func TestTheAnswerIsKeptWithTheAct(t *testing.T) {
	w := &together{}
	v := vaulttest.New(t, &vaulttest.Options{Store: func(e store.LogEngine) store.LogEngine { w.LogEngine = e; return w }})
	ana := v.As("web").Capture(anahita)
	draft, err := v.DraftPolicy(t.Context(), v.Officer, map[string]string{"a.rego": "package sayso.rules\n"}, "")
	if err != nil {
		t.Fatal(err)
	}
	acts := map[string]struct {
		by vault.Caller
		do func(vault.Caller) error
	}{
		"capture": {v.As("web").Caller, func(by vault.Caller) error {
			_, err := v.Capture(t.Context(), by, vaulttest.CaptureRequest(t, map[string]any{"given_name": "Bo"}))
			return err
		}},
		"captures": {v.As("web").Caller, func(by vault.Caller) error {
			_, err := v.CaptureBatch(t.Context(), by, []vault.CaptureRequest{vaulttest.CaptureRequest(t, map[string]any{"given_name": "Bo"})})
			return err
		}},
		"consent": {v.As("sms").Caller, func(by vault.Caller) error {
			_, err := v.RecordConsent(t.Context(), by, vault.ConsentRequest{Subject: ana, Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "stop"})
			return err
		}},
		"consent of nobody": {v.As("sms").Caller, func(by vault.Caller) error {
			_, err := v.RecordConsent(t.Context(), by, vault.ConsentRequest{Subject: vaulttest.ID(privacy.NewSubjectID()), Purpose: "sms-marketing", Status: privacy.StatusRefused, Method: "stop"})
			return err
		}},
		"ground": {v.As("web").Caller, func(by vault.Caller) error {
			return v.RecordGround(t.Context(), by, vault.GroundRequest{Subject: ana, Purpose: "order-fulfilment", Status: vault.GroundEnded})
		}},
		"draft": {v.Officer, func(by vault.Caller) error {
			_, err := v.DraftPolicy(t.Context(), by, map[string]string{"a.rego": "package sayso.rules\n"}, "")
			return err
		}},
		"activate": {v.Officer, func(by vault.Caller) error {
			_, err := v.ActivatePolicy(t.Context(), by, draft.ID)
			return err
		}},
		"register": {v.Officer, func(by vault.Caller) error {
			text := strings.Replace(vaulttest.Register, "Northgate", "Northgate "+privacy.NewSubjectID().String(), 1)
			_, err := v.ApplyRegister(t.Context(), by, "register.yaml", []byte(text), nil, false)
			return err
		}},
		"suspend": {v.Officer, func(by vault.Caller) error {
			_, err := v.SuspendChannel(t.Context(), by, "store")
			return err
		}},
		"resume": {v.Officer, func(by vault.Caller) error {
			_, err := v.ResumeChannel(t.Context(), by, "store")
			return err
		}},
		"clock": {v.Officer, func(by vault.Caller) error { return v.ConfirmClock(t.Context(), by) }},
	}
	fill := func(full bool) (kept []bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		kept, w.full, w.kept = w.kept, full, nil
		return kept
	}
	for what, act := range acts {
		by, once, _, err := named(t, v, act.by, what, "ask")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		err = act.do(by)
		once.Close()
		if kept := fill(false); err != nil || !slices.Equal(kept, []bool{true}) {
			t.Errorf("%s with a key: got %v, answers kept with an act %v, want one", what, err, kept)
		}
		if _, _, before, err := named(t, v, act.by, what, "ask"); err != nil || before == nil {
			t.Errorf("%s again: got %v, %v, want its answer", what, before, err)
		}

		// It fails: no answer, and the key is free for another try.
		by, once, _, err = named(t, v, act.by, what+" fails", "ask")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		fill(true)
		if err := act.do(by); err == nil {
			t.Errorf("%s on a full disk: got no error", what)
		}
		fill(false)
		once.Close()
		if _, once, before, err := named(t, v, act.by, what+" fails", "ask"); err != nil || before != nil {
			t.Errorf("%s after it failed: got %v, %v, want it free", what, before, err)
		} else {
			once.Close()
		}
	}
}

// A secret is shown once: a repeat learns that it was done, and the secret lies
// nowhere.
func TestASecretIsNotKeptForRepeats(t *testing.T) {
	v := vaulttest.New(t, nil)
	for what, do := range map[string]func(vault.Caller) string{
		"secret": func(by vault.Caller) string {
			c, err := v.NewSecret(t.Context(), by, "web")
			if err != nil {
				t.Fatal(err)
			}
			return c.ClientSecret
		},
		"register": func(by vault.Caller) string {
			a, err := v.ApplyRegister(t.Context(), by, "register.yaml", []byte(vaulttest.Register+"  - {id: app, kind: app, purposes: [order-fulfilment]}\n"), nil, false)
			if err != nil || len(a.Channels) != 1 {
				t.Fatal(a, err)
			}
			return a.Channels[0].ClientSecret
		},
	} {
		by, once, _, err := named(t, v, v.Officer, what, "ask")
		if err != nil {
			t.Fatal(err)
		}
		secret := do(by)
		once.Close()
		if _, _, before, err := named(t, v, v.Officer, what, "ask"); before != nil || !errors.Is(err, &vault.Error{Code: vault.CodeAlreadyDone}) {
			t.Errorf("%s again: got %v, %v, want %s", what, before, err, vault.CodeAlreadyDone)
		}
		if secret == "" {
			t.Error("no secret was shown")
		}
	}
	for _, row := range entries(t, v, "answers") {
		if len(row[1]) > 200 {
			t.Errorf("an answer of %d bytes is kept, want no more than that there was one", len(row[1]))
		}
	}
}

// An answer that was not of an act is kept by itself; after a day its key is
// free, and what is over is removed, some at a time.
func TestAnswersEndAfterADay(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Now: march})
	const most = 256
	keep := func(key string) {
		t.Helper()
		_, once, before, err := named(t, v, v.As("web").Caller, key, "ask")
		if err != nil || before != nil {
			t.Fatalf("%s: got %v, %v", key, before, err)
		}
		defer once.Close()
		if err := once.Keep(t.Context(), vault.Answer{Status: 422, Body: []byte("no")}); err != nil {
			t.Fatal(err)
		}
	}
	ana := v.As("web").Capture(anahita)
	by, once, _, err := named(t, v, v.As("web").Caller, "an act", "ask")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.RecordGround(t.Context(), by, vault.GroundRequest{Subject: ana, Purpose: "order-fulfilment", Status: vault.GroundBegun}); err != nil {
		t.Fatal(err)
	}
	if err := once.Keep(t.Context(), vault.Answer{Status: 500}); err != nil { // it has its answer
		t.Error(err)
	}
	once.Close()
	for i := range most {
		keep(privacy.NewSubjectID().String() + string(rune('a'+i%26)))
	}
	keep("renewed")
	if _, _, before, err := named(t, v, v.As("web").Caller, "an act", "ask"); err != nil || before == nil || before.Status != 201 {
		t.Errorf("the act's answer: got %v, %v", before, err)
	}

	v.Tick(24 * time.Hour)
	keep("renewed") // its time was over, and begins again
	for _, want := range []struct {
		more bool
		left int
	}{{true, 2}, {false, 1}, {false, 1}} {
		more, err := v.SweepAnswers(t.Context())
		if err != nil || more != want.more {
			t.Fatalf("swept: got %v, %v, want %v", more, err, want.more)
		}
		if answers, at := entries(t, v, "answers"), entries(t, v, "answers/at"); len(answers) != want.left || len(at) != want.left {
			t.Errorf("left: got %d answers, %d times, want %d", len(answers), len(at), want.left)
		}
	}
	if of := entries(t, v, "answers/of"); len(of) != 0 {
		t.Errorf("%d rows still lead to answers", len(of))
	}
	if _, _, before, err := named(t, v, v.As("web").Caller, "renewed", "ask"); err != nil || before == nil || before.Status != 422 {
		t.Errorf("what was renewed: got %v, %v", before, err)
	}
}
