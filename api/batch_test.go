package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// lines are the answers of a batch, line by line.
func (a answer) lines(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, line := range strings.Split(strings.TrimSuffix(a.raw, "\n"), "\n") {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, one)
	}
	return all
}

// Each line of a batch is answered by itself and in its place, and what is
// refused says why without the value.
func TestABatchAnswersLineByLine(t *testing.T) {
	b := newBench(t)
	b.capture = func(r vault.CaptureRequest) (*vault.CaptureResult, error) {
		switch string(r.Fields[0].Value.Reveal()) {
		case `"Anahita"`:
			return &vault.CaptureResult{Subject: ana, Created: true, Accepted: []privacy.FieldName{"given_name"}}, nil
		case `"Bela"`:
			return &vault.CaptureResult{Subject: ana, Unchanged: []privacy.FieldName{"given_name"}}, nil
		}
		return nil, &vault.Error{Code: vault.CodeInvalidRequest, Detail: "nothing was stored",
			Fields: []vault.FieldError{{Field: "email", Code: "invalid_email", Detail: "expected an e-mail address"}}}
	}
	a := b.call("POST", "/v1/captures/batch", strings.Join([]string{
		`{"fields":{"given_name":"Anahita"}}`,
		`{"fields":{"email":"carmen(at)example.org"}}`,
		`{"fields":{"given_name":"Bela"},"surname":"Dovzhenko"}`,
		``,
		`{"fields":{"given_name":"Bela"}}`,
	}, "\n")+"\n", "web")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != mediaNDJSON {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
	got := a.lines(t)
	want := []struct {
		status float64
		code   any
		field  string
	}{{201, nil, ""}, {422, "invalid_request", "email"}, {422, "invalid_request", "surname"}, {400, "invalid_request", ""}, {200, nil, ""}}
	if len(got) != len(want)+1 {
		t.Fatalf("got %d lines: %s", len(got), a.raw)
	}
	for i, w := range want {
		if got[i]["n"] != float64(i+1) || got[i]["status"] != w.status || got[i]["code"] != w.code {
			t.Errorf("line %d: got %v, want %+v", i+1, got[i], w)
		}
		if errs, _ := got[i]["errors"].([]any); w.field != "" && (len(errs) != 1 || errs[0].(map[string]any)["field"] != w.field) {
			t.Errorf("line %d: got %v, want %s named", i+1, got[i], w.field)
		}
	}
	if got[0]["subject"] != ana.String() || got[0]["created"] != true || got[4]["created"] != false {
		t.Errorf("accepted: %v %v", got[0], got[4])
	}
	if end := got[5]; end["end"] != true || end["lines"] != 5.0 {
		t.Errorf("the last line: %v", end)
	}
	for _, value := range []string{"carmen", "Dovzhenko"} {
		if strings.Contains(a.raw, value) {
			t.Errorf("the answer repeats %s: %s", value, a.raw)
		}
	}
}

func TestABatchHasAnEnd(t *testing.T) {
	b := newBench(t)
	line := `{"fields":{"given_name":"Anahita"}}` + "\n"
	if a := b.call("POST", "/v1/captures/batch", strings.Repeat(line, 1000), "web"); a.status != 200 || len(a.lines(t)) != 1001 {
		t.Errorf("1000 lines: %d", a.status)
	}
	b.calls = nil
	for what, body := range map[string]string{"1001 lines": strings.Repeat(line, 1001), "4 MiB": strings.Repeat(" ", large) + line} {
		if a := b.call("POST", "/v1/captures/batch", body, "web"); a.status != http.StatusRequestEntityTooLarge || a.code() != "too_large" {
			t.Errorf("%s: got %d %s", what, a.status, a.raw)
		}
	}
	if a := b.call("POST", "/v1/captures/batch", "", "web"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("nothing: got %d %s", a.status, a.raw)
	}
	if len(b.calls) > 0 {
		t.Errorf("the vault was asked: %v", b.calls)
	}
	b.any = &vault.Error{Code: vault.CodeUnavailable, Detail: "try again"}
	if a := b.call("POST", "/v1/captures/batch", line, "web"); a.status != http.StatusServiceUnavailable || a.code() != vault.CodeUnavailable {
		t.Errorf("a vault that cannot: got %d %s", a.status, a.raw)
	}
}
