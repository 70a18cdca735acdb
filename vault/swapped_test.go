package vault_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// two is a vault with Anahita and Ben in it, both captured by the web shop and
// with a yes to text messages.
func two(t *testing.T) (v *vaulttest.Vault, ana, ben vaulttest.Person) {
	t.Helper()
	v = vaulttest.New(t, nil)
	ana = v.As("web").Capture(anahita)
	ben = v.As("web").Capture(map[string]any{"given_name": "Ben", "family_name": "Tran", "email": "ben@example.org", "phone_number": "+49 30 7654321"})
	for _, who := range []vaulttest.Person{ana, ben} {
		v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
	}
	return v, ana, ben
}

// edit changes a row, and puts it back when the test of it is over.
func edit(t *testing.T, v *vaulttest.Vault, b store.Bucket, key []byte, change func([]byte) []byte) {
	t.Helper()
	row := getRow(t, v, b, key)
	putRow(t, v, b, key, change(bytes.Clone(row)))
	t.Cleanup(func() { putRow(t, v, b, key, row) })
}

func flip(row []byte) []byte {
	row[len(row)/2] ^= 0x10
	return row
}

// place is where in a person's profile a field lies: where their standing names
// it.
func place(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, field privacy.FieldName) int {
	t.Helper()
	s, err := v.StandingOf(t.Context(), who.ID)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(s.Values, func(v consent.Value) bool { return v.Field == field })
	if at < 0 {
		t.Fatalf("no %s", field)
	}
	return at
}

// profile changes one envelope of a profile record.
func profile(t *testing.T, row []byte, at int, change func(envelope []byte) []byte) []byte {
	t.Helper()
	return repacked(t, row, func(envelopes [][]byte) [][]byte { envelopes[at] = change(envelopes[at]); return envelopes })
}

func repacked(t *testing.T, row []byte, change func(envelopes [][]byte) [][]byte) []byte {
	t.Helper()
	envelopes, err := vault.UnpackProfile(row)
	if err != nil {
		t.Fatal(err)
	}
	if row, err = vault.PackProfile(change(envelopes)); err != nil {
		t.Fatal(err)
	}
	return row
}

func valueIn(t *testing.T, v *vaulttest.Vault, who vaulttest.Person, field privacy.FieldName) []byte {
	t.Helper()
	envelopes, err := vault.UnpackProfile(getRow(t, v, "profiles", who.ID[:]))
	if err != nil {
		t.Fatal(err)
	}
	return envelopes[place(t, v, who, field)]
}

