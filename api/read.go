package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// read is the hot route: the answer is written by hand, in one piece.
func read(x *exchange) error {
	body, err := x.body(mediaJSON)
	if err != nil {
		return err
	}
	in, err := decodeRead(body)
	if err != nil {
		return err
	}
	out, err := x.door.Read(x.ctx, x.caller, readOf(&in))
	if err != nil {
		return err
	}
	x.encodes()
	answer, ok := x.answers.Get().(*[]byte)
	if !ok {
		answer = new([]byte)
	}
	*answer = appendRead(*answer, out)
	x.write(http.StatusOK, mediaJSON, *answer)
	if cap(*answer) <= 16<<10 { // to be used again, but nothing of it to be seen
		clear(*answer)
		*answer = (*answer)[:0]
		x.answers.Put(answer)
	}
	return nil
}

var readHandler = handler{serve: read, in: reflect.TypeFor[wire.ReadRequest](), out: reflect.TypeFor[wire.ReadAnswer](), statuses: []int{http.StatusOK}}

// readOf is a read in the vault's words.
func readOf(in *wire.ReadRequest) vault.ReadRequest {
	return vault.ReadRequest{Subject: ref(in.Subject), Purpose: in.Purpose, Fields: in.Fields, Context: in.Context}
}

// ref is the person a request names, in the vault's words.
func ref(s wire.Subject) vault.SubjectRef {
	return vault.SubjectRef{ID: s.ID, Field: s.Field, Value: s.Value.Sensitive}
}

// appendRead appends what wire.ReadAnswer is the shape of.
func appendRead(b []byte, r *vault.ReadResult) []byte {
	b = append(b, `{"decision":"`...)
	b = r.Decision.Append(b)
	b = append(b, `","subject":"`...)
	b = r.Subject.Append(b)
	b = append(b, `","purpose":`...)
	b = quote(b, string(r.Purpose))
	b = append(b, `,"policy":`...)
	b = quote(b, r.Policy)
	b = append(b, `,"fields":`...)
	b = appendFields(b, r.Fields)
	b = append(b, `,"masked":`...)
	b = appendMasked(b, r.Masked)
	b = append(b, `,"withheld":`...)
	b = appendWithheld(b, r.Withheld)
	b = append(b, `,"missing":[`...)
	for i, m := range r.Missing {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"field":`...)
		b = quote(b, string(m.Field))
		b = append(b, `,"why":`...)
		b = quote(b, m.Why)
		b = append(b, '}')
	}
	b = append(b, ']')
	b = appendInferred(b, r)
	b = append(b, `,"register":`...)
	b = strconv.AppendUint(b, r.Register, 10)
	b = append(b, `,"log_index":`...)
	b = strconv.AppendUint(b, r.LogIndex, 10)
	b = append(b, `,"log":{"name":`...)
	b = quote(b, r.LogName)
	b = append(b, `,"index":`...)
	b = strconv.AppendUint(b, r.LogIndex, 10)
	return append(b, `}}`...)
}

func appendFields(b []byte, fields []vault.FieldValue) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, string(f.Field))
		b = append(b, ':')
		b = appendValue(b, f.Value)
	}
	return append(b, '}')
}

func appendMasked(b []byte, masked []vault.MaskedValue) []byte {
	b = append(b, '{')
	for i, m := range masked {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, string(m.Field))
		b = append(b, `:{"value":`...)
		b = appendValue(b, m.Value)
		b = append(b, `,"mask":`...)
		b = quote(b, string(m.Mask))
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendInferred appends which models made what is released, if any did.
func appendInferred(b []byte, r *vault.ReadResult) []byte {
	var made wire.Inferences // mostly none
	add := func(f privacy.FieldName, by *privacy.Inference) {
		switch {
		case by == nil:
			return
		case made == nil:
			made = wire.Inferences{}
		}
		made[f] = *by
	}
	for i := range r.Fields {
		add(r.Fields[i].Field, r.Fields[i].Inference)
	}
	for i := range r.Masked {
		add(r.Masked[i].Field, r.Masked[i].Inference)
	}
	if made == nil {
		return b
	}
	text, err := json.Marshal(made, json.Deterministic(true))
	if err != nil { // there is none of names and numbers
		return b
	}
	return append(append(b, `,"inferred":`...), text...)
}

func appendWithheld(b []byte, withheld []vault.Withheld) []byte {
	b = append(b, '[')
	for i, w := range withheld {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"field":`...)
		b = quote(b, string(w.Field))
		b = append(b, `,"code":`...)
		b = quote(b, string(w.Code))
		b = append(b, `,"detail":`...)
		b = quote(b, w.Detail)
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendValue appends the canonical JSON of a released value.
func appendValue(b []byte, v privacy.Sensitive) []byte {
	if v.IsZero() {
		return append(b, "null"...)
	}
	return append(b, v.Reveal()...)
}
