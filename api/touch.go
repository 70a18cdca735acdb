package api

import (
	"net/http"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func recordTouch(x *exchange, in *wire.TouchRequest) (int, *wire.TouchAnswer, error) {
	say := func(out *vault.TouchResult) (int, *wire.TouchAnswer) {
		return http.StatusCreated, &wire.TouchAnswer{Kind: in.Kind, Topic: in.Topic, At: out.At}
	}
	out, err := x.door.RecordTouch(x.ctx, once(x, say), touchOf(in))
	if err != nil {
		return 0, nil, err
	}
	status, answer := say(out)
	return status, answer, nil
}

func checkTouch(x *exchange, in *wire.TouchRequest) (int, *wire.TouchCheckAnswer, error) {
	out, err := x.door.CheckTouch(x.ctx, x.caller, touchOf(in))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, &wire.TouchCheckAnswer{Allowed: out.Allowed, Code: out.Code, Until: pointer(out.Until), Detail: out.Detail}, nil
}

func touchOf(in *wire.TouchRequest) vault.TouchRequest {
	return vault.TouchRequest{Subject: ref(in.Subject), Kind: vault.TouchKind(in.Kind), Topic: in.Topic, Medium: in.Medium, Purpose: in.Purpose,
		Ref: in.Ref, At: moment(in.At), Expires: moment(in.ExpiresAt), Ended: in.Ended, IfAllowed: in.IfAllowed, Context: in.Context}
}

// pointer is a time that may not be there.
func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func askMissing(x *exchange, in *wire.AskRequest) (int, *wire.AskAnswer, error) {
	id, err := x.person()
	if err != nil {
		return 0, nil, err
	}
	say := func(out *vault.AskResult) (int, *wire.AskAnswer) {
		status := http.StatusOK
		if out.New {
			status = http.StatusCreated
		}
		return status, &wire.AskAnswer{Subject: x.r.PathValue("id"), Purpose: in.Purpose, Fields: out.Fields, Until: out.Until}
	}
	out, err := x.door.AskMissing(x.ctx, once(x, say), vault.AskRequest{Subject: id, Purpose: in.Purpose, Fields: in.Fields, Context: in.Context})
	if err != nil {
		return 0, nil, err
	}
	status, answer := say(out)
	return status, answer, nil
}

func recordRefusal(x *exchange, in *wire.AskRequest) (int, *wire.RefusalAnswer, error) {
	id, err := x.person()
	if err != nil {
		return 0, nil, err
	}
	answer := &wire.RefusalAnswer{Subject: x.r.PathValue("id"), Purpose: in.Purpose, Fields: in.Fields}
	by := once(x, func(any) (int, *wire.RefusalAnswer) { return http.StatusCreated, answer })
	if err := x.door.RecordRefusal(x.ctx, by, vault.AskRequest{Subject: id, Purpose: in.Purpose, Fields: in.Fields}); err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, answer, nil
}

// person reads whom a path is about.
func (x *exchange) person() (privacy.SubjectID, error) {
	id, _, err := privacy.SubjectIDFrom(x.r.PathValue("id"))
	if err != nil {
		return id, unprocessable("subject", wire.CodeInvalid, `"sub_…" was expected`)
	}
	return id, nil
}
