package api

import (
	"context"
	"net/http"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func askFor(x *exchange, in *wire.PersonRequest) (int, *wire.Request, error) {
	out, err := x.door.EnterRequest(x.ctx, once(x, asked), vault.EnterRequest{Kind: vault.RequestKind(in.Kind), Subject: ref(in.Subject), Reason: in.Reason,
		Purpose: in.Purpose, Field: in.Field, Received: moment(in.ReceivedAt), Awaiting: in.Identity == wire.IdentityAwaiting, By: who(in.By), NeverContact: in.NeverContact})
	if err != nil {
		return 0, nil, err
	}
	status, answer := asked(out)
	return status, answer, nil
}

// asked is a request that was just made: what is to be known of it by who asked,
// and nothing of the person.
func asked(out *vault.Request) (int, *wire.Request) {
	return http.StatusAccepted, &wire.Request{Request: out.ID, Kind: string(out.Kind), Status: string(out.Status), ReceivedAt: out.ReceivedAt, DueAt: out.DueAt}
}

func listRequests(x *exchange) (*wire.RequestList, error) {
	limit, err := x.limit()
	if err != nil {
		return nil, err
	}
	var before privacy.RequestID
	if after := x.query.Get("after"); after != "" {
		if before, err = privacy.ParseRequestID(after); err != nil {
			return nil, unprocessable("after", wire.CodeInvalid, "names no entry of this list")
		}
	}
	list := x.door.Requests
	switch x.query.Get("open") {
	case "":
	case "true":
		list = x.door.OpenRequests
	default:
		return nil, unprocessable("open", wire.CodeInvalid, "is true, or left out")
	}
	all, err := list(x.ctx, x.caller, before, limit+1)
	if err != nil {
		return nil, err
	}
	page := wire.RequestList{Requests: []wire.Request{}}
	if len(all) > limit {
		all, page.Next = all[:limit], all[limit-1].ID.String()
	}
	for i := range all {
		page.Requests = append(page.Requests, *requestNow(&all[i]))
	}
	return &page, nil
}

func showRequest(x *exchange) (*wire.Request, error) {
	id, err := privacy.ParseRequestID(x.r.PathValue("id"))
	if err != nil {
		return nil, errNotFound
	}
	out, err := x.door.Request(x.ctx, x.caller, id)
	if err != nil {
		return nil, err
	}
	return requestNow(out), nil
}

func approveRequest(x *exchange, _ *wire.Nothing) (int, *wire.Request, error) {
	return x.answerRequest(x.door.ApproveRequest)
}

func refuseRequest(x *exchange, in *wire.Why) (int, *wire.Request, error) {
	return x.answerRequest(saying(x.door.DeclineRequest, in.Reason))
}

func confirmIdentity(x *exchange, in *wire.Because) (int, *wire.Request, error) {
	return x.answerRequest(saying(x.door.ConfirmIdentity, in.Reason))
}

func extendRequest(x *exchange, in *wire.Because) (int, *wire.Request, error) {
	return x.answerRequest(saying(x.door.ExtendRequest, in.Reason))
}

func completeRequest(x *exchange, in *wire.Because) (int, *wire.Request, error) {
	return x.answerRequest(saying(x.door.AnswerRequest, in.Reason))
}

// saying is a word on a request that comes with a reason.
func saying(do func(context.Context, vault.Caller, privacy.RequestID, string) (*vault.Request, error), reason string) func(context.Context, vault.Caller, privacy.RequestID) (*vault.Request, error) {
	return func(ctx context.Context, by vault.Caller, id privacy.RequestID) (*vault.Request, error) {
		return do(ctx, by, id, reason)
	}
}

func objectMe(x *exchange, in *wire.ObjectionRequest) (int, *wire.Objection, error) {
	out, err := x.door.ObjectOwn(x.ctx, once(x, objected), in.Purpose, in.Reason, who(in.By))
	if err != nil {
		return 0, nil, err
	}
	status, answer := objected(out)
	return status, answer, nil
}

func objected(out *vault.Objection) (int, *wire.Objection) {
	return http.StatusCreated, &wire.Objection{Consent: out.Consent, Status: out.Status, Receipt: out.Receipt, Absolute: out.Absolute, Request: out.Request}
}

func contestMe(x *exchange, in *wire.ContestRequest) (int, *wire.Contest, error) {
	out, err := x.door.ContestOwn(x.ctx, once(x, contested), in.Field, in.Reason, who(in.By))
	if err != nil {
		return 0, nil, err
	}
	status, answer := contested(out)
	return status, answer, nil
}

func contested(out *vault.Contest) (int, *wire.Contest) {
	return http.StatusCreated, &wire.Contest{Field: out.Field, Status: string(out.Status), Request: out.Request, Since: pointer(out.Since), DueAt: pointer(out.Due)}
}

func listOwnRequests(x *exchange) (*wire.RequestList, error) {
	all, err := x.door.OwnRequests(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	list := wire.RequestList{Requests: []wire.Request{}}
	for i := range all {
		list.Requests = append(list.Requests, *requestNow(&all[i]))
	}
	return &list, nil
}

func (x *exchange) answerRequest(say func(context.Context, vault.Caller, privacy.RequestID) (*vault.Request, error)) (int, *wire.Request, error) {
	id, err := privacy.ParseRequestID(x.r.PathValue("id"))
	if err != nil {
		return 0, nil, errNotFound
	}
	answered := func(out *vault.Request) (int, *wire.Request) { return http.StatusOK, requestNow(out) }
	out, err := say(x.ctx, once(x, answered), id)
	if err != nil {
		return 0, nil, err
	}
	status, answer := answered(out)
	return status, answer, nil
}

func requestNow(q *vault.Request) *wire.Request {
	answer := wire.Request{Request: q.ID, Kind: string(q.Kind), Status: string(q.Status), Why: q.Why, Subject: q.Subject, By: q.By, Reason: q.Reason,
		ReceivedAt: q.ReceivedAt, DueAt: q.DueAt, People: q.People, Certificate: q.Certificate, Purpose: q.Purpose, Field: q.Field, Outcome: q.Outcome, Inference: q.Inference, Extended: q.Extended,
		Identity: q.Identity, Extension: q.Extension, Answer: q.Answer, Never: q.NeverContact, Overdue: q.Overdue}
	answer.Own, answer.EndedBy = acting(q.Own), acting(q.EndedBy)
	answer.BeginsAt, answer.LiftedAt, answer.Corrected, answer.ToldLater = pointer(q.BeginsAt), pointer(q.LiftedAt), q.Fields, q.ToldLater
	for _, t := range q.Told {
		answer.Told = append(answer.Told, wire.Told{Channel: t.Channel, Title: wire.Words(t.Title), Recipient: t.Recipient, Type: t.Type, Fields: listed(t.Fields),
			State: string(t.State), At: pointer(t.At), HeardAt: pointer(t.Heard)})
	}
	if !q.CompletedAt.IsZero() {
		answer.CompletedAt = &q.CompletedAt
	}
	for _, s := range q.Kept {
		kept := wire.Kept{Purpose: s.Purpose, Basis: s.Basis, Fields: s.Fields}
		if !s.Until.IsZero() {
			kept.Until = &s.Until
		}
		answer.Kept = append(answer.Kept, kept)
	}
	return &answer
}

func holdPerson(x *exchange, in *wire.Because) (int, *wire.Hold, error) {
	id, err := x.person()
	if err != nil {
		return 0, nil, err
	}
	return placed(x.door.PlaceHold(x.ctx, once(x, held), vault.HoldRequest{Subject: vault.SubjectRef{ID: id}, Reason: in.Reason}))
}

func holdByIdentifier(x *exchange, in *wire.HoldRequest) (int, *wire.Hold, error) {
	return placed(x.door.PlaceHold(x.ctx, once(x, held), vault.HoldRequest{Subject: ref(in.Subject), Reason: in.Reason}))
}

func placed(out *vault.Hold, err error) (int, *wire.Hold, error) {
	if err != nil {
		return 0, nil, err
	}
	status, answer := held(out)
	return status, answer, nil
}

func held(out *vault.Hold) (int, *wire.Hold) { return http.StatusCreated, holdNow(*out) }

func holdNow(h vault.Hold) *wire.Hold {
	return &wire.Hold{Hold: h.ID, Subject: h.Subject, Since: h.Since, By: h.By, Reason: h.Reason}
}

func listHolds(x *exchange) (*wire.HoldList, error) {
	id, err := x.person()
	if err != nil {
		return nil, err
	}
	out, err := x.door.Holds(x.ctx, x.caller, id)
	if err != nil {
		return nil, err
	}
	_, list := holdsNow(out)
	return list, nil
}

func holdsNow(all []vault.Hold) (int, *wire.HoldList) {
	list := wire.HoldList{Holds: []wire.Hold{}}
	for _, h := range all {
		list.Holds = append(list.Holds, *holdNow(h))
	}
	return http.StatusOK, &list
}

func releaseHolds(x *exchange) (int, *wire.HoldList, error) {
	id, err := x.person()
	if err != nil {
		return 0, nil, err
	}
	var hold *privacy.HoldID
	if text := x.r.PathValue("hold"); text != "" {
		one, err := privacy.ParseHoldID(text)
		if err != nil {
			return 0, nil, errNotFound
		}
		hold = &one
	}
	out, err := x.door.ReleaseHold(x.ctx, once(x, holdsNow), id, hold)
	if err != nil {
		return 0, nil, err
	}
	status, list := holdsNow(out)
	return status, list, nil
}

var releaseHoldsHandler = handlerOf(releaseHolds, http.StatusOK)
