package vault_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// nameless are rows of people who gave nothing by which they are known again:
// done twice they would be two.
func nameless(t *testing.T, from, n int) (rows []vault.ImportRow) {
	for i := range n {
		req := vaulttest.CaptureRequest(t, told("given_name", fmt.Sprint("Person ", from+i+1)))
		rows = append(rows, vault.ImportRow{Capture: &req})
	}
	return rows
}

func people(t *testing.T, v *vaulttest.Vault) int { return len(entries(t, v, "standing")) - 1 }

// However often rows are sent, by whom of two and in which order they come: each
// row is in once, in the order of the file.
func TestARowOfAnImportIsInOnce(t *testing.T) {
	v := newCrowd(t)
	web := v.As("web").Caller
	id, rows := vault.ImportID{1}, nameless(t, 0, 40)
	send := func(from, to uint64) (*vault.Import, error) {
		now, _, err := v.ImportRows(t.Context(), web, vault.ImportRequest{ID: id, Of: 40, From: from, Rows: rows[from:to]})
		return now, err
	}
	if _, err := v.Import(t.Context(), web, id); !errors.Is(err, &vault.Error{Code: vault.CodeNotFound}) {
		t.Errorf("before the first row: got %v, want not_found", err)
	}
	var wg sync.WaitGroup
	for _, from := range []uint64{30, 10, 20, 0} { // as four connections may bring them
		wg.Go(func() {
			if now, err := send(from, from+10); err != nil || now.Next != from+10 {
				t.Errorf("rows from %d: %+v %v", from, now, err)
			}
		})
	}
	wg.Wait()
	for _, from := range []uint64{0, 15, 30} {
		if _, err := send(from, from+10); !errors.Is(err, &vault.Error{Code: vault.CodeWrongState}) {
			t.Errorf("rows from %d once more: got %v, want wrong_state", from, err)
		}
	}
	restart(t, v)
	web = v.As("web").Caller
	if _, err := send(0, 40); !errors.Is(err, &vault.Error{Code: vault.CodeWrongState}) {
		t.Errorf("all rows after a restart: got %v, want wrong_state", err)
	}
	now, err := v.Import(t.Context(), web, id)
	if err != nil || now.Next != 40 || now.Created != 40 || now.Rows != 40 || people(t, v) != 40 {
		t.Errorf("in the end: %+v %v and %d people, want 40", now, err, people(t, v))
	}
	if _, err := v.Import(t.Context(), v.As("app").Caller, id); !errors.Is(err, &vault.Error{Code: vault.CodeNotFound}) {
		t.Errorf("asked by another channel: got %v, want not_found", err)
	}
	if _, _, err := v.ImportRows(t.Context(), v.Officer, vault.ImportRequest{ID: id, Of: 1, Rows: rows[:1]}); !errors.Is(err, &vault.Error{Code: "forbidden"}) {
		t.Errorf("by an officer: got %v, want forbidden", err)
	}
}

