package vault_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// killer ends everything at one step of an erasure or of the turn of keys that
// follows it, as a crash would: from then on no step is done.
type killer struct {
	mu    sync.Mutex
	here  func(step string) bool // whether to end
	at    string
	steps []string // that were reached, each once
}

func kill(v *vaulttest.Vault, here func(step string) bool) *killer {
	k := &killer{here: here}
	v.OnErasure(k.step)
	v.OnRotation(k.step)
	return k
}

func (k *killer) step(step string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Contains(k.steps, step) {
		k.steps = append(k.steps, step)
	}
	if k.at == "" && !k.here(step) {
		return nil
	}
	if k.at == "" {
		k.at = step
	}
	return errKilled
}

func (k *killer) killed() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at
}

// eraseUntil has somebody erased, to the certificate or to where the killer
// comes. It reports whether it was asked for.
func eraseUntil(t *testing.T, v *vaulttest.Vault, k *killer, who vaulttest.Person) bool {
	t.Helper()
	ctx := context.Background()
	q, err := v.Erase(ctx, v.Officer, vault.EraseRequest{Subject: who, Reason: "They asked for it"})
	if err != nil {
		if k.killed() == "" {
			t.Fatal(err)
		}
		return false
	}
	for k.killed() == "" {
		if err := v.Completed(ctx, q.ID); err == nil {
			return true
		} else if !errors.Is(err, errKilled) {
			t.Fatalf("killed at %q: %v", k.killed(), err)
		}
	}
	return true
}

// reborn stops what was killed and brings it up again.
func reborn(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	v.Stop()
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
}

