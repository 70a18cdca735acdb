package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// What can stand between a person's number and the sender of texts: a set of
// these.
const (
	noConsent = 1 << iota
	suspended
	ruledOut
	taken // the purpose was taken from the channel
)

// An act adds or removes one of them; a read says whether anything got through.
type act struct {
	read bool
	what uint8
	on   bool
}

// barrier is the model: what stands between, one read or act after the other.
var barrier = porcupine.Model{
	Init: func() any { return uint8(noConsent) },
	Step: func(state, input, output any) (bool, any) {
		s, in := state.(uint8), input.(act)
		switch {
		case in.read:
			return output.(bool) == (s == 0), s
		case in.on:
			return true, s | in.what
		}
		return true, s &^ in.what
	},
	DescribeOperation: func(input, output any) string {
		in := input.(act)
		if in.read {
			return fmt.Sprintf("read: %v", output)
		}
		return fmt.Sprintf("%04b %v", in.what, in.on)
	},
}

const hush = "package sayso.rules\nimport rego.v1\nwithhold contains {\"field\": f, \"reason\": \"hush\"} if {\n\tinput.channel.id == \"sms\"\n\tsome f in {\"given_name\", \"phone_number\"}\n}"

var withoutSMS = strings.Replace(vaulttest.Register, "{id: sms, kind: sms, purposes: [sms-marketing]}", "{id: sms, kind: sms, purposes: [order-fulfilment]}", 1)

// house is a vault in which all of these acts can be done.
type house struct {
	*vaulttest.Vault
	t    *testing.T
	shop vault.Caller
	hush string
}

func newHouse(t *testing.T) *house {
	h := &house{Vault: vaulttest.New(t, nil), t: t}
	h.shop = h.As("store").Caller
	draft, err := h.DraftPolicy(t.Context(), h.Officer, map[string]string{"hush.rego": hush}, "")
	if err != nil {
		t.Fatal(err)
	}
	h.hush = draft.ID
	return h
}

// do does an act, and again if it was told to try again. It reports whether it
// was done.
func (h *house) do(who vaulttest.Person, a act) (err error) {
	ctx := context.Background()
	for range 100 {
		switch a.what {
		case noConsent:
			status := privacy.StatusGiven
			if a.on {
				status = []privacy.ConsentStatus{privacy.StatusWithdrawn, privacy.StatusRefused, privacy.StatusObjected}[rand.IntN(3)]
			}
			_, err = h.RecordConsent(ctx, h.shop, vault.ConsentRequest{Subject: who, Purpose: "sms-marketing", Status: status, Method: "web_form"})
		case suspended:
			change := h.ResumeChannel
			if a.on {
				change = h.SuspendChannel
			}
			_, err = change(ctx, h.Officer, "sms")
		case ruledOut:
			id := vault.Guardrails
			if a.on {
				id = h.hush
			}
			if _, err = h.ActivatePolicy(ctx, h.Officer, id); err != nil {
				if set, _ := h.PolicyByID(ctx, h.Officer, id); set != nil && set.Status == vault.StatusActive {
					return nil // it is in force
				}
			}
		case taken:
			text := vaulttest.Register
			if a.on {
				text = withoutSMS
			}
			_, err = h.ApplyRegister(ctx, h.Officer, "register.yaml", []byte(text), nil, false)
		}
		var refused *vault.Error
		if !errors.As(err, &refused) || refused.Code != vault.CodeWrongState && refused.Code != vault.CodeUnavailable {
			return err
		}
	}
	return err
}

// read reads, by ID or by number, and reports whether anything got through;
// known is false if there was no answer.
func (h *house) read(who vaulttest.Person) (got, known bool) {
	sms, err := h.Caller("sms") // a suspension ends the tokens from before it
	if err != nil {
		return false, true
	}
	res, err := h.Read(context.Background(), sms, vault.ReadRequest{Subject: who, Purpose: "sms-marketing"})
	var refused *vault.Error
	switch {
	case err == nil && len(res.Fields) == 2:
		return true, true
	case errors.As(err, &refused) && refused.Code == vault.CodeUnavailable:
		return false, false
	case err == nil:
		h.t.Errorf("read: got %+v", res)
	}
	return false, true
}

// history lets readers, acts of the person and acts of officers run against each
// other, and returns what they saw.
func (h *house) history(who, byNumber vaulttest.Person, officers bool) []porcupine.Operation {
	var mu sync.Mutex
	var ops []porcupine.Operation
	began := time.Now()
	note := func(client int, call time.Duration, a act, out bool) {
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, porcupine.Operation{ClientId: client, Input: a, Output: out, Call: int64(call), Return: int64(time.Since(began))})
	}
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			for i := range 6 {
				ref := who
				if (reader+i)%2 == 0 {
					ref = byNumber
				}
				call := time.Since(began)
				if got, known := h.read(ref); known {
					note(reader, call, act{read: true}, got)
				}
			}
		})
	}
	acts := func(client, n int, kinds ...uint8) {
		for range n {
			a := act{what: kinds[rand.IntN(len(kinds))], on: rand.IntN(2) == 0}
			call := time.Since(began)
			if err := h.do(who, a); err != nil {
				h.t.Errorf("act %+v: %v", a, err)
				return
			}
			note(client, call, a, false)
		}
	}
	for client := range 2 {
		wg.Go(func() { acts(10+client, 3, noConsent) })
	}
	if officers {
		wg.Go(func() { acts(20, 2, suspended, ruledOut, taken) })
	}
	wg.Wait()
	return ops
}

