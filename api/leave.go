package api

import (
	"context"
	"net/http"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// StatusPath is where the link to the status of a request leads, with what names
// it behind.
const StatusPath = "/v1/status/"

func eraseMe(x *exchange, in *wire.Leave) (int, *wire.OwnErasure, error) {
	answered := func(out *vault.Request) (int, *wire.OwnErasure) {
		return http.StatusAccepted, &wire.OwnErasure{Request: out.ID, Status: string(out.Status), DueAt: out.DueAt,
			StatusURL: x.tokens.Issuer() + StatusPath + x.door.RequestLink(out.ID), BeginsAt: pointer(out.BeginsAt)}
	}
	out, err := x.door.Erase(x.ctx, once(x, answered), vault.EraseRequest{Reason: in.Reason, By: who(in.By), NeverContact: in.NeverContact})
	if err != nil {
		return 0, nil, err
	}
	status, answer := answered(out)
	return status, answer, nil
}

// takeBackErasure takes back an erasure that has not begun.
func takeBackErasure(x *exchange, in *wire.Acting) (int, *wire.RequestStatus, error) {
	answered := func(q *vault.Request) (int, *wire.RequestStatus) {
		return http.StatusOK, &wire.RequestStatus{Request: q.ID, Kind: string(q.Kind), Status: string(q.Status), ReceivedAt: q.ReceivedAt, DueAt: q.DueAt,
			CompletedAt: pointer(q.CompletedAt)}
	}
	out, err := x.door.TakeBackErasure(x.ctx, once(x, answered), who(in.By))
	if err != nil {
		return 0, nil, err
	}
	status, answer := answered(out)
	return status, answer, nil
}

// who is who acts in a person's session, nil for the person.
func who(by *wire.Actor) *privacy.Actor {
	if by == nil {
		return nil
	}
	return &privacy.Actor{Role: by.Role, Ref: by.Ref}
}

// acting is who for the other way.
func acting(by *privacy.Actor) *wire.Actor {
	if by == nil {
		return nil
	}
	return &wire.Actor{Role: by.Role, Ref: by.Ref}
}

func previewErasure(x *exchange) (*wire.ErasurePreview, error) {
	out, err := x.door.PreviewErasure(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	return &wire.ErasurePreview{Remains: listed(kept(out.Remains)), Held: out.Held, KeyBackupDays: out.KeyBackupDays, Told: listed(out.Told), ToldLater: out.ToldLater,
		BeginsAt: pointer(out.Begins), Waits: out.Waits, NeverContact: out.NeverContact}, nil
}

func kept(stays []vault.Stay) (all []wire.Kept) {
	for _, s := range stays {
		all = append(all, wire.Kept{Purpose: s.Purpose, Basis: s.Basis, Fields: s.Fields, Until: pointer(s.Until)})
	}
	return all
}

// statusOfRequest tells how far a request is to whoever has its link.
func statusOfRequest(x *exchange) (*wire.RequestStatus, error) {
	q, err := x.door.RequestByLink(x.ctx, x.r.PathValue("link"))
	if err != nil {
		return nil, err
	}
	return &wire.RequestStatus{Request: q.ID, Kind: string(q.Kind), Status: string(q.Status), Why: q.Why, ReceivedAt: q.ReceivedAt, DueAt: q.DueAt,
		CompletedAt: pointer(q.CompletedAt), BeginsAt: pointer(q.BeginsAt), Kept: kept(q.Kept), Told: q.Sent, Confirmed: q.Confirmed,
		Certificate: q.Certificate}, nil
}

func restricted(out *vault.Restriction) (int, *wire.Restriction) {
	return http.StatusOK, &wire.Restriction{Restricted: out.Restricted, Since: pointer(out.Since)}
}

func restrictMe(x *exchange, in *wire.Why) (int, *wire.Restriction, error) {
	return restrictedBy(x.door.RestrictOwn(x.ctx, once(x, restricted), in.Reason, who(in.By)))
}

func liftMe(x *exchange, in *wire.Acting) (int, *wire.Restriction, error) {
	return restrictedBy(x.door.LiftOwn(x.ctx, once(x, restricted), who(in.By)))
}

func restrictPerson(x *exchange, in *wire.Because) (int, *wire.Restriction, error) {
	return x.restrictFor(in, x.door.Restrict)
}

func liftPerson(x *exchange, in *wire.Because) (int, *wire.Restriction, error) {
	return x.restrictFor(in, x.door.Lift)
}

func (x *exchange) restrictFor(in *wire.Because, do func(context.Context, vault.Caller, privacy.SubjectID, string) (*vault.Restriction, error)) (int, *wire.Restriction, error) {
	id, err := x.person()
	if err != nil {
		return 0, nil, err
	}
	return restrictedBy(do(x.ctx, once(x, restricted), id, in.Reason))
}

func restrictedBy(out *vault.Restriction, err error) (int, *wire.Restriction, error) {
	if err != nil {
		return 0, nil, err
	}
	status, answer := restricted(out)
	return status, answer, nil
}
