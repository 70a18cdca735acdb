package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// bulk is a register whose text sender may ask for audiences.
var bulk = strings.Replace(vaulttest.Register, "{id: sms, kind: sms,", "{id: sms, kind: sms, bulk: {audiences: true},", 1)

// audience gives everybody whom a channel may use for the text messages, some at a
// time, and calls between after each time.
func audience(t *testing.T, v *vaulttest.Vault, req vault.AudienceRequest, window int, between func(sofar []*vault.ReadResult)) ([]*vault.ReadResult, error) {
	t.Helper()
	req.Purpose = "sms-marketing"
	var lines []*vault.ReadResult
	err := v.Audience(t.Context(), v.As("sms").Caller, req, func(_ time.Time, some []vault.ReadOutcome) (used, next int, err error) {
		for _, o := range some {
			if o.Result != nil {
				lines = append(lines, o.Result)
			}
		}
		if between != nil {
			between(lines)
		}
		return len(some), window, nil
	})
	return lines, err
}

func subjects(lines []*vault.ReadResult) []privacy.SubjectID {
	ids := make([]privacy.SubjectID, len(lines))
	for i, l := range lines {
		ids[i] = l.Subject
	}
	return ids
}

// callers captures so many people, every second of whom lets herself be texted.
func callers(v *vaulttest.Vault, n int) (all, willing []privacy.SubjectID) {
	for i := range n {
		who := v.As("store").Capture(told("given_name", fmt.Sprintf("Ana %d", i), "phone_number", fmt.Sprintf("+4930%07d", 2000000+i)))
		all = append(all, who.ID)
		if i%2 == 0 {
			v.As("store").For("sms-marketing").Consent(who, privacy.StatusGiven)
			willing = append(willing, who.ID)
		}
	}
	return all, willing
}

// The sender asks whom it may text: everybody who let it, once, each with a
// decision and a record, and nobody else in any way. The order is not that in which
// they came, whether everybody fits in memory or not.
func TestAnAudienceIsWhoeverSaidYes(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: bulk})
	_, willing := callers(v, 40)
	gone := vaulttest.ID(willing[3])
	v.As("sms").For("sms-marketing").Consent(gone, privacy.StatusWithdrawn)
	willing = slices.Delete(willing, 3, 4)
	sorted := slices.Clone(willing)
	slices.SortFunc(sorted, func(a, b privacy.SubjectID) int { return slices.Compare(a[:], b[:]) })
	if slices.Equal(sorted, willing) {
		t.Fatal("IDs follow the order in which people came")
	}
	for _, room := range []int{1 << 16, 7, 1} {
		v.ListInLittleMemory(room)
		before := v.Store.Size()
		lines, err := audience(t, v, vault.AudienceRequest{}, 16, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := subjects(lines); !slices.Equal(got, sorted) {
			t.Errorf("with room for %d: got %d people %v, want the %d who said yes in the order of their IDs", room, len(got), got, len(sorted))
		}
		if got := v.Store.Size() - before; got != uint64(len(sorted)) {
			t.Errorf("with room for %d: got %d records, want %d", room, got, len(sorted))
		}
		for _, l := range lines {
			if len(l.Fields)+len(l.Masked) != 0 || l.Decision == (privacy.DecisionID{}) {
				t.Errorf("%s: got %+v, want no value and a decision", l.Subject, l)
			}
		}
	}
	lines, err := audience(t, v, vault.AudienceRequest{Fields: []privacy.FieldName{"given_name"}}, 16, nil)
	if err != nil || len(lines) != len(sorted) || len(lines[0].Fields) != 1 || !strings.HasPrefix(string(lines[0].Fields[0].Value.Reveal()), `"Ana `) {
		t.Errorf("with a field: got %+v, %v", lines, err)
	}
	half, err := audience(t, v, vault.AudienceRequest{After: sorted[8]}, 16, nil)
	if err != nil || !slices.Equal(subjects(half), sorted[9:]) {
		t.Errorf("going on behind the ninth: got %v, %v, want %v", subjects(half), err, sorted[9:])
	}
}