// Reads, yeses and noes, suspensions, rules and registers, all at once: there
// is always an order, in keeping with what was answered when, in which no read
// lets out what was not to be let out, or keeps in what was. That is what makes
// a withdrawal a barrier.
func TestReadsAndNarrowingActsHaveAnOrder(t *testing.T) {
	h := newHouse(t)
	histories := 200
	if testing.Short() {
		histories = 40
	}
	released := 0
	for i := range histories {
		number := fmt.Sprintf("+4930%07d", 1000000+i)
		who := h.As("web").Capture(map[string]any{"given_name": "Anahita", "phone_number": number})
		officers := i%4 == 3
		ops := h.history(who, vaulttest.By("phone_number", number), officers)
		for _, op := range ops {
			if op.Input.(act).read && op.Output.(bool) {
				released++
			}
		}
		if porcupine.CheckOperations(barrier, ops) {
			if officers { // the next one begins with nothing in the way
				for _, what := range []uint8{suspended, ruledOut, taken} {
					if err := h.do(who, act{what: what}); err != nil {
						t.Fatal(err)
					}
				}
			}
			continue
		}
		slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		for _, op := range ops {
			t.Logf("%d: %8d to %8d  %s", op.ClientId, op.Call, op.Return, barrier.DescribeOperation(op.Input, op.Output))
		}
		t.Fatalf("history %d has no order in which every answer was right", i)
	}
	if released == 0 {
		t.Error("no read ever let anything out: the histories tell nothing")
	}
	h.barrierInTheLog()
}

// barrierInTheLog walks the log and holds every access record against what
// stood before it.
func (h *house) barrierInTheLog() {
	h.t.Helper()
	consents, system, accesses, acts := map[privacy.SubjectID]bool{}, uint8(0), 0, 0
	err := h.Store.Entries(h.t.Context(), 0, h.Store.Size(), func(index uint64, raw []byte) error {
		e, plain, err := h.OpenEntry(h.t.Context(), raw)
		if err != nil {
			return err
		}
		var r struct {
			Purpose  privacy.PurposeID
			Status   privacy.ConsentStatus
			Channel  privacy.ChannelID
			Client   string
			Act      string
			Policy   string
			Revision uint64
			Released []string
		}
		if err := json.Unmarshal(plain, &r); err != nil {
			return err
		}
		set := func(what uint8, on bool) {
			if system &^= what; on {
				system |= what
			}
		}
		switch e.Kind {
		case log.Consent:
			consents[e.Subject] = r.Status == privacy.StatusGiven
			acts++
		case log.Client:
			if r.Client == "sms" && (r.Act == "suspended" || r.Act == "resumed") {
				set(suspended, r.Act == "suspended")
				acts++
			}
		case log.Policy:
			if r.Act == "activated" {
				set(ruledOut, r.Policy == h.hush)
				acts++
			}
		case log.Register:
			set(taken, r.Revision%2 == 0) // the two registers take turns
			acts++
		case log.Access:
			accesses++
			allowed := consents[e.Subject] && system == 0
			if got := len(r.Released) > 0; got && !allowed {
				return fmt.Errorf("record %d released %v of %s after a no: consent %v, in the way %04b", index, r.Released, e.Subject, consents[e.Subject], system)
			}
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
	if accesses < 100 || acts < 100 {
		h.t.Errorf("the log tells of %d reads and %d acts: too few to tell anything", accesses, acts)
	}
}

// When a withdrawal was answered, nothing that begins after it lets anything
// out, from any channel – with many readers who never stop asking.
func TestAWithdrawalIsABarrier(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	channels := []*vaulttest.Channel{v.As("sms"), v.As("store")}
	v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	var round, before atomic.Int64 // an odd round is one of no say-so
	var wg sync.WaitGroup
	quit := make(chan struct{})
	for reader := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				began := round.Load()
				_, err := v.Read(context.Background(), channels[reader%2].Caller, vault.ReadRequest{Subject: ana, Purpose: "sms-marketing"})
				if err == nil && began%2 == 1 && round.Load() == began {
					t.Error("a read that began after the withdrawal was answered let her number out")
					return
				}
				if err == nil {
					before.Add(1)
				}
			}
		})
	}
	for range 20 {
		for n := before.Load(); before.Load() == n; {
			time.Sleep(100 * time.Microsecond)
		}
		v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
		round.Add(1)
		for size := v.Store.Size(); v.Store.Size() < size+16; { // let everybody read
			time.Sleep(100 * time.Microsecond)
		}
		round.Add(1)
		v.As("store").For("sms-marketing").Consent(ana, privacy.StatusGiven)
	}
	close(quit)
	wg.Wait()
}