// Whoever can write the files of the vault can destroy what is in it, but not
// make it say anything: a value that was swapped, replayed or edited is refused
// and never served.
func TestAValueThatWasSwappedReplayedOrEditedIsNeverServed(t *testing.T) {
	v, ana, ben := two(t)
	old, before := valueIn(t, v, ana, "given_name"), getRow(t, v, "profiles", ana.ID[:])
	res := v.As("web").CaptureResult(map[string]any{"given_name": "Ana", "email": "ana.quintero@example.org"})
	if res.Subject != ana.ID {
		t.Fatal("captured somebody else")
	}
	name := place(t, v, ana, "given_name")
	for story, change := range map[string]func(row []byte) []byte{
		"of somebody else": func(row []byte) []byte {
			return profile(t, row, name, func([]byte) []byte { return valueIn(t, v, ben, "given_name") })
		},
		"of another field": func(row []byte) []byte {
			return profile(t, row, name, func([]byte) []byte { return valueIn(t, v, ana, "family_name") })
		},
		"an old one":    func(row []byte) []byte { return profile(t, row, name, func([]byte) []byte { return old }) },
		"edited":        func(row []byte) []byte { return profile(t, row, name, flip) },
		"cut":           func(row []byte) []byte { return profile(t, row, name, func(e []byte) []byte { return e[:30] }) },
		"all of before": func([]byte) []byte { return before },
		"one less": func(row []byte) []byte {
			return repacked(t, row, func(all [][]byte) [][]byte { return slices.Delete(all, name, name+1) })
		},
		"one twice": func(row []byte) []byte {
			return repacked(t, row, func(all [][]byte) [][]byte { return append(all, all[name]) })
		},
		"two that changed places": func(row []byte) []byte {
			return repacked(t, row, func(all [][]byte) [][]byte {
				other := (name + 1) % len(all)
				all[name], all[other] = all[other], all[name]
				return all
			})
		},
		"the whole profile of somebody": func([]byte) []byte { return getRow(t, v, "profiles", ben.ID[:]) },
		"half a profile":                func(row []byte) []byte { return row[:len(row)/2] },
		"an empty profile":              func(row []byte) []byte { return repacked(t, row, func([][]byte) [][]byte { return nil }) },
		"no profile":                    func([]byte) []byte { return nil },
		"a profile of another format":   func(row []byte) []byte { row[0]++; return row },
	} {
		t.Run(story, func(t *testing.T) {
			edit(t, v, "profiles", ana.ID[:], change)
			v.As("web").For("order-fulfilment").Read(ana, "given_name").Refused(vault.CodeUnavailable)
			v.As("web").For("order-fulfilment").Read(vaulttest.By("email", "ana.quintero@example.org"), "given_name", "email").Refused(vault.CodeUnavailable)
			v.As("web").For("order-fulfilment").Read(ben, "given_name").Released(told("given_name", "Ben"))
			// Nor is it taken up by the next capture as if it had been told.
			req := vaulttest.CaptureRequest(t, told("family_name", "Q.", "email", "ana.quintero@example.org"))
			_, err := v.Capture(t.Context(), v.As("web").Caller, req)
			refusedWith(t, err, vault.CodeUnavailable)
		})
	}
	v.As("web").For("order-fulfilment").Read(ana, "given_name").Released(told("given_name", "Ana"))
}