// Who withdraws while the answer runs is not in what follows; who was erased
// neither, and the channel's suspension ends it.
func TestAnAudienceIsOfNow(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: bulk})
	_, willing := callers(v, 30)
	var left, late []privacy.SubjectID
	lines, err := audience(t, v, vault.AudienceRequest{}, 4, func(sofar []*vault.ReadResult) {
		if len(sofar) < 4 || left != nil {
			return
		}
		for i, id := range willing {
			switch {
			case slices.Contains(subjects(sofar), id):
				left = append(left, id)
			case i%2 == 0:
				v.As("sms").For("sms-marketing").Consent(vaulttest.ID(id), privacy.StatusWithdrawn)
			default:
				left, late = append(left, id), append(late, id)
			}
		}
	})
	got := subjects(lines)
	if err != nil || len(late) == 0 || len(got) != len(left) || slices.ContainsFunc(got, func(id privacy.SubjectID) bool { return !slices.Contains(left, id) }) {
		t.Errorf("got %v, %v, want %v", got, err, left)
	}
	suspended := false
	_, err = audience(t, v, vault.AudienceRequest{}, 2, func(sofar []*vault.ReadResult) {
		if len(sofar) >= 2 && !suspended {
			suspended = true
			if _, err := v.SuspendChannel(t.Context(), v.Officer, "sms"); err != nil {
				t.Fatal(err)
			}
		}
	})
	refusedWith(t, err, vault.CodeChannelSuspended)
}

// Who may not ask so is refused, whoever there is; and limits count whom the
// channel was told of, as if it had asked for each by ID.
func TestAnAudienceIsOfAChannelsOwn(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: strings.Replace(bulk, "{id: sms, kind: sms,", "{id: sms, kind: sms, limits: {people_per_day: 5},", 1)})
	_, willing := callers(v, 20)
	none := func(time.Time, []vault.ReadOutcome) (int, int, error) {
		t.Error("somebody was decided about")
		return 0, 0, nil
	}
	err := v.Audience(t.Context(), v.As("store").Caller, vault.AudienceRequest{Purpose: "sms-marketing"}, none)
	refusedWith(t, err, vault.CodeForbidden)
	size := v.Store.Size()
	err = v.Audience(t.Context(), v.As("sms").Caller, vault.AudienceRequest{Purpose: "order-fulfilment"}, none)
	refusedWith(t, err, vault.CodePurposeNotGranted)
	if got := v.Store.Size() - size; got != 1 {
		t.Errorf("a purpose that is not the channel's: got %d records, want one", got)
	}
	err = v.Audience(t.Context(), v.As("sms").Caller, vault.AudienceRequest{Purpose: "sms-marketing", Fields: []privacy.FieldName{"given_name", "given_name"}}, none)
	refusedWith(t, err, vault.CodeInvalidRequest)

	lines, err := audience(t, v, vault.AudienceRequest{}, 64, nil)
	refusedWith(t, err, vault.CodeRateLimited)
	if len(lines) != 5 || len(willing) != 10 {
		t.Fatalf("got %d people, want the five of a day", len(lines))
	}
	again, err := audience(t, v, vault.AudienceRequest{}, 64, nil)
	refusedWith(t, err, vault.CodeRateLimited)
	if !slices.Equal(subjects(again), subjects(lines)) {
		t.Errorf("again: got %v, want the same five, who were counted", subjects(again))
	}
	v.As("sms").For("sms-marketing").Read(vaulttest.ID(lines[0].Subject), "given_name")
	for _, id := range willing {
		if !slices.Contains(subjects(lines), id) {
			v.As("sms").For("sms-marketing").Read(vaulttest.ID(id)).Refused(vault.CodeRateLimited)
		}
	}
}

// A channel is given a few audiences at once, because each goes through everybody; one
// more waits until one of them is over.
func TestAudiencesAtOnceAreBounded(t *testing.T) {
	v := vaulttest.New(t, &vaulttest.Options{Register: bulk})
	callers(v, 4)
	var depth int
	var nest func([]*vault.ReadResult)
	nest = func([]*vault.ReadResult) {
		if depth++; depth < 4 {
			if _, err := audience(t, v, vault.AudienceRequest{}, 16, nest); err != nil {
				t.Errorf("audience %d: %v", depth, err)
			}
			return
		}
		_, err := audience(t, v, vault.AudienceRequest{}, 16, nil)
		refusedWith(t, err, vault.CodeRateLimited)
	}
	if _, err := audience(t, v, vault.AudienceRequest{}, 16, nest); err != nil || depth != 4 {
		t.Errorf("got %v at depth %d", err, depth)
	}
	if lines, err := audience(t, v, vault.AudienceRequest{}, 16, nil); err != nil || len(lines) != 2 {
		t.Errorf("when they are over: got %d people, %v", len(lines), err)
	}
}
