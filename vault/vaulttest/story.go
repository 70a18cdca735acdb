package vaulttest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Channel acts in a story.
type Channel struct {
	v      *Vault
	Caller vault.Caller
}

// As is the channel as its credentials say.
func (v *Vault) As(id privacy.ChannelID) *Channel {
	v.T.Helper()
	client, err := v.Authenticate(string(id), v.secrets[id])
	if err != nil {
		v.T.Fatalf("authenticating %s: %v", id, err)
	}
	return &Channel{v: v, Caller: vault.Caller{Client: client}}
}

// Caller is the channel as its credentials say, or the error that they are not
// good now.
func (v *Vault) Caller(id privacy.ChannelID) (vault.Caller, error) {
	client, err := v.Authenticate(string(id), v.secrets[id])
	return vault.Caller{Client: client}, err
}

// CaptureRequest makes a request of values as JSON would have them, by field
// name in order.
func CaptureRequest(t testing.TB, values map[string]any) vault.CaptureRequest {
	t.Helper()
	var req vault.CaptureRequest
	for _, name := range slices.Sorted(maps.Keys(values)) {
		raw, err := json.Marshal(values[name])
		if err != nil {
			t.Fatal(err)
		}
		req.Fields = append(req.Fields, vault.CapturedField{Field: privacy.FieldName(name), Value: privacy.NewSensitive(raw)})
	}
	return req
}

// Capture captures values and returns who they are of.
func (c *Channel) Capture(values map[string]any) Person {
	c.v.T.Helper()
	return ID(c.CaptureResult(values).Subject)
}

// CaptureResult captures values and returns the whole answer.
func (c *Channel) CaptureResult(values map[string]any) *vault.CaptureResult {
	c.v.T.Helper()
	res, err := c.v.Vault.Capture(context.Background(), c.Caller, CaptureRequest(c.v.T, values))
	if err != nil {
		c.v.T.Fatalf("%s captures: %v", c.Caller.Client.ID, err)
	}
	return res
}

// Act is a channel acting for a purpose.
type Act struct {
	*Channel
	purpose privacy.PurposeID
	context map[string]any
}

// For names the purpose.
func (c *Channel) For(p privacy.PurposeID) *Act { return &Act{Channel: c, purpose: p} }

// With adds context to reads.
func (a *Act) With(context map[string]any) *Act {
	a.context = context
	return a
}

// Consent records an act of say-so and returns the answer.
func (a *Act) Consent(who Person, status privacy.ConsentStatus) *vault.ConsentResult {
	a.v.T.Helper()
	res, err := a.v.RecordConsent(context.Background(), a.Caller, vault.ConsentRequest{Subject: who, Purpose: a.purpose, Status: status, Method: "web_form"})
	if err != nil {
		a.v.T.Fatalf("%s records %s for %s: %v", a.Caller.Client.ID, status, a.purpose, err)
	}
	return res
}

// Ground begins or ends a ground.
func (a *Act) Ground(who Person, status string) {
	a.v.T.Helper()
	err := a.v.RecordGround(context.Background(), a.Caller, vault.GroundRequest{Subject: who, Purpose: a.purpose, Status: status})
	if err != nil {
		a.v.T.Fatalf("%s records a ground %s for %s: %v", a.Caller.Client.ID, status, a.purpose, err)
	}
}

// Outcome is what a read came to.
type Outcome struct {
	t      testing.TB
	Result *vault.ReadResult
	Err    error
}

// Read asks for fields of somebody, by default all of the purpose's.
func (a *Act) Read(who Person, fields ...privacy.FieldName) *Outcome {
	a.v.T.Helper()
	res, err := a.v.Vault.Read(context.Background(), a.Caller, vault.ReadRequest{Subject: who, Purpose: a.purpose, Fields: fields, Context: a.context})
	return &Outcome{t: a.v.T, Result: res, Err: err}
}

// Denied checks that nothing was released, every field for this code.
func (o *Outcome) Denied(code privacy.Code) *Outcome {
	o.t.Helper()
	var denied *vault.DeniedError
	if !errors.As(o.Err, &denied) {
		o.t.Fatalf("read: got %v, want it denied with %s", o.Err, code)
	}
	for _, w := range denied.Withheld {
		if w.Code != code {
			o.t.Errorf("%s: got code %s, want %s", w.Field, w.Code, code)
		}
	}
	return o
}

// Refused checks that the request as a whole was refused with this code.
func (o *Outcome) Refused(code string) *Outcome {
	o.t.Helper()
	var refused *vault.Error
	if !errors.As(o.Err, &refused) || refused.Code != code {
		o.t.Fatalf("read: got %v, want it refused with %s", o.Err, code)
	}
	return o
}

// Released checks that exactly these values were released, as JSON would have
// them.
func (o *Outcome) Released(values map[string]any) *Outcome {
	o.t.Helper()
	if o.Err != nil {
		o.t.Fatalf("read: %v", o.Err)
	}
	got := map[string]any{}
	for _, f := range o.Result.Fields {
		var value any
		if err := json.Unmarshal(f.Value.Reveal(), &value); err != nil {
			o.t.Fatal(err)
		}
		got[string(f.Field)] = value
	}
	want, _ := json.Marshal(values)
	have, _ := json.Marshal(got)
	if string(want) != string(have) {
		o.t.Errorf("released: got %s, want %s", have, want)
	}
	return o
}

// Withheld checks that a field was withheld for this code beside others that
// were released.
func (o *Outcome) Withheld(field privacy.FieldName, code privacy.Code) *Outcome {
	o.t.Helper()
	if o.Err != nil {
		o.t.Fatalf("read: %v", o.Err)
	}
	for _, w := range o.Result.Withheld {
		if w.Field == field {
			if w.Code != code {
				o.t.Errorf("%s: got code %s, want %s", field, w.Code, code)
			}
			return o
		}
	}
	o.t.Errorf("%s was not withheld, want %s", field, code)
	return o
}