// The same for standings, keys, the index, what is in force and what was in
// force. Each is refused; whatever is missing means no.
func TestARecordThatWasSwappedOrEditedIsNeverBelieved(t *testing.T) {
	v, ana, ben := two(t)
	sms := v.As("sms").For("sms-marketing")
	read := func(want string) func(t *testing.T) {
		return func(t *testing.T) {
			for _, who := range []vaulttest.Person{ana, vaulttest.By("phone_number", "+49 30 901820"), vaulttest.By("phone_number", "+4930 7654321")} {
				o := sms.Read(who, "given_name")
				var refused *vault.Error
				var denied *vault.DeniedError
				switch {
				case errors.As(o.Err, &refused) && refused.Code == want, errors.As(o.Err, &denied) && want == "denied":
				case who.ID != ana.ID && strings.HasSuffix(string(who.Value.Reveal()), `7654321"`) && o.Err == nil: // Ben's own
					o.Released(told("given_name", "Ben"))
				case o.Err == nil && strings.HasPrefix(want, "by number: ") && who.ID == ana.ID:
					o.Released(told("given_name", "Anahita"))
				case errors.As(o.Err, &refused) && want == "by number: "+refused.Code, errors.As(o.Err, &denied) && want == "by number: denied":
				default:
					t.Errorf("got %+v, %v, want %s", o.Result, o.Err, want)
				}
			}
		}
	}
	standing := func(id privacy.SubjectID) []byte { return getRow(t, v, "standing", id[:]) }
	index := map[string][]byte{} // phone rows, by person
	all := rows(t, v)
	for key, value := range all {
		if b, k, _ := strings.Cut(key, "/"); b == "index" {
			id, err := v.PersonAt([]byte(k[16:]))
			if err != nil {
				t.Fatal(err)
			}
			index[k[:16]+string(id[:])] = []byte(value)
		}
	}
	keyOf := func(who vaulttest.Person) (phone []byte) {
		s, err := v.StandingOf(t.Context(), who.ID)
		if err != nil {
			t.Fatal(err)
		}
		i := s.Value("phone_number").Index
		return append(i[:], who.ID[:]...)
	}
	anaKey, benKey := keyOf(ana), keyOf(ben)
	for _, c := range []struct {
		story  string
		bucket store.Bucket
		key    []byte
		change func([]byte) []byte
		want   string
	}{
		{"the standing of somebody else", "standing", ana.ID[:], func([]byte) []byte { return standing(ben.ID) }, vault.CodeUnavailable},
		{"an edited standing", "standing", ana.ID[:], flip, vault.CodeUnavailable},
		{"a standing with another number", "standing", ana.ID[:], func(row []byte) []byte { row[0]++; return row }, vault.CodeUnavailable},
		{"an empty standing", "standing", ana.ID[:], func([]byte) []byte { return []byte{} }, vault.CodeUnavailable},
		{"the vault's own standing", "standing", ana.ID[:], func([]byte) []byte { return standing(privacy.Nobody) }, vault.CodeUnavailable},
		{"no standing", "standing", ana.ID[:], func([]byte) []byte { return nil }, "denied"},
		{"the keys of somebody else", "deks", ana.ID[:], func([]byte) []byte { return getRow(t, v, "deks", ben.ID[:]) }, vault.CodeUnavailable},
		{"edited keys", "deks", ana.ID[:], flip, vault.CodeUnavailable},
		{"keys in another order", "deks", ana.ID[:], func(row []byte) []byte {
			return slices.Concat(row[:18], row[66:], row[18:66])
		}, vault.CodeUnavailable},
		{"no keys", "deks", ana.ID[:], func([]byte) []byte { return nil }, vault.CodeUnavailable},
		{"an edited row of the index", "index", anaKey, flip, "by number: unavailable"},
		{"a row of the index copied from somebody else's", "index", anaKey, func([]byte) []byte { return index[string(benKey)] }, "by number: unavailable"},
		{"no row of the index", "index", anaKey, func([]byte) []byte { return nil }, "by number: denied"},
		{"what is in force, edited", "governance", []byte("current"), flip, vault.CodeUnavailable},
		{"what is in force, with another number", "governance", []byte("current"), func(row []byte) []byte { row[0]++; return row }, vault.CodeUnavailable},
		{"what is in force, gone", "governance", []byte("current"), func([]byte) []byte { return nil }, vault.CodeUnavailable},
	} {
		t.Run(c.story, func(t *testing.T) {
			if c.bucket == "governance" { // there is no telling who calls, either
				caller := v.As("sms")
				edit(t, v, c.bucket, c.key, c.change)
				if _, err := v.Read(t.Context(), caller.Caller, vault.ReadRequest{Subject: ana, Purpose: "sms-marketing"}); !errors.Is(err, &vault.Error{Code: c.want}) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			edit(t, v, c.bucket, c.key, c.change)
			read(c.want)(t)
		})
	}

	// A row of the index that was made up finds nobody: Mallory's e-mail does not
	// lead to Anahita.
	mallory := v.As("web").Capture(map[string]any{"given_name": "Mallory", "phone_number": "+49 30 1111111"})
	key := append(bytes.Clone(keyOf(mallory)[:16]), ana.ID[:]...)
	for _, proof := range [][]byte{index[string(anaKey)], getRow(t, v, "index", keyOf(mallory))} {
		putRow(t, v, "index", key, proof)
		sms.Read(vaulttest.By("phone_number", "+49 30 1111111")).Refused(vault.CodeUnavailable)
	}
	putRow(t, v, "index", key, nil)
	sms.Read(ana, "given_name").Released(told("given_name", "Anahita"))
}

// A register or a rule set that was edited is not put in force by a restart,
// and neither is one of another number.
func TestARegisterThatWasEditedIsNotServed(t *testing.T) {
	v, _, _ := two(t)
	v.Apply(strings.Replace(vaulttest.Register, "purposes: [order-fulfilment, sms-marketing]", "purposes: [order-fulfilment]", 1))
	active := v.Activate("package sayso.rules\nimport rego.v1\nwithhold contains {\"field\": \"email\", \"reason\": \"hush\"} if input.channel.id == \"web\"")
	first, second := bytes.Repeat([]byte{0}, 8), bytes.Repeat([]byte{0}, 8)
	first[7], second[7] = 1, 2
	for _, c := range []struct {
		story  string
		bucket store.Bucket
		key    []byte
		change func([]byte) []byte
	}{
		{"the revision before it", "registers", second, func([]byte) []byte { return getRow(t, v, "registers", first) }},
		{"edited", "registers", second, flip},
		{"gone", "registers", second, func([]byte) []byte { return nil }},
		{"rules edited", "policies", []byte(active.ID), flip},
		{"rules gone", "policies", []byte(active.ID), func([]byte) []byte { return nil }},
	} {
		t.Run(c.story, func(t *testing.T) {
			row := getRow(t, v, c.bucket, c.key)
			putRow(t, v, c.bucket, c.key, c.change(bytes.Clone(row)))
			v.Stop()
			if err := v.Reopen(); err == nil {
				t.Error("opened: want it refused")
				v.Stop()
			}
			v.Mend(func(data store.LogEngine, _ store.Engine) error {
				_, err := data.Update(t.Context(), func(tx store.Tx) error { return tx.Put(c.bucket, c.key, row) })
				return err
			})
			if err := v.Reopen(); err != nil {
				t.Fatalf("mended: %v", err)
			}
		})
	}
}

// One person who was put back whole – standing, values and all – is not told
// from how they were by a read, but by log verify, which names the record that
// their standing is not of.
func TestAPersonWhoWasPutBackIsFoundByLogVerify(t *testing.T) {
	v, ana, ben := two(t)
	standing, values := getRow(t, v, "standing", ana.ID[:]), getRow(t, v, "profiles", ana.ID[:])
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatalf("verifying: %v", err)
	}
	withdrawn := v.Store.Size()
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	v.As("sms").For("sms-marketing").Consent(ben, privacy.StatusWithdrawn)
	putRow(t, v, "standing", ana.ID[:], standing)
	putRow(t, v, "profiles", ana.ID[:], values)
	_, err := v.VerifyLog(t.Context(), nil)
	var bad *log.BadIndexError
	if !errors.As(err, &bad) || bad.Index != withdrawn {
		t.Errorf("verifying: got %v, want the withdrawal's record %d named", err, withdrawn)
	}
	// So is one who is gone.
	putRow(t, v, "standing", ana.ID[:], nil)
	if _, err = v.VerifyLog(t.Context(), nil); !errors.As(err, &bad) || bad.Index != withdrawn {
		t.Errorf("verifying without her: got %v, want record %d named", err, withdrawn)
	}
}