// What is rejected is told by row, and told again to who asks; rows that are left
// out count on.
func TestRejectsOfAnImportAreKept(t *testing.T) {
	v := newCrowd(t)
	web := v.As("web").Caller
	id := vault.ImportID{2}
	row := func(values map[string]any) vault.ImportRow {
		req := vaulttest.CaptureRequest(t, values)
		return vault.ImportRow{Capture: &req}
	}
	rows := []vault.ImportRow{
		row(told("email", "a@example.org")), row(told("email", "nonsense", "phone_number", "12")), {}, {Wrong: &vault.Error{Code: "invalid_request", Detail: "no JSON"}},
		row(told("email", "A@example.org")), row(told("birthdate", "1990-01-01")),
	}
	checked, err := v.CheckRows(t.Context(), web, 0, rows)
	if err != nil {
		t.Fatal(err)
	}
	if people(t, v) != 0 || len(entries(t, v, "imports")) != 0 {
		t.Error("a check kept something")
	}
	now, wrong, err := v.ImportRows(t.Context(), web, vault.ImportRequest{ID: id, Of: 8, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{2 email invalid_email} {2 phone_number invalid_phone} {4  invalid_request} {6 birthdate field_not_capturable}]"
	told := func(all []vault.Reject) string {
		var s []string
		for _, r := range all {
			s = append(s, fmt.Sprintf("{%d %s %s}", r.Row, r.Field, r.Code))
		}
		return fmt.Sprint(s)
	}
	if told(wrong) != want || told(checked) != want {
		t.Errorf("rejects: got %s, checked before %s, want %s", told(wrong), told(checked), want)
	}
	if now.Next != 6 || now.Created != 1 || now.Known != 1 || now.Rejected != 3 {
		t.Errorf("after six rows: %+v", now)
	}
	if _, wrong, err = v.ImportRows(t.Context(), web, vault.ImportRequest{ID: id, Of: 8, From: 6, Rows: []vault.ImportRow{rows[1], {}}}); err != nil || len(wrong) != 2 || wrong[0].Row != 7 {
		t.Errorf("the last rows: %v %v", wrong, err)
	}
	restart(t, v)
	web = v.As("web").Caller
	first, next, err := v.ImportRejects(t.Context(), web, id, 0)
	if err != nil || told(first) != want || next != 6 {
		t.Errorf("asked for again: %s, more behind %d, %v", told(first), next, err)
	}
	second, next, err := v.ImportRejects(t.Context(), web, id, next)
	if err != nil || len(second) != 2 || second[0].Row != 7 || next != 0 {
		t.Errorf("and the rest: %v, more behind %d, %v", second, next, err)
	}
	if some, _, err := v.ImportRejects(t.Context(), web, id, 3); err != nil || told(some) != "[{4  invalid_request} {6 birthdate field_not_capturable}]" {
		t.Errorf("behind row 3: %v %v", some, err)
	}
}

// The rows and how far the import is are one commit: where the store fails
// between them neither is there, and who asks again goes on from there.
func TestAnImportThatFailsIsWhereItWas(t *testing.T) {
	w := &watched{}
	v := vaulttest.New(t, &vaulttest.Options{Register: crowd, Store: w.wrap})
	web := v.As("web").Caller
	id, rows := vault.ImportID{3}, nameless(t, 0, 20)
	if _, _, err := v.ImportRows(t.Context(), web, vault.ImportRequest{ID: id, Of: 20, Rows: rows[:10]}); err != nil {
		t.Fatal(err)
	}
	w.set(func(w *watched) { w.onTx = func() error { return errPulled } })
	_, _, err := v.ImportRows(t.Context(), web, vault.ImportRequest{ID: id, Of: 20, From: 10, Rows: rows[10:]})
	refusedWith(t, err, vault.CodeUnavailable)
	w.set(func(w *watched) { w.onTx = nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := v.ImportRows(ctx, web, vault.ImportRequest{ID: id, Of: 20, From: 10, Rows: rows[10:]}); err == nil {
		t.Error("an import was done for nobody")
	}
	if now, err := v.Import(t.Context(), web, id); err != nil || now.Next != 10 || people(t, v) != 10 {
		t.Errorf("after a failure: %+v %v and %d people", now, err, people(t, v))
	}
	if now, _, err := v.ImportRows(t.Context(), web, vault.ImportRequest{ID: id, Of: 20, From: 10, Rows: rows[10:]}); err != nil || now.Next != 20 || people(t, v) != 20 {
		t.Errorf("gone on: %+v %v and %d people", now, err, people(t, v))
	}
	deks := 0
	if err := v.Keys.View(t.Context(), func(s store.Snapshot) error {
		return s.Scan("deks", nil, nil, func(_, _ []byte) error { deks++; return nil })
	}); err != nil || deks != 21 {
		t.Errorf("keys: %d %v, want those of 20 people and the vault's", deks, err)
	}
}
