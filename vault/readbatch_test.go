package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// A list is read as its people would be one by one: in order, each with a
// decision and a record of its own, and the records share syncs. One of whom
// nothing is known, one who said no and one line that asks what it may not take
// nobody with them.
func TestManyAreReadAtOnce(t *testing.T) {
	var syncs atomic.Int64
	v := vaulttest.New(t, &vaulttest.Options{Synced: func(path string) {
		if strings.Contains(path, "log") {
			syncs.Add(1)
		}
	}})
	sms := v.As("sms").Caller
	var reqs []vault.ReadRequest
	const people = 60
	for i := range people {
		number := fmt.Sprintf("+4930%07d", 1000000+i)
		who := v.As("web").Capture(map[string]any{"given_name": fmt.Sprintf("Ana %d", i), "phone_number": number})
		if i%3 == 0 {
			v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
		}
		reqs = append(reqs, vault.ReadRequest{Subject: who, Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name"}})
	}
	reqs[1].Subject = vaulttest.By("phone_number", "+4930555555")
	reqs[2].Purpose = "order-fulfilment"
	reqs[4].Subject = vaulttest.By("given_name", "Anahita")
	size := v.Store.Size()
	syncs.Store(0)
	outcomes := v.ReadBatch(t.Context(), sms, reqs)
	shared := syncs.Load()
	if len(outcomes) != people {
		t.Fatalf("got %d outcomes for %d requests", len(outcomes), people)
	}
	indexes := map[uint64]bool{}
	for i, o := range outcomes {
		var denied *vault.DeniedError
		switch {
		case i == 2:
			refusedWith(t, o.Err, vault.CodePurposeNotGranted)
		case i == 4:
			refusedWith(t, o.Err, vault.CodeInvalidRequest)
		case i%3 != 0:
			if !errors.As(o.Err, &denied) {
				t.Errorf("%d: got %v, want it denied", i, o.Err)
			}
		case o.Err != nil:
			t.Errorf("%d: %v", i, o.Err)
		default:
			if got := string(o.Result.Fields[0].Value.Reveal()); got != fmt.Sprintf(`"Ana %d"`, i) {
				t.Errorf("%d: got %s", i, got)
			}
			indexes[o.Result.LogIndex] = true
		}
	}
	if got := v.Store.Size() - size; got != people-1 { // a request that makes no sense decides nothing
		t.Errorf("got %d records, want %d", got, people-1)
	}
	if len(indexes) != people/3 {
		t.Errorf("%d records for %d releases", len(indexes), people/3)
	}
	if shared > people/4 {
		t.Errorf("%d syncs for %d records", shared, people)
	}
}

// A channel's limits count lines, and run out in order.
func TestABatchSpendsLimitsLineByLine(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(crowd, "{id: mail, kind: mail, purposes: [news]", "{id: mail, kind: mail, purposes: [news], limits: {people_per_day: 3}", 1)})
	var reqs []vault.ReadRequest
	for i := range 6 {
		reqs = append(reqs, vault.ReadRequest{Subject: vaulttest.By("email", fmt.Sprintf("p%d@example.org", i%5)), Purpose: "news"})
	}
	for i, o := range v.ReadBatch(t.Context(), v.As("mail").Caller, reqs) {
		var denied *vault.DeniedError
		if i == 3 || i == 4 {
			refusedWith(t, o.Err, vault.CodeRateLimited)
		} else if !errors.As(o.Err, &denied) {
			t.Errorf("%d: got %v, want it denied", i, o.Err)
		}
	}
}