// It stays found when the person acts again: the log tells that their standing
// was made twice.
func TestAPersonWhoWasPutBackIsFoundAfterTheyActAgain(t *testing.T) {
	v, ana, _ := two(t)
	standing := getRow(t, v, "standing", ana.ID[:])
	v.As("sms").For("sms-marketing").Consent(ana, privacy.StatusWithdrawn)
	putRow(t, v, "standing", ana.ID[:], standing)
	again := v.Store.Size()
	v.As("web").For("order-fulfilment").Ground(ana, vault.GroundEnded)
	_, err := v.VerifyLog(t.Context(), nil)
	var bad *log.BadIndexError
	if !errors.As(err, &bad) || bad.Index != again {
		t.Errorf("verifying: got %v, want record %d named", err, again)
	}
}

// What is in force can be put back too: a channel that was suspended, a rule
// that withheld. Log verify tells.
func TestWhatIsInForceThatWasPutBackIsFoundByLogVerify(t *testing.T) {
	v, _, _ := two(t)
	before := getRow(t, v, "governance", []byte("current"))
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatalf("verifying: %v", err)
	}
	suspended := v.Store.Size()
	if _, err := v.SuspendChannel(t.Context(), v.Officer, "sms"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatalf("verifying: %v", err)
	}
	putRow(t, v, "governance", []byte("current"), before)
	_, err := v.VerifyLog(t.Context(), nil)
	var bad *log.BadIndexError
	if !errors.As(err, &bad) || bad.Index != suspended {
		t.Errorf("verifying: got %v, want the suspension's record %d named", err, suspended)
	}
	again := v.Store.Size()
	v.Activate("package sayso.rules\nimport rego.v1\nwithhold contains {\"field\": \"email\", \"reason\": \"hush\"} if input.channel.id == \"web\"")
	if _, err = v.VerifyLog(t.Context(), nil); !errors.As(err, &bad) || bad.Index != again+1 {
		t.Errorf("verifying after another change: got %v, want record %d named", err, again+1)
	}
}