// requestsOf returns all requests, the oldest first.
func requestsOf(t *testing.T, v *vaulttest.Vault) []vault.Request {
	t.Helper()
	all, err := v.Requests(context.Background(), v.Officer, privacy.RequestID{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

// At whatever step an erasure, or the turn of keys after it, is killed: either it
// was never asked for, or it is done to its end, certificate and all, without
// anybody asking again.
func TestAKilledErasureIsFinishedByStartUp(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: lives})
	none := kill(v, func(string) bool { return false })
	eraseUntil(t, v, none, live(t, v, 1).who)
	v.Stop()
	for _, want := range []string{"to ask", "in the ledger", "asked", "step 1 done", "key to destroy", "key destroyed", "data to remove", "data removed",
		"person to forget", "step 3 done", "turn to begin", "keyring saved", "keys wrapped", "keys cleared", "rows made", "new index asked", "turned", "to certify"} {
		if !slices.Contains(none.steps, want) {
			t.Errorf("there is no step %q, only %q", want, none.steps)
		}
	}
	for _, at := range none.steps {
		v := vaulttest.New(t, &vaulttest.Options{Register: lives})
		ana, ben := live(t, v, 1), live(t, v, 2)
		k := kill(v, func(step string) bool { return step == at })
		eraseUntil(t, v, k, ana.who)
		reborn(t, v)
		if k.killed() != at && at != "turned" { // which another can complete before it is reached
			t.Fatalf("killed at %q, want %q", k.killed(), at)
		}
		all := requestsOf(t, v)
		if len(all) == 0 {
			if at != "to ask" {
				t.Errorf("killed at %q: there is no request", at)
			}
			v.As("web").For("order-fulfilment").Read(ana.who, "family_name").Denied("no_ground") // she is as she was
			all = append(all, *erase(t, v, ana.who))
		} else {
			ana.nobody(t, v)
		}
		if again := erase(t, v, ana.who); again.ID != all[0].ID {
			t.Errorf("killed at %q: asking again makes another request", at)
		}
		q := completed(t, v, all[0].ID)
		certified(t, v, q.Certificate)
		if len(requestsOf(t, v)) != 1 {
			t.Errorf("killed at %q: got %d requests, want one", at, len(requestsOf(t, v)))
		}
		ana.nobody(t, v)
		if _, err := v.VerifyLog(t.Context(), nil); err != nil {
			t.Errorf("killed at %q: verifying the log: %v", at, err)
		}
		v.As("web").For("order-fulfilment").Read(ben.who, "family_name").Denied("no_ground")
		if v.As("store").Capture(told("given_name", "Anahita's sister", "phone_number", "+49 30 901802")).ID != ben.who.ID {
			t.Errorf("killed at %q: Ben is not found any more", at)
		}
		v.Stop()
		ana.forgotten(t, v)
		if t.Failed() {
			t.Fatalf("killed at %q", at)
		}
	}
}

var erasureRounds = flag.Int("erasures", 25, "rounds of TestErasuresEndWhateverHappens")

// Anything happens: some are erased, some at once, some with a law or a hold in
// the way, and it is killed wherever it happens to be, often more than once. In
// the end everybody is what they should be.
func TestErasuresEndWhateverHappens(t *testing.T) {
	rounds := *erasureRounds
	if testing.Short() {
		rounds = 5
	}
	const people = 6
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	v := vaulttest.New(t, &vaulttest.Options{Register: lives})
	for round := range rounds {
		if round%40 == 0 && round > 0 { // a vault that grew would make it slow
			v.Stop()
			v = vaulttest.New(t, &vaulttest.Options{Register: lives})
		}
		var who []vaulttest.Person
		var erased, kept, held []bool
		for i := range people {
			name := fmt.Sprintf("r%d.%d", round, i)
			values := told("given_name", "Ana", "family_name", name, "email", name+"@example.org")
			kept = append(kept, r.IntN(3) == 0)
			ch := v.As("web")
			p := ch.Capture(values)
			if kept[i] {
				req := vaulttest.CaptureRequest(t, told("family_name", name))
				req.Subject = &p
				if _, err := v.Capture(t.Context(), v.As("books").Caller, req); err != nil {
					t.Fatal(err)
				}
			}
			held = append(held, r.IntN(4) == 0)
			if held[i] {
				if _, err := v.PlaceHold(t.Context(), v.Officer, vault.HoldRequest{Subject: p, Reason: "Claim"}); err != nil {
					t.Fatal(err)
				}
			}
			who, erased = append(who, p), append(erased, false)
		}
		for lives := 1 + r.IntN(3); lives > 0; lives-- {
			left := r.IntN(70)
			k := kill(v, func(string) bool { left--; return left < 0 })
			var wg sync.WaitGroup
			for i := range who {
				if r.IntN(2) == 0 {
					continue
				}
				wg.Go(func() {
					if _, err := v.Erase(context.Background(), v.Officer, vault.EraseRequest{Subject: who[i], Reason: "They asked for it"}); err != nil && k.killed() == "" {
						t.Errorf("seed %d, round %d: %v", seed, round, err)
					}
				})
			}
			wg.Wait()
			_ = v.Pursue(t.Context())
			reborn(t, v)
		}
		for i := range who {
			if r.IntN(4) > 0 || held[i] {
				erase(t, v, who[i])
				erased[i] = true
			}
			if held[i] {
				if v.As("web").For("order-fulfilment").Read(who[i], "given_name").Refused(vault.CodeUnknownSubject); !blocked(t, v, who[i]) {
					t.Errorf("seed %d, round %d: a hold did not block", seed, round)
				}
				if _, err := v.ReleaseHold(t.Context(), v.Officer, who[i].ID, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, q := range requestsOf(t, v) {
			if err := v.Forgotten(t.Context(), q.ID); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range who {
			read := v.As("web").For("order-fulfilment").Read(p, "given_name")
			books := v.As("books").For("invoices").Read(p, "family_name")
			name := told("family_name", fmt.Sprintf("r%d.%d", round, i))
			switch {
			case !erased[i] && read.Err == nil: // nobody asked, or not before it was killed
			case kept[i]:
				read.Refused(vault.CodeUnknownSubject)
				books.Released(name)
			default:
				read.Refused(vault.CodeUnknownSubject)
				books.Refused(vault.CodeUnknownSubject)
			}
		}
		if round%10 == 0 {
			if _, err := v.VerifyLog(t.Context(), nil); err != nil {
				t.Errorf("seed %d, round %d: verifying the log: %v", seed, round, err)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d, round %d", seed, round)
		}
	}
	for _, q := range requestsOf(t, v) {
		certified(t, v, completed(t, v, q.ID).Certificate)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("seed %d: verifying the log: %v", seed, err)
	}
}

func blocked(t *testing.T, v *vaulttest.Vault, who vaulttest.Person) bool {
	t.Helper()
	return slices.ContainsFunc(requestsOf(t, v), func(q vault.Request) bool {
		return q.Subject != nil && *q.Subject == who.ID && q.Status == vault.RequestBlocked && strings.Contains(q.Why, "hold")
	})
}
