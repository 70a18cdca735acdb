package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// lives is a shop that has to keep its books, and texts people; its keys turn
// every second, if they must.
var lives = strings.NewReplacer(
	"purposes:\n", "  - {name: basket, type: string, category: \"pd:Interest\", ttl: PT2H}\npurposes:\n",
	"captures: [given_name, phone_number, address]", "captures: [given_name, phone_number, address, basket]",
	"channels:\n", "settings: {erasure: {epoch_every: PT1S}}\nchannels:\n  - {id: books, kind: books, purposes: [invoices], captures: [family_name, address]}\n",
	`basis: consent, fields: [given_name, phone_number], retention: P1Y,`, `basis: consent, fields: [given_name, phone_number], retention: P1Y, contact: {caps: [{count: 3, per: P30D}]},`,
	"  - {id: sms-marketing,", `  - {id: invoices, title: Keep our books, benefit: None, dpv: "dpv:LegalCompliance", basis: legal_obligation, fields: [family_name, address], retention: P10Y}
  - {id: sms-marketing,`,
	"{id: sms, kind: sms,", "{id: sms, kind: sms, webhooks: [sms.example.org],",
	"{id: web, kind: web,", "{id: web, kind: web, limits: {people_per_day: 1000, captures_per_person_per_day: 100},",
).Replace(vaulttest.Register)

// life is what somebody left in the vault, and by what it can be found there.
type life struct {
	who       vaulttest.Person
	inData    map[string][]byte // in vault.db
	inKeys    map[string][]byte // in keys.db
	hashes    map[string][]byte // keyed ones, by what may keep them
	decisions []privacy.DecisionID
	consents  []privacy.ConsentID
}

// live has somebody do everything that a person can: tell values and tell others,
// say yes and no, order, be asked, be read, be looked up, be taken for somebody.
func live(t *testing.T, v *vaulttest.Vault, n int) *life {
	t.Helper()
	ctx := context.Background()
	email, phone := fmt.Sprintf("ana.%d@example.org", n), fmt.Sprintf("+49 30 9018%02d", n)
	web, shop, sms := v.As("web"), v.As("store"), v.As("sms")
	by, once, _, err := named(t, v, web.Caller, fmt.Sprintf("life-%d", n), "told")
	if err != nil {
		t.Fatal(err)
	}
	defer once.Close()
	res, err := v.Capture(ctx, by, vaulttest.CaptureRequest(t, told("given_name", "Ana", "family_name", "Quintero", "email", email, "birthdate", "1987-05-04")))
	if err != nil {
		t.Fatal(err)
	}
	l := &life{who: vaulttest.ID(res.Subject), inData: map[string][]byte{}, inKeys: map[string][]byte{}}
	for _, name := range []string{"Anna", "Anahita"} { // the past
		req := vaulttest.CaptureRequest(t, told("given_name", name))
		req.Subject = &l.who
		if _, err := v.Capture(ctx, web.Caller, req); err != nil {
			t.Fatal(err)
		}
	}
	req := vaulttest.CaptureRequest(t, map[string]any{"phone_number": phone, "address": anahita["address"], "basket": "Rubber boots"})
	req.Subject = &l.who
	if _, err := v.Capture(ctx, shop.Caller, req); err != nil {
		t.Fatal(err)
	}
	shop.Capture(told("given_name", "Anahita's sister", "phone_number", phone)) // joins; and a stranger with her e-mail:
	l.consents = append(l.consents, shop.For("sms-marketing").Consent(l.who, privacy.StatusGiven).Consent)
	l.decisions = append(l.decisions, sms.For("sms-marketing").Read(l.who, "given_name").Released(told("given_name", "Anahita's sister")).Result.Decision)
	l.decisions = append(l.decisions, web.For("order-fulfilment").Read(vaulttest.By("email", email), "family_name").Released(told("family_name", "Quintero")).Result.Decision)
	if _, err := v.RecordTouch(ctx, sms.Caller, vault.TouchRequest{Subject: l.who, Kind: "offer", Topic: "tv", Purpose: "sms-marketing", Medium: "sms", IfAllowed: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.RecordTouch(ctx, shop.Caller, vault.TouchRequest{Subject: l.who, Kind: "order", Topic: "tv", Ref: "order-1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.ConsentState(ctx, sms.Caller, l.who.ID, "sms-marketing"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Lookup(ctx, v.Officer, vaulttest.By("phone_number", phone), "She called"); err != nil {
		t.Fatal(err)
	}
	l.consents = append(l.consents, sms.For("sms-marketing").Consent(vaulttest.By("phone_number", phone), privacy.StatusWithdrawn).Consent)
	shop.For("order-fulfilment").Ground(l.who, vault.GroundEnded)
	hold, err := v.PlaceHold(ctx, v.Officer, vault.HoldRequest{Subject: l.who, Reason: "Claim 1138"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.ReleaseHold(ctx, v.Officer, l.who.ID, &hold.ID); err != nil {
		t.Fatal(err)
	}
	l.know(t, v)
	return l
}

// know remembers by what a person can be found in the stores.
func (l *life) know(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	id := l.who.ID
	place := v.Place(id)
	l.hashes = v.HashesOf(id)
	l.inData["her ID"], l.inData["her ID in words"], l.inData["her place"] = id[:], []byte(id.String()), place
	row := getRow(t, v, "deks", place)
	l.inKeys["her place"], l.inKeys["her wrapped keys"] = place, row[18:66]
	for _, b := range []string{"index", "index.even"} {
		err := v.Store.View(t.Context(), func(s store.Snapshot) error {
			return s.Scan(store.Bucket(b), nil, nil, func(k, _ []byte) error {
				if bytes.Equal(k[16:], place) {
					l.inData[fmt.Sprintf("row %x of the index", k[:4])] = bytes.Clone(k[:16])
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(l.inData) < 5 {
		t.Fatalf("she is found in the index by %d rows, want two at least", len(l.inData)-3)
	}
}

// everyRow looks through every row of every bucket of a stopped vault.
func everyRow(t *testing.T, v *vaulttest.Vault, file string, each func(bucket string, k, value []byte)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(v.Dir, file), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, value []byte) error { each(string(name), k, value); return nil })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// found counts the rows in which she is found, by bucket. The vault is stopped.
func (l *life) found(t *testing.T, v *vaulttest.Vault) map[string]int {
	t.Helper()
	n := map[string]int{}
	for file, needles := range map[string]map[string][]byte{"vault.db": l.inData, "keys.db": l.inKeys} {
		everyRow(t, v, file, func(bucket string, k, value []byte) {
			for _, needle := range needles {
				if bytes.Contains(k, needle) || bytes.Contains(value, needle) {
					n[bucket]++
					return
				}
			}
			for keeper, hash := range l.hashes {
				if (bytes.Contains(k, hash[:16]) || bytes.Contains(value, hash[:16])) && bucket != keeper {
					n[bucket]++
					return
				}
			}
		})
	}
	return n
}

// forgotten checks that no row and no byte of the stores tells of her any more.
// The vault is stopped.
func (l *life) forgotten(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	for bucket, n := range l.found(t, v) {
		t.Errorf("bucket %s holds %d rows of somebody erased: what keeps them belongs into kindsOfData", bucket, n)
	}
	err := filepath.WalkDir(v.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Base(filepath.Dir(path)) == "log" {
			return err // the log keeps the IDs of those it was about, see SECURITY.md
		}
		b, err := os.ReadFile(path)
		for what, needle := range l.inData {
			if bytes.Contains(b, needle) {
				t.Errorf("%s holds %s", filepath.Base(path), what)
			}
		}
		for what, needle := range l.inKeys {
			if bytes.Contains(b, needle) {
				t.Errorf("%s holds %s", filepath.Base(path), what)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// nobody checks that she is nobody to anyone who asks.
func (l *life) nobody(t *testing.T, v *vaulttest.Vault) {
	t.Helper()
	v.As("sms").For("sms-marketing").Read(l.who).Denied("no_consent")
	v.As("web").For("order-fulfilment").Read(l.who).Refused(vault.CodeUnknownSubject)
	for _, d := range l.decisions {
		_, err := v.Decision(t.Context(), v.Officer, d)
		refusedWith(t, err, vault.CodeGone)
		_, err = v.Prove(t.Context(), d.String())
		refusedWith(t, err, vault.CodeGone)
	}
	for _, c := range l.consents {
		_, err := v.Receipt(t.Context(), v.Officer, c)
		refusedWith(t, err, vault.CodeNotFound)
	}
}

// Everything that Ana left is there before, and nothing of it after; whoever has
// something in common with her keeps what is theirs.
func TestNothingOfTheErasedIsLeft(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: lives})
	hook(t, v, "sms", privacy.EventTypes...)
	ana, ben := live(t, v, 1), live(t, v, 2)
	twin := v.As("web").Capture(told("given_name", "Twin", "phone_number", "+49 30 901801")) // a possible match
	// This follows the log to its end, people's rows too.
	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	before := ana.found(t, v)
	for _, bucket := range []string{"standing", "standings", "profiles", "history", "index", "consents", "receipts", "matches", "answers/of", "dealings", "dealings/due", "outbox", "outbox/of", "values/due", "log/person", "deks"} {
		if before[bucket] == 0 {
			t.Errorf("before: bucket %s holds nothing of her, so the story does not show that it is forgotten", bucket)
		}
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("store").For("order-fulfilment").Read(twin, "given_name").Released(told("given_name", "Twin"))
	v.As("store").For("order-fulfilment").Read(vaulttest.By("phone_number", "+49 30 901801"), "given_name").Denied("no_ground") // it finds Ana, who ended it

	q := completed(t, v, erase(t, v, ana.who).ID)
	ana.nobody(t, v)
	v.As("store").For("order-fulfilment").Read(vaulttest.By("phone_number", "+49 30 901801"), "given_name").Released(told("given_name", "Twin"))
	if _, _, _, err := named(t, v, v.As("web").Caller, "life-1", "told"); !isGone(err) {
		t.Errorf("a late repeat of how she was captured: got %v, want that it is gone", err)
	}
	if c := certified(t, v, q.Certificate); c.Destroyed.Records["answers"] != 1 || c.Destroyed.Records["possible_matches"] == 0 || c.Destroyed.Records["past_values"] != 3 ||
		c.Destroyed.Records["dealings"] != 1 || c.Destroyed.Records["events"] < 10 || c.Destroyed.Records["values"] != 1 || c.Destroyed.Records["consents"] != 2 || c.Destroyed.Records["index_rows"] != 2 {
		t.Errorf("certificate: got %v", c.Destroyed.Records)
	}
	r, err := v.VerifyLog(t.Context(), nil)
	if err != nil || r.Erased < 10 {
		t.Errorf("verifying the log: got %+v, %v", r, err)
	}
	if x, err := v.Examine(t.Context(), vault.ExamineOptions{}); err != nil {
		t.Error(err)
	} else {
		for _, f := range x.Findings {
			if f.Level == vault.Problem {
				t.Errorf("doctor finds: %+v", f)
			}
		}
	}
	v.Stop()
	ana.forgotten(t, v)
	after := ben.found(t, v)
	for bucket := range before {
		if after[bucket] == 0 && bucket != "matches" && bucket != "index" { // he matched nobody, and its key turned
			t.Errorf("bucket %s lost what it held of Ben", bucket)
		}
	}
	if err := v.Reopen(); err != nil {
		t.Fatal(err)
	}
	v.As("web").For("order-fulfilment").Read(ben.who, "family_name").Denied("no_ground")
}

func isGone(err error) bool {
	var refused *vault.Error
	return errors.As(err, &refused) && refused.Code == vault.CodeGone
}
